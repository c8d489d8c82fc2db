"""Says in one word whether a recording is the evidence that it claims to be; never raises.

Needs public keys only. What the store knows is optional: without it a recording that was cut at a
signature, or that lost a whole file, can not be told from one whose broker crashed.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from psm_console.domain.text import visible

from .cast_check import CastCheck, FileVerdict, VerdictWord
from .events import CHANNEL_FILES, SESSION_FILE, SESSION_LIMIT, RecordingError
from .signing import TrustedKeys
from .source import open_regular
from .writer import SESSION_ID

__all__ = ["FileVerdict", "Verdict", "VerdictWord", "verify"]

FILES_LIMIT = 10_000
"""Files in a folder at most: channels are numbered by us, so more were put there by others."""
_NAME = re.compile(r"[1-9][0-9]{0,8}-([a-z]+\.cast|(?:sftp|forward)\.jsonl)")
_WORST_FIRST = (
    VerdictWord.MISSING,
    VerdictWord.TRUNCATED,
    VerdictWord.CORRUPT,
    VerdictWord.BAD_SIGNATURE,
    VerdictWord.ORPHAN,
    VerdictWord.KEY_UNKNOWN,
    VerdictWord.INCOMPLETE,
    VerdictWord.OK,
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The word about a recording: the worst of its files."""

    word: VerdictWord
    detail: str
    files: tuple[FileVerdict, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the recording is whole, closed and signed to its end."""
        return self.word is VerdictWord.OK


class _SessionFile(msgspec.Struct):
    id: str


def verify(
    folder: Path,
    *,
    trusted: TrustedKeys,
    known: Mapping[str, tuple[int, str]] | None = None,
    closed_digest: str | None = None,
) -> Verdict:
    """Judge the recording in `folder`.

    `known` is what the store has: file name to offset and SHA-256 of the newest checkpoint; with
    it the folder must also bear its session's id. `closed_digest` is the seal of a recording that
    was closed.
    """
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        return Verdict(VerdictWord.MISSING, f"the folder can not be read: {error.strerror}")
    if len(names) > FILES_LIMIT:
        return Verdict(VerdictWord.CORRUPT, f"the folder holds more than {FILES_LIMIT} files")
    session = _session(folder)
    if isinstance(session, FileVerdict):
        return _worst([session])
    identity, session_verdict = session
    if known is not None and identity != folder.name:
        return Verdict(VerdictWord.ORPHAN, f"this is the recording of {visible(identity, 64)}")
    casts = [
        _cast(folder / name, identity, session_verdict.sha256, trusted, known)
        for name in names
        if name.endswith(CHANNEL_FILES)
    ]
    files = [*casts, session_verdict, *_unaccounted(names, known)]
    verdict = _worst(files)
    if closed_digest is None:
        if not casts and verdict.ok:
            return replace(verdict, word=VerdictWord.INCOMPLETE, detail="it holds no channel")
        return verdict
    return _compared(verdict, [*casts, session_verdict], closed_digest)


def _session(folder: Path) -> tuple[str, FileVerdict] | FileVerdict:
    """Return the session's id and a verdict about its file, or only a bad verdict."""
    path = folder / SESSION_FILE
    if not os.path.lexists(path):
        return FileVerdict(SESSION_FILE, VerdictWord.MISSING, f"{SESSION_FILE} is missing")
    try:
        descriptor = open_regular(path)
        with open(descriptor, "rb") as file:
            content = file.read(SESSION_LIMIT + 1)
    except (RecordingError, OSError) as error:
        return FileVerdict(SESSION_FILE, VerdictWord.CORRUPT, str(error))
    digest = hashlib.sha256(content).hexdigest()
    try:
        if len(content) > SESSION_LIMIT:
            raise ValueError
        identity = msgspec.json.decode(content, type=_SessionFile).id
        if SESSION_ID.fullmatch(identity) is None:
            raise ValueError
    except (ValueError, RecursionError):
        return FileVerdict(
            SESSION_FILE, VerdictWord.CORRUPT, "at 0: it does not say whose session this was"
        )
    size = len(content)
    return identity, FileVerdict(SESSION_FILE, VerdictWord.OK, "", size, size, digest)


def _cast(
    path: Path,
    session: str,
    session_json: str,
    trusted: TrustedKeys,
    known: Mapping[str, tuple[int, str]] | None,
) -> FileVerdict:
    if _NAME.fullmatch(path.name) is None:
        return FileVerdict(path.name, VerdictWord.ORPHAN, "no file of a recording has this name")
    if known is not None and path.name not in known:
        return FileVerdict(path.name, VerdictWord.ORPHAN, "the store does not know this file")
    check = CastCheck(path, session=session, session_json=session_json, trusted=trusted)
    return check.run(None if known is None else known[path.name])


def _unaccounted(
    names: list[str], known: Mapping[str, tuple[int, str]] | None
) -> list[FileVerdict]:
    """Return verdicts about files that are missing, or that no cast can refer to."""
    present = set(names)
    found = [
        FileVerdict(name, VerdictWord.ORPHAN, "there is no cast that refers to it")
        for name in names
        if name.endswith(".bin") and f"{name.removesuffix('.bin')}.cast" not in present
    ]
    missing = [name for name in known or () if name not in present]
    return found + [
        FileVerdict(name, VerdictWord.MISSING, "the store knows this file") for name in missing
    ]


def _worst(files: list[FileVerdict]) -> Verdict:
    worst = min(files, key=lambda file: _WORST_FIRST.index(file.word))
    name = visible(worst.name, 64)
    if worst.word is VerdictWord.OK:
        return Verdict(worst.word, "whole, closed and signed to its end", tuple(files))
    return Verdict(worst.word, f"{name}: {visible(worst.detail, 300)}", tuple(files))


def _compared(verdict: Verdict, files: list[FileVerdict], closed_digest: str) -> Verdict:
    """Return the verdict on a recording that was closed with this digest."""
    listing = "".join(f"{file.sha256}  {file.name}\n" for file in files)
    digest = hashlib.sha256(listing.encode("utf-8", "surrogateescape")).hexdigest()
    if digest == closed_digest:
        return verdict
    if verdict.word is VerdictWord.INCOMPLETE:
        return replace(
            verdict,
            word=VerdictWord.TRUNCATED,
            detail="it was closed once, and has no end now",
        )
    if verdict.ok:
        return replace(
            verdict,
            word=VerdictWord.CORRUPT,
            detail="it is not the recording that was closed: its digest differs",
        )
    return verdict
