"""Records one channel. The law of this file: evidence is written before return.

A caller forwards bytes only after the call that records them came back. After any exception the
whole session's recorder refuses further evidence, so that a gate that asks it stays shut.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from psm_console.domain.policy import InputRecording, RecordingPolicy
from psm_console.domain.session import ChannelKind, Ledger, Size

from . import lines
from .cast_writer import CastWriter
from .events import FORMAT, Code, Header, Origin, RecordingError
from .evidence import EvidenceFile, Health
from .signing import Checkpoint, Signer

COMMAND_LIMIT = 4096
"""Characters of a command in the header; a longer one follows whole in a line of its own."""
RESIZE_SPAN_US = 50_000
"""At most one resize in this many microseconds is written; the newest one wins."""
TYPING_GRAIN_US = 100_000
"""The time of typed input that is only counted, no finer: rhythm gives passwords away."""
_SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class Shared:
    """What the channels of one session have in common."""

    session: str
    folder_fd: int
    signer: Signer
    policy: RecordingPolicy
    on_checkpoint: Callable[[Checkpoint], None]
    clock: Callable[[], datetime]
    health: Health
    timestamp: int
    """The session's start in seconds since 1970, UTC."""
    session_json: str
    """SHA-256 of session.json, in hexadecimal."""


@dataclass(frozen=True, slots=True)
class Opening:
    """How a channel was opened; `size` is None without a PTY."""

    number: int
    kind: ChannelKind
    at: float
    size: Size | None
    term: str
    command: str | None
    """What runs; of a forward, its destination."""
    title: str | None = None


class ChannelRecorder:
    """The recorder of one channel; times are seconds since the session's start.

    Every method that takes evidence raises OSError when it could not be written, and
    RecordingError when something failed earlier or the channel is closed.
    """

    _writer: type[CastWriter] = CastWriter
    _header = staticmethod(lines.header)

    def __init__(self, shared: Shared, opening: Opening) -> None:
        """Create the cast, write its header and sign it."""
        self._shared = shared
        self._size = opening.size
        pty = opening.size is not None
        mode = shared.policy.input
        self._keeps_input = mode is InputRecording.ALWAYS or (
            mode is InputRecording.PIPES and not pty
        )
        stem = f"{opening.number}-{opening.kind}"
        quota = shared.policy.quota_bytes
        self._cast = self._writer(shared.folder_fd, stem, pty=pty, quota_bytes=quota)
        self._gate = _Gate(shared.health, self._cast.file.name)
        self._resized_us = -RESIZE_SPAN_US
        self._held: tuple[int, Size] | None = None
        """A new size and its time, not written yet."""
        self._output = self._input = self._discarded = 0
        self._signed_weight = -1
        self._signed_us = 0
        try:
            with self._gate:
                self._open(opening)
        except BaseException:
            self._cast.file.close()
            raise

    def _open(self, opening: Opening) -> None:
        command = opening.command
        if command is not None and len(command) > COMMAND_LIMIT:
            command = command[:COMMAND_LIMIT] + "…"
        origin = Origin(
            format=FORMAT,
            session=self._shared.session,
            file=self.file,
            channel=opening.number,
            kind=opening.kind,
            pty=opening.size is not None,
            session_json=self._shared.session_json,
            at=opening.at,
        )
        header = Header(
            version=3,
            size=opening.size or Size(80, 24),
            timestamp=self._shared.timestamp,
            term=lines.plain_term(opening.term),
            command=command,
            title=opening.title,
            psm=origin,
        )
        self._cast.file.append(self._header(header))
        whole = opening.command or ""
        if command != opening.command or lines.text(whole) != whole:
            self._cast.note("command", lines.command(whole))
        self._sign(_us(opening.at))

    @property
    def file(self) -> str:
        """The cast's name in the session's folder."""
        return self._cast.file.name

    @property
    def path(self) -> Path:
        """Where the cast can be read, whatever the folder is called by now."""
        return Path(f"/proc/self/fd/{self._shared.folder_fd}/{self.file}")

    @property
    def files(self) -> tuple[EvidenceFile, ...]:
        """The cast, and the .bin file when there is one."""
        return self._cast.files

    @property
    def offset(self) -> int:
        """Bytes in the cast."""
        return self._cast.file.offset

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._gate.closed

    @property
    def ledger(self) -> Ledger:
        """How many bytes went each way, and how they were recorded."""
        return Ledger(
            output_bytes=self._output,
            input_bytes=self._input,
            input_recorded="bytes" if self._keeps_input else "counts",
            raw_bytes=self._cast.raw_bytes,
            digest_bytes=self._cast.digest_bytes,
            discarded_bytes=self._discarded,
        )

    def output(self, at: float, data: bytes) -> None:
        """Record what the target sent on standard output."""
        with self._gate:
            self._evidence(_us(at), "o", data)
            self._output += len(data)

    def error(self, at: float, data: bytes) -> None:
        """Record what the target sent on standard error."""
        with self._gate:
            self._evidence(_us(at), "e", data)
            self._output += len(data)

    def input(self, at: float, data: bytes) -> None:
        """Record what the operator sent and the target will be given: bytes, or their number."""
        with self._gate:
            if self._keeps_input:
                self._evidence(_us(at), "i", data)
            else:
                grain = _us(at) // TYPING_GRAIN_US * TYPING_GRAIN_US
                self._cast.note("in", {"at": lines.seconds(grain), "bytes": len(data)})
            self._input += len(data)

    def discarded(self, count: int) -> None:
        """Record that `count` bytes were typed while paused and thrown away."""
        with self._gate:
            self._cast.note("discarded", {"bytes": count})
            self._discarded += count

    def resize(self, at: float, size: Size) -> None:
        """Record the terminal's new size.

        In a storm of them, one that comes sooner than 50 ms after another is written with the
        next event or `tick`, unless a newer one replaces it.
        """
        with self._gate:
            if size == (self._size if self._held is None else self._held[1]):
                return
            self._held = (_us(at), size)
            if _us(at) - self._resized_us >= RESIZE_SPAN_US:
                self._write_held_size()

    def mark(self, at: float, label: str, kind: str = "") -> None:
        """Write a marker; `kind` is one word for what it is about, such as `pause`."""
        with self._gate:
            self._write_held_size()
            if kind:
                self._cast.note("mark", {"kind": kind})
            self._cast.event(_us(at), Code.MARKER, lines.text(label))

    def exit(self, at: float, status: int | None, signal: str | None) -> None:
        """Record how the program on the target ended; both None means it is not known."""
        with self._gate:
            self._write_held_size()
            if signal is not None:
                label = f"ended by signal {lines.plain_term(signal)}"
                self._cast.event(_us(at), Code.MARKER, label)
            if status is not None:
                self._cast.event(_us(at), Code.EXIT, str(status))

    def checkpoint(self, at: float) -> None:
        """Sign everything so far, unless it is signed."""
        if not self.closed:
            with self._gate:
                self._write_held_size()
                if self._cast.weight != self._signed_weight:
                    self._sign(_us(at))

    def tick(self, at: float) -> None:
        """Write a resize that was held back; sign when it is due."""
        if not self.closed:
            with self._gate:
                self._write_held_size()
                if self._cast.weight != self._signed_weight:
                    self._sign_if_due(_us(at))

    def close(self, at: float, reason: str = "channel closed") -> None:
        """Write the end and its signature; idempotent. The next `sync` closes the files.

        On a recorder that failed, this tries once more (space may have been made free) and raises
        OSError when the end can not be written; the files are closed then.
        """
        if not self._gate.close():
            return
        try:
            if self._cast.file.torn:
                self._cast.file.append(lines.BROKEN_LINE_END)
            self._write_held_size()
            end = {"at": at, "reason": lines.text(reason), "ledger": asdict(self.ledger)}
            self._cast.note("end", end)
            self._sign(_us(at))
        except BaseException as error:
            self._shared.health.fail(error)
            for file in self.files:
                file.close()
            raise
        for file in self.files:
            file.retire()

    def _evidence(self, at_us: int, code: str, data: bytes) -> None:
        if self._held is not None:
            self._write_held_size()
        self._cast.evidence(at_us, code, data)
        self._sign_if_due(at_us)

    def _write_held_size(self) -> None:
        if self._held is not None:
            (at_us, size), self._held = self._held, None
            self._size = size
            self._resized_us = at_us
            self._cast.event(at_us, Code.RESIZE, f"{size.columns}x{size.rows}")

    def _sign_if_due(self, at_us: int) -> None:
        policy = self._shared.policy
        if (
            self._cast.weight - self._signed_weight >= policy.checkpoint_bytes
            or at_us - self._signed_us >= policy.checkpoint_s * _SECOND
        ):
            self._sign(at_us)

    def _sign(self, at_us: int) -> None:
        shared, file = self._shared, self._cast.file
        point = shared.signer.checkpoint(
            shared.session, file.name, file.offset, file.sha256, shared.clock()
        )
        file.append(lines.signature(point))
        self._signed_weight = self._cast.weight
        self._signed_us = at_us
        shared.on_checkpoint(point)


class _Gate:
    """Lets in one at a time, nobody after a failure or the end, and remembers a failure inside.

    The end may be written by another thread than the one that records.
    """

    __slots__ = ("_file", "_health", "_lock", "closed")

    def __init__(self, health: Health, file: str) -> None:
        self._health = health
        self._file = file
        self._lock = threading.Lock()
        self.closed = False

    def __enter__(self) -> None:
        self._lock.acquire()
        if self.closed or self._health.failure is not None:
            self._lock.release()
            self._health.require()
            raise RecordingError(f"{self._file} is closed; nothing more can be recorded in it")

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._lock.release()
        if error is not None:
            self._health.fail(error)

    def close(self) -> bool:
        """Let nobody in any more, once whoever is inside has left; False when closed before."""
        with self._lock:
            before, self.closed = self.closed, True
            return not before


def _us(at: float) -> int:
    return round(at * _SECOND)
