"""Judges one cast: hashes, signatures, the blocks of its .bin file. Hostile input never raises."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import msgspec

from . import signing
from .decoding import Block, decode_block
from .events import RecordingError
from .header import parse_header
from .signing import SignatureState, TrustedKeys
from .source import FileBytes, LineSource, open_regular

_READ = 1 << 20


class VerdictWord(StrEnum):
    """What became of a recording, in one word."""

    OK = "OK"
    INCOMPLETE = "INCOMPLETE"
    """It has no end: its broker crashed, or is still writing."""
    TRUNCATED = "TRUNCATED"
    """Shorter than it once was."""
    CORRUPT = "CORRUPT"
    """Other bytes than those that were signed."""
    BAD_SIGNATURE = "BAD-SIGNATURE"
    MISSING = "MISSING"
    ORPHAN = "ORPHAN"
    """It belongs to another session, or to none."""
    KEY_UNKNOWN = "KEY-UNKNOWN"
    """Signed by a key that nobody here trusts."""


@dataclass(frozen=True, slots=True)
class FileVerdict:
    """What is to be said of one file."""

    name: str
    word: VerdictWord
    detail: str
    size_bytes: int = 0
    signed_bytes: int = 0
    """How far valid signatures reach."""
    sha256: str = ""
    """Of all bytes that were read, in hexadecimal."""


class _Signature(msgspec.Struct):
    file: str
    offset: int
    sha256: str
    at: str
    signature: str


_signature = msgspec.json.Decoder(_Signature).decode


class _Finding(Exception):
    """The word about the file is known."""

    def __init__(self, word: VerdictWord, detail: str) -> None:
        super().__init__(detail)
        self.word = word
        self.detail = detail


class CastCheck:
    """Reads a cast from its first byte to its last, once."""

    def __init__(
        self, path: Path, *, session: str, session_json: str, trusted: TrustedKeys
    ) -> None:
        """`session_json` is the SHA-256 of the session.json beside it."""
        self._path = path
        self._session = session
        self._session_json = session_json
        self._trusted = trusted
        self._sha = hashlib.sha256()
        self._signed = 0
        self._covered = 0
        """Where the newest signature that holds ends: its own line has but one spelling."""
        self._ended = False
        self._sealed = False
        self._bin: _BinCheck | None = None
        self._size = 0

    def run(self, known: tuple[int, str] | None) -> FileVerdict:
        """Return the verdict; `known` is an offset and the SHA-256 of all bytes before it."""
        try:
            self._read(known if known and known[0] > 0 else None)
            word, detail = self._end()
        except _Finding as finding:
            word, detail = finding.word, finding.detail
        except (RecordingError, OSError) as error:
            word, detail = VerdictWord.CORRUPT, str(error)
        finally:
            if self._bin is not None:
                self._bin.close()
        return FileVerdict(
            self._path.name, word, detail, self._size, self._signed, self._sha.hexdigest()
        )

    def _read(self, known: tuple[int, str] | None) -> None:
        content = FileBytes(self._path)
        source = LineSource(content)
        try:
            self._size = content.size
            if known is not None and self._size <= known[0]:
                raise _Finding(
                    VerdictWord.TRUNCATED, f"{self._size} bytes, but {known[0]} were signed once"
                )
            while source.offset < self._size and not source.at_end:
                for offset, line in source.read(_READ):
                    if known is not None and offset >= known[0]:
                        self._compare(known, offset)
                        known = None
                    self._line(offset, line)
                if source.overlong:
                    raise self._corrupt(source.offset, "a line is longer than 16 MiB")
            rest = source.last()
            if rest and self._sealed:
                raise self._corrupt(source.offset, "something follows the end")
            if known is not None:
                self._compare(known, source.offset)
                raise _Finding(VerdictWord.TRUNCATED, "it ends inside a signature")
            self._sha.update(rest)
        finally:
            content.close()

    def _compare(self, known: tuple[int, str], offset: int) -> None:
        if offset != known[0] or self._sha.hexdigest() != known[1]:
            raise self._corrupt(known[0], "its beginning is not what was signed once")

    def _line(self, offset: int, line: bytes) -> None:
        if self._sealed:
            raise self._corrupt(offset, "something follows the end")
        if offset == 0:
            self._header(line)
        elif line.startswith(b"# psm "):
            self._note(offset, line[6:])
        self._sha.update(line)
        self._sha.update(b"\n")

    def _header(self, line: bytes) -> None:
        origin = parse_header(line).psm
        if origin is None:
            raise _Finding(VerdictWord.ORPHAN, "psm did not write this file")
        if origin.session != self._session:
            raise _Finding(VerdictWord.ORPHAN, "it belongs to another session")
        if origin.session_json != self._session_json:
            raise self._corrupt(0, "session.json is not the one that this file was begun with")

    def _note(self, offset: int, note: bytes) -> None:
        word, _, value = note.partition(b" ")
        try:
            match word:
                case b"sig":
                    self._check(offset, value)
                case b"bin":
                    self._block(decode_block(value))
                case b"end":
                    self._ended = True
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise self._corrupt(offset, "a line of ours can not be read") from error

    def _check(self, offset: int, line: bytes) -> None:
        stated = _signature(line)
        if msgspec.json.encode(stated) != line:
            # No later signature covers the last line, so only one spelling of it may pass.
            raise self._corrupt(offset, "a signature is not spelled as psm spells it")
        if stated.offset != offset or stated.sha256 != self._sha.hexdigest():
            raise self._corrupt(offset, "the bytes are not those that were signed")
        if stated.file != self._path.name:
            raise _Finding(VerdictWord.BAD_SIGNATURE, f"it was signed as {stated.file}")
        said = signing.message(self._session, stated.file, stated.offset, stated.sha256, stated.at)
        match self._trusted.check(stated.signature, said):
            case SignatureState.BAD:
                raise _Finding(
                    VerdictWord.BAD_SIGNATURE, f"the signature at byte {offset} does not hold"
                )
            case SignatureState.KEY_UNKNOWN:
                raise _Finding(
                    VerdictWord.KEY_UNKNOWN, f"signed at byte {offset} by a key that is not trusted"
                )
            case SignatureState.GOOD:
                self._signed = offset
                self._covered = offset + len(b"# psm sig \n") + len(line)
                self._sealed = self._ended

    def _block(self, block: Block) -> None:
        if self._bin is None:
            self._bin = _BinCheck(self._path.with_suffix(".bin"))
        self._bin.check(block)

    def _end(self) -> tuple[VerdictWord, str]:
        if self._sealed:
            if self._bin is not None:
                self._bin.finish()
            return VerdictWord.OK, f"{self._size} bytes, signed to the end"
        unsigned = self._size - self._covered
        what = f"the last {unsigned} of {self._size} bytes are not" if unsigned else "all of it is"
        return VerdictWord.INCOMPLETE, (
            f"it has no end: it is still being written, or its broker stopped; {what} signed"
        )

    def _corrupt(self, offset: int, why: str) -> _Finding:
        where = f"between bytes {self._signed} and {offset}" if offset > self._signed else "at 0"
        return _Finding(VerdictWord.CORRUPT, f"{where}: {why}")


class _BinCheck:
    """Compares the blocks of a .bin file with what the cast says of them."""

    def __init__(self, path: Path) -> None:
        self._name = path.name
        self._end = 0
        if not os.path.lexists(path):
            raise _Finding(VerdictWord.MISSING, f"{path.name} is missing")
        self._fd = open_regular(path)

    def check(self, block: Block) -> None:
        """Raise a finding unless the file holds `block` right after the last one."""
        if block.offset != self._end or block.bytes <= 0:
            raise _Finding(VerdictWord.CORRUPT, f"{self._name} is referred to out of order")
        digest = hashlib.sha256()
        left = block.bytes
        while left > 0:
            data = os.pread(self._fd, min(left, _READ), block.offset + block.bytes - left)
            if not data:
                size = os.fstat(self._fd).st_size
                raise _Finding(
                    VerdictWord.TRUNCATED,
                    f"{self._name} has {size} bytes, but {block.offset + block.bytes} were written",
                )
            digest.update(data)
            left -= len(data)
        if digest.hexdigest() != block.sha256:
            end = block.offset + block.bytes
            raise _Finding(
                VerdictWord.CORRUPT, f"between bytes {block.offset} and {end} of {self._name}"
            )
        self._end = block.offset + block.bytes

    def finish(self) -> None:
        """Raise a finding when the file goes on after the last block."""
        if os.fstat(self._fd).st_size != self._end:
            raise _Finding(VerdictWord.CORRUPT, f"after byte {self._end} of {self._name}")

    def close(self) -> None:
        os.close(self._fd)
