"""Writes a session's recording: its folder, session.json and a cast for each channel."""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from psm_console.domain.policy import RecordingPolicy
from psm_console.domain.session import ChannelKind, Session, Size

from . import lines
from .channel import ChannelRecorder, Opening, Shared
from .events import CHANNEL_FILES, FORMAT, SESSION_FILE, RecordingError, instant
from .evidence import EvidenceFile, Health, reason_of
from .forward_recorder import ForwardRecorder
from .sftp_recorder import SftpRecorder
from .signing import Checkpoint, Signer

SESSION_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")

_RECORDERS: dict[ChannelKind, type[ChannelRecorder]] = {
    ChannelKind.SFTP: SftpRecorder,
    ChannelKind.FORWARD: ForwardRecorder,
}
"""Kinds of channel whose bytes are not kept whole."""


@dataclass(frozen=True, slots=True)
class SealedFile:
    """A file as it was when the recording ended."""

    name: str
    size_bytes: int
    sha256: str
    """In hexadecimal; empty for a .bin, whose blocks have theirs in the cast."""


@dataclass(frozen=True, slots=True)
class Seal:
    """The end of a recording."""

    digest: str
    """SHA-256 of what `LC_ALL=C sha256sum [1-9]*.[cj]* session.json` prints, in hexadecimal."""
    files: tuple[SealedFile, ...]
    size_bytes: int
    failure: str | None = None
    """Why the recording has no proper end, in a few words; None when it has one."""


class SessionRecorder:
    """Records one session. For one thread at a time, except `sync` and `close`."""

    def __init__(self, shared: Shared, session_file: SealedFile) -> None:
        self._shared = shared
        self._session_file = session_file
        self._channels: dict[int, ChannelRecorder] = {}
        self._early_marks: list[tuple[float, str, str]] = []
        """Markers from when no channel was open; the next channel's cast begins with them."""
        self._folder_dirty = True
        self._folder_lock = threading.Lock()
        """Held while the folder is synced or closed."""
        self._sync_failure: str | None = None
        self._closing = False
        self._seal: Seal | None = None

    @classmethod
    def create(
        cls,
        root: Path,
        session: Session,
        *,
        signer: Signer,
        policy: RecordingPolicy,
        on_checkpoint: Callable[[Checkpoint], None],
        clock: Callable[[], datetime],
    ) -> SessionRecorder:
        """Make the folder `root`/`session.id` (0700) and its session.json (0600).

        Raises RecordingError when the id can not name a new folder there, OSError for the disk.
        """
        folder_fd = _new_folder(root, session.id)
        try:
            content = _session_json(session)
            file = EvidenceFile(folder_fd, SESSION_FILE)
            try:
                file.append(content)
                file.sync()
            finally:
                file.close()
        except BaseException:
            os.close(folder_fd)
            raise
        shared = Shared(
            session=session.id,
            folder_fd=folder_fd,
            signer=signer,
            policy=policy,
            on_checkpoint=on_checkpoint,
            clock=clock,
            health=Health(),
            timestamp=int(session.started_at.timestamp()),
            session_json=file.sha256,
        )
        return cls(shared, SealedFile(SESSION_FILE, file.offset, file.sha256))

    @property
    def failure(self) -> str | None:
        """Why nothing more is recorded, in a few words; None while all is well."""
        error = self._shared.health.failure
        return None if error is None else reason_of(error)

    def open_channel(
        self,
        number: int,
        kind: ChannelKind,
        *,
        at: float,
        size: Size | None,
        term: str = "",
        command: str | None = None,
        title: str | None = None,
    ) -> ChannelRecorder:
        """Start the cast or log of a channel; `size` is None without a PTY."""
        self._shared.health.require()
        if self._closing:
            raise RecordingError("the recording is closed; no channel can be opened in it")
        try:
            opening = Opening(number, kind, at, size, term, command, title)
            recorder = _RECORDERS.get(kind, ChannelRecorder)
            channel = recorder(self._shared, opening)
        except BaseException as error:
            self._shared.health.fail(error)
            raise
        self._channels[number] = channel
        self._folder_dirty = True
        marks, self._early_marks = self._early_marks, []
        for marked_at, label, mark_kind in marks:
            channel.mark(marked_at, label, mark_kind)
        return channel

    def mark(self, at: float, label: str, kind: str = "") -> None:
        """Write a marker into every open channel; without one, into the next that opens."""
        self._shared.health.require()
        channels = self._open()
        for channel in channels:
            channel.mark(at, label, kind)
        if not channels:
            self._early_marks.append((at, label, kind))

    def checkpoint(self, at: float) -> None:
        """Sign what is not signed yet, in every open channel."""
        for channel in self._open():
            channel.checkpoint(at)

    def tick(self, at: float) -> None:
        """Sign where it is due; to be called every second or so."""
        for channel in self._open():
            channel.tick(at)

    def sync(self) -> None:
        """Bring what was written to the disk itself; for a thread, every second.

        Raises OSError, after which nothing more is recorded.
        """
        try:
            for channel in list(self._channels.values()):
                for file in channel.files:
                    file.sync()
            with self._folder_lock:
                if self._folder_dirty and self._seal is None:
                    self._folder_dirty = False
                    os.fsync(self._shared.folder_fd)
        except OSError as error:
            # What the system could not bring to the disk it forgets: no later sync makes it good.
            self._sync_failure = reason_of(error)
            self._shared.health.fail(error)
            raise

    def close(self, at: float, reason: str) -> Seal:
        """End all channels, bring all to the disk, return the seal; idempotent.

        Never raises for the disk: when an end could not be written the seal's `failure` says why,
        and `verify` will say INCOMPLETE.
        """
        if self._seal is not None:
            return self._seal
        self._closing = True
        failure: str | None = None
        for channel in self._open():
            try:
                channel.close(at, reason)
            except (OSError, RecordingError) as error:
                failure = reason_of(error)
        with suppress(OSError):
            self.sync()
        for channel in self._channels.values():
            for file in channel.files:
                file.close()
        with self._folder_lock:
            os.close(self._shared.folder_fd)
            self._seal = self._sealed(failure or self._sync_failure)
        return self._seal

    def _open(self) -> list[ChannelRecorder]:
        return [channel for channel in self._channels.values() if not channel.closed]

    def _sealed(self, failure: str | None) -> Seal:
        files = [
            SealedFile(file.name, file.offset, file.sha256)
            for channel in self._channels.values()
            for file in channel.files
        ]
        files.sort(key=lambda file: file.name)
        signed = [file for file in files if file.name.endswith(CHANNEL_FILES)] + [
            self._session_file
        ]
        listing = "".join(f"{file.sha256}  {file.name}\n" for file in signed)
        files.append(self._session_file)
        return Seal(
            digest=hashlib.sha256(listing.encode()).hexdigest(),
            files=tuple(files),
            size_bytes=sum(file.size_bytes for file in files),
            failure=failure,
        )


def _new_folder(root: Path, session: str) -> int:
    """Make the folder and return a descriptor of it; never follows a link out of `root`."""
    if SESSION_ID.fullmatch(session) is None:
        raise RecordingError("this session id can not name a folder of recordings")
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    root_fd = os.open(root, flags)
    try:
        os.mkdir(session, 0o700, dir_fd=root_fd)
        return os.open(session, flags, dir_fd=root_fd)
    except FileExistsError as error:
        raise RecordingError(f"there is a recording of session {session} already") from error
    finally:
        os.close(root_fd)


def _session_json(session: Session) -> bytes:
    """Return who, what, when and why; never a secret."""
    fields = {
        "format": FORMAT,
        "id": session.id,
        "operator": session.operator,
        "account": session.account.account,
        "target": session.account.target,
        "started_at": instant(session.started_at),
        "client": lines.text(session.client),
        "grant": session.grant,
        "request": session.request,
        "ticket": None if session.ticket is None else lines.text(session.ticket),
        "reason": None if session.reason is None else lines.text(session.reason),
    }
    return msgspec.json.format(msgspec.json.encode(fields), indent=2) + b"\n"
