"""Follows the two streams of one SFTP channel. Bytes in, events out; it never raises.

What can not be followed is a Fault, after which nothing passes: a stream whose packets nobody here
understands could carry anything to the target unseen.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from psm_console.domain.policy import SftpPolicy

from .events import (
    Answer,
    Answered,
    Asked,
    Fault,
    FileEvent,
    Forward,
    Refused,
    SftpEvent,
    Side,
    Summed,
)
from .requests import Op, Request, parse
from .rules import PATH_LIMIT, Rules
from .transfer import NEVER_CLOSED, OpenFile
from .wire import VERSION, Cursor, MalformedError, Packets, Status, Type, packed, status_packet

OUTSTANDING_LIMIT = 4096
"""Requests without their answer at most."""
REFUSED_LIMIT = 100_000
"""Refusals on one channel at most: each is a line in the recording, and costs the client little."""
HANDLE_LIMIT = 1024
"""Files and folders open at once."""
HANDLE_BYTES = 256
"""Bytes of a handle at most, as the draft has it."""

_RECORDED = frozenset(
    {
        Op.OPEN,
        Op.OPENDIR,
        Op.REMOVE,
        Op.MKDIR,
        Op.RMDIR,
        Op.RENAME,
        Op.SYMLINK,
        Op.LINK,
        Op.SETSTAT,
        Op.COPY,
    }
)
"""Operations that are events of their own; the rest is counted."""
_ANSWERS: dict[Op, Type] = {
    Op.OPEN: Type.HANDLE,
    Op.OPENDIR: Type.HANDLE,
    Op.READ: Type.DATA,
    Op.STAT: Type.ATTRS,
    Op.READDIR: Type.NAME,
    Op.REALPATH: Type.NAME,
    Op.READLINK: Type.NAME,
    Op.EXPAND: Type.NAME,
    Op.STATVFS: Type.EXTENDED_REPLY,
    Op.LIMITS: Type.EXTENDED_REPLY,
    Op.NAMES: Type.EXTENDED_REPLY,
}
"""What may answer a request, beside a status."""


class _LimitError(Exception):
    """It is understood, and more than can be kept in mind; the text is a sentence."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A request that was passed on."""

    op: Op
    number: int
    path: bytes
    file: OpenFile | None
    offset: int
    count: int
    append: bool


class Conversation:
    """One SFTP channel, from the client's first byte."""

    def __init__(self, policy: SftpPolicy) -> None:
        self._rules = Rules(policy)
        self._packets = {side: Packets() for side in Side}
        self._files: dict[bytes, OpenFile] = {}
        self._waiting: dict[int, _Waiting] = {}
        self._opening = self._refused = 0
        self._init = self._version = self._broken = False
        self._counts: Counter[str] = Counter()
        self.operations = 0
        """Operations and refusals so far."""

    def feed(self, side: Side, data: bytes) -> list[SftpEvent]:
        """Take the next bytes from one side; return what comes of them, in order."""
        found: list[SftpEvent] = []
        if self._broken:
            return found
        packets = self._packets[side]
        packets.add(data)
        take = self._asked if side is Side.OPERATOR else self._said
        try:
            while (packet := packets.next()) is not None:
                take(packet, found)
        except MalformedError as error:
            who = "client" if side is Side.OPERATOR else "target"
            self._end(side, f"the {who} does not speak SFTP version 3: {error}", found)
        except _LimitError as error:
            self._end(side, str(error), found)
        return found

    def _end(self, side: Side, sentence: str, found: list[SftpEvent]) -> None:
        self._broken = True
        found.append(Fault(side, sentence))

    def finish(self) -> list[FileEvent]:
        """Return the ends of what is still open, and the sum of all; nothing passes after."""
        self._broken = True
        files, self._files = self._files, {}
        held = sum(packets.held for packets in self._packets.values())
        summed = Summed(tuple(sorted(self._counts.items())), held)
        return [*(file.closed(NEVER_CLOSED) for file in files.values()), summed]

    # From the operator

    def _asked(self, packet: bytes, found: list[SftpEvent]) -> None:
        if not self._init:
            found.append(Forward(Side.OPERATOR, self._begun(packet)))
            return
        request = parse(packet[4:])
        self._counts[request.op] += 1
        if request.id in self._waiting:
            raise MalformedError("two requests have the same number")
        refusal = self._refusal(request)
        if refusal is not None:
            self._refuse(request, *refusal, found)
            return
        if len(self._waiting) >= OUTSTANDING_LIMIT:
            raise _LimitError(f"more than {OUTSTANDING_LIMIT} requests wait for an answer")
        self._pass(request, found)
        found.append(Forward(Side.OPERATOR, packet))

    def _begun(self, packet: bytes) -> bytes:
        """Return the client's INIT, which must not lead to a version that is not understood."""
        cursor = Cursor(packet[4:])
        if cursor.byte() != Type.INIT:
            raise MalformedError("the first packet is no INIT")
        version = cursor.u32()
        if version < VERSION:
            raise MalformedError(f"it is version {version}")
        self._init = True
        return packet if version == VERSION else packed(Type.INIT, VERSION)

    def _refusal(self, request: Request) -> tuple[Status, str] | None:
        if request.op is Op.UNKNOWN:
            return Status.OP_UNSUPPORTED, "the broker does not know this extension"
        if max(len(request.path or b""), len(request.other or b"")) > PATH_LIMIT:
            return Status.FAILURE, f"the path is longer than {PATH_LIMIT} bytes"
        if b"\0" in (request.path or b"") + (request.other or b""):
            # A target that reads it as far as the NUL would see another path than we do.
            return Status.FAILURE, "the path has a NUL in it"
        why = self._rules.refusal(request)
        if why is not None:
            return Status.PERMISSION_DENIED, why
        for handle in (request.handle, request.other_handle):
            # Handles can be guessed: bytes written to one before it is known would have no path.
            if handle is not None and self._open_file(handle) is None:
                return Status.FAILURE, "no file is open under this handle"
        opens = request.op in (Op.OPEN, Op.OPENDIR)
        if opens and len(self._files) + self._opening >= HANDLE_LIMIT:
            return Status.FAILURE, f"{HANDLE_LIMIT} files are open, and that is the limit"
        return None

    def _refuse(self, request: Request, status: Status, why: str, found: list[SftpEvent]) -> None:
        path, other = self._names(request)
        facts = request.facts
        self._refused += 1
        if self._refused > REFUSED_LIMIT:
            raise _LimitError(f"more than {REFUSED_LIMIT} requests were refused")
        self.operations += 1
        found.append(
            Refused(
                self.operations,
                request.op,
                path[:PATH_LIMIT],
                why,
                None if other is None else other[:PATH_LIMIT],
                facts,
            )
        )
        found.append(Answer(status_packet(request.id, status, why)))

    def _pass(self, request: Request, found: list[SftpEvent]) -> None:
        """Note what is asked, before it is passed on."""
        path, other = self._names(request)
        file = self._open_file(request.handle)
        number = 0
        if request.op in _RECORDED:
            self.operations += 1
            number = self.operations
            found.append(Asked(number, request.op, path, other, request.facts))
        match request.op:
            case Op.OPEN | Op.OPENDIR:
                self._opening += 1
            case Op.WRITE if file is not None:
                file.written.take(file.place(request.offset), request.data)
            case Op.CLOSE if file is not None:
                file.closing = True
            case Op.COPY if (into := self._open_file(request.other_handle)) is not None:
                into.written.spoil()
        append = bool(request.flags & 4)
        self._waiting[request.id] = _Waiting(
            request.op, number, path, file, request.offset, request.count, append
        )

    def _names(self, request: Request) -> tuple[bytes, bytes | None]:
        """Return the paths that a request is about, also when it names them by handles."""
        path, other = request.path, request.other
        if path is None:
            file = self._files.get(request.handle or b"")
            path = b"" if file is None else file.path
        if request.other_handle is not None:
            file = self._files.get(request.other_handle)
            other = b"" if file is None else file.path
        return path, other

    def _open_file(self, handle: bytes | None) -> OpenFile | None:
        file = None if handle is None else self._files.get(handle)
        return None if file is None or file.closing else file

    # From the target

    def _said(self, packet: bytes, found: list[SftpEvent]) -> None:
        cursor = Cursor(packet[4:])
        kind = cursor.byte()
        if not self._version:
            self._versioned(kind, cursor)
        else:
            self._answered(kind, cursor, found)
        found.append(Forward(Side.TARGET, packet))

    def _versioned(self, kind: int, cursor: Cursor) -> None:
        if not self._init or kind != Type.VERSION:
            raise MalformedError("the first packet is no VERSION")
        version = cursor.u32()
        if version != VERSION:
            raise MalformedError(f"it is version {version}")
        self._version = True

    def _answered(self, kind: int, cursor: Cursor, found: list[SftpEvent]) -> None:
        waiting = self._waiting.pop(cursor.u32(), None)
        if waiting is None:
            raise MalformedError("an answer belongs to no request")
        if kind not in (Type.STATUS, _ANSWERS.get(waiting.op)):
            raise MalformedError(f"a packet of type {kind} is no answer to {waiting.op}")
        result = _result(cursor.u32()) if kind == Type.STATUS else "ok"
        if waiting.op in (Op.OPEN, Op.OPENDIR):
            self._opening -= 1
        if waiting.number:
            found.append(Answered(waiting.number, waiting.op, result))
        if kind == Type.STATUS:
            self._status(waiting, result, found)
        else:
            self._content(waiting, cursor)

    def _status(self, waiting: _Waiting, result: str, found: list[SftpEvent]) -> None:
        file = waiting.file
        if file is None:
            return
        match waiting.op:
            case Op.CLOSE:
                self._files = {h: other for h, other in self._files.items() if other is not file}
                found.append(file.closed(result))
            case Op.READ if result not in ("ok", "end of file"):
                file.read.failed += 1
            case Op.WRITE if result != "ok":
                file.written.failed += 1

    def _content(self, waiting: _Waiting, cursor: Cursor) -> None:
        match waiting.op:
            case Op.OPEN | Op.OPENDIR:
                self._opened(waiting, cursor.string())
            case Op.READ if waiting.file is not None:
                data = cursor.string()
                if len(data) > waiting.count:
                    raise MalformedError("it gave more than was asked for")
                waiting.file.read.take(waiting.offset, data)
            case Op.READDIR if waiting.file is not None:
                waiting.file.listed(cursor.u32())
            case Op.REALPATH if self._rules.home is None and waiting.path in (b".", b""):
                if cursor.u32() == 1:
                    self._rules.home = cursor.string()

    def _opened(self, waiting: _Waiting, handle: bytes) -> None:
        if not 0 < len(handle) <= HANDLE_BYTES:
            raise MalformedError(f"a handle has {len(handle)} bytes")
        before = self._files.get(handle)
        if before is not None and not before.closing:
            raise MalformedError("two open files have the same handle")
        folder = waiting.op is Op.OPENDIR
        self._files[handle] = OpenFile(
            waiting.number, waiting.path, folder=folder, append=waiting.append
        )


def _result(code: int) -> str:
    """Return a status in words."""
    if code == Status.EOF:
        return "end of file"
    try:
        return Status(code).name.lower().replace("_", " ")
    except ValueError:
        return f"status {code}"
