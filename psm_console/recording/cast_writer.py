"""Writes exact bytes as asciicast v3 lines: text as events, the rest in `#` lines beside them."""

from __future__ import annotations

import codecs
import hashlib

from . import lines
from .events import Code, pieces
from .evidence import EvidenceFile

PIECE = 64 << 10
"""Bytes of text in one event at most; more would make a seek to its middle slow."""
BULK = 1024
"""Without a PTY, a chunk of at least this many bytes that is not text goes into the .bin file."""


class CastWriter:
    """A cast and, when bulk data comes without a PTY, the .bin file that it refers to.

    Times are microseconds since the session's start. What a method was given is written when it
    returns; it raises OSError otherwise.
    """

    suffix = ".cast"

    def __init__(self, folder_fd: int, stem: str, *, pty: bool, quota_bytes: int) -> None:
        self._folder_fd = folder_fd
        self._stem = stem
        self._pty = pty
        self._quota = quota_bytes
        self.file = EvidenceFile(folder_fd, f"{stem}{self.suffix}")
        self._bin: EvidenceFile | None = None
        self._last_us = 0
        self._pending = b""
        """The first bytes of an output character that a chunk's end cut."""
        self._kept = 0
        self._digests: dict[str, hashlib._Hash] = {}
        self.raw_bytes = 0
        self.digest_bytes = 0

    @property
    def files(self) -> tuple[EvidenceFile, ...]:
        """The cast, and the .bin file when there is one."""
        return (self.file,) if self._bin is None else (self.file, self._bin)

    @property
    def weight(self) -> int:
        """Bytes in all files."""
        return self.file.offset + (self._bin.offset if self._bin is not None else 0)

    def event(self, at_us: int, code: str, text: str) -> None:
        """Write one event; text that is no Unicode (lone surrogates) raises UnicodeError."""
        start = self._last_us
        if at_us < start:  # the caller's clock may lag behind; time in a cast only goes on
            at_us = start
        self.file.append(lines.event(at_us - start, code, text))
        self._last_us = at_us

    def note(self, word: str, fields: dict[str, object]) -> None:
        """Write `# psm WORD {…}`."""
        self.file.append(lines.note(word, fields))

    def evidence(self, at_us: int, code: str, data: bytes) -> None:
        """Write exact bytes, in whichever form keeps them."""
        if not data:
            return
        if len(data) <= PIECE or (not self._pty and not _is_text(data[:PIECE])):
            self._piece(at_us, code, data)
        else:
            for piece in pieces(data, PIECE):
                self._piece(at_us, code, piece)

    def _piece(self, at_us: int, code: str, data: bytes) -> None:
        self._kept += len(data)
        if self._kept > self._quota:
            self._write_digest(at_us, code, data)
            return
        whole = self._pending + data if self._pending and code == "o" else data
        try:
            text = whole.decode()
        except UnicodeDecodeError as error:
            self._not_text(at_us, code, data, error)
            return
        if not self._pty and len(data) >= BULK and b"\0" in data:
            self._write_bin(at_us, code, data)
            return
        self.event(at_us, code, text)
        if code == "o":
            self._pending = b""

    def _not_text(self, at_us: int, code: str, data: bytes, error: UnicodeDecodeError) -> None:
        """Write what can be shown as an event, and exactly what it was in `#` lines."""
        cut = error.reason == "unexpected end of data" and code == "o"
        if not cut and not self._pty and len(data) >= BULK:
            self._write_bin(at_us, code, data)
            return
        whole = self._pending + data if code == "o" else data
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        text = decoder.decode(whole, final=code != "o")
        rest = decoder.getstate()[0]
        if text:
            if not cut:
                self.file.append(lines.raw(whole[: len(whole) - len(rest)]))
            self.event(at_us, code, text)
        if code == "o":
            self._pending = rest
            if rest:
                self.file.append(lines.part(rest if text else data))

    def _write_bin(self, at_us: int, code: str, data: bytes) -> None:
        """Keep bulk beside the cast: decoding it as text would cost 30 ms/MB and show nothing."""
        if self._bin is None:
            self._bin = EvidenceFile(self._folder_fd, f"{self._stem}.bin", hashed=False)
        start = self._bin.offset
        self._bin.append(data)
        digest = hashlib.sha256(data).hexdigest()
        self._block("bin", at_us, code, {"offset": start, "bytes": len(data), "sha256": digest})
        self.raw_bytes += len(data)

    def _write_digest(self, at_us: int, code: str, data: bytes) -> None:
        """Keep the running SHA-256 of everything past the quota, for each code."""
        if not self._digests:
            self.event(at_us, Code.MARKER, "quota reached: what follows is kept as SHA-256 only")
            self._kept = self._quota
        running = self._digests.setdefault(code, hashlib.sha256())
        running.update(data)
        self._block("digest", at_us, code, {"bytes": len(data), "sha256": running.hexdigest()})
        self.digest_bytes += len(data)

    def _block(self, word: str, at_us: int, code: str, fields: dict[str, object]) -> None:
        self._last_us = at_us = max(at_us, self._last_us)
        self.note(word, {"at": lines.seconds(at_us), "code": code, **fields})
        if code == "o":
            self._pending = b""


def _is_text(data: bytes) -> bool:
    """Whether these may be kept as text; a character that the end cuts is no reason against it."""
    try:
        codecs.utf_8_decode(data)
    except UnicodeDecodeError:
        return False
    return b"\0" not in data
