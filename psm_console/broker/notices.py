"""What the broker tells an operator in-band, as bytes for their terminal."""

from __future__ import annotations

from psm_console.domain.effects import NoticeKind
from psm_console.domain.text import visible

# Leave the alternate screen, mouse reports and bracketed paste, show the cursor, free the scroll
# region and the colours: the program that set them is about to die without cleaning up.
RESET_MODES = (
    b"\x1b[?1049l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[?1l\x1b>\x1b[?25h"
    b"\x1b[r\x1b[0m"
)
_LIMIT = 500


def sentence(kind: NoticeKind, by: str, text: str, *, pty: bool, discarded: int = 0) -> str:
    """Say what happened, in words that hold no control character."""
    text = visible(text, _LIMIT)
    why = f": {text}" if text else ""
    match kind:
        case NoticeKind.PAUSE:
            then = "what you type is discarded" if pty else "your input waits"
            return f"session paused by {by}{why} ({then} until it is resumed)"
        case NoticeKind.RESUME:
            lost = f" ({discarded} bytes typed meanwhile were discarded)" if discarded else ""
            return f"session resumed by {by}{why}{lost}"
        case NoticeKind.WARN:
            return f"message from {by}{why}"
        case NoticeKind.LIMIT:
            return text


def ending(reason: str, by: str) -> str:
    """Say who ended the session and why."""
    return f"session ended by {by}: {visible(reason, _LIMIT)}"


def line(text: str, *, at_line_start: bool) -> bytes:
    """Return `text` as a framed line of its own on a normal screen."""
    lead = b"" if at_line_start else b"\r\n"
    return lead + b"\x1b[0;7m " + _psm(text) + b" \x1b[0m\r\n"


def bar(text: str, columns: int) -> bytes:
    """Return `text` as a bar over the first row of a full-screen program, the cursor unmoved."""
    shown = f" [psm] {text}"
    if len(shown) > columns:
        shown = shown[: max(columns - 3, 0)] + "..."
    padded = shown.ljust(columns)[:columns].encode()
    return b"\x1b7\x1b[?6l\x1b[1;1H\x1b[0;7m" + padded + b"\x1b[0m\x1b8"


def plain(text: str) -> bytes:
    """Return `text` as a line for stderr, where there is no terminal to draw on."""
    return _psm(text) + b"\n"


def final(text: str, *, pty: bool) -> bytes:
    """Return the last thing the operator reads."""
    return RESET_MODES + b"\r\n" + _psm(text) + b"\r\n" if pty else plain(text)


def exit_text(status: int | None, signal: str | None) -> str | None:
    """Say how a program ended; None when the target never said."""
    if signal:
        return f"signal {visible(signal, 32)}"
    return None if status is None else str(status)


def _psm(text: str) -> bytes:
    return f"[psm] {text}".encode()
