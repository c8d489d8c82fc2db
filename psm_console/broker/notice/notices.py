"""What the broker tells an operator in-band, as bytes for their terminal."""

from __future__ import annotations

from psm_console.domain.effects import NoticeKind
from psm_console.domain.text import visible

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


def plain(text: str) -> bytes:
    """Return `text` as a line for stderr, where there is no terminal to draw on."""
    return _psm(text) + b"\n"


def exit_text(status: int | None, signal: str | None) -> str | None:
    """Say how a program ended; None when the target never said."""
    if signal:
        return f"signal {visible(signal, 32)}"
    return None if status is None else str(status)


def _psm(text: str) -> bytes:
    return f"[psm] {text}".encode()
