"""One request of an SFTP client, understood: what is asked, of which path or handle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from .wire import Cursor, MalformedError, Type


class Op(StrEnum):
    """What a request asks for."""

    OPEN = "open"
    CLOSE = "close"
    READ = "read"
    WRITE = "write"
    STAT = "stat"
    SETSTAT = "setstat"
    OPENDIR = "opendir"
    READDIR = "readdir"
    REMOVE = "remove"
    MKDIR = "mkdir"
    RMDIR = "rmdir"
    REALPATH = "realpath"
    RENAME = "rename"
    READLINK = "readlink"
    SYMLINK = "symlink"
    """`path` is the new link, `other` what it points to."""
    LINK = "link"
    """A hard link: `path` exists, `other` is new."""
    COPY = "copy"
    """On the target, from `handle` to `other_handle`: the bytes do not pass here."""
    SYNC = "sync"
    STATVFS = "statvfs"
    LIMITS = "limits"
    EXPAND = "expand"
    NAMES = "names"
    UNKNOWN = "unknown"
    """Nobody can say what it does, so it is not passed on."""


READ_FLAG, WRITE_FLAG = 1, 2
WRITING = 0x02 | 0x04 | 0x08 | 0x10
"""Flags of an open that change a file: write, append, create, truncate."""
_FLAGS = {1: "read", 2: "write", 4: "append", 8: "create", 16: "truncate", 32: "exclusive"}
_SIZE, _OWNER, _MODE, _TIMES, _MORE = 0x01, 0x02, 0x04, 0x08, 0x80000000

Facts = tuple[tuple[str, int | str], ...]
"""What else an operation says, in the order in which it is shown."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request; the fields that its `op` has no use for are empty."""

    id: int
    op: Op
    path: bytes | None = None
    other: bytes | None = None
    handle: bytes | None = None
    other_handle: bytes | None = None
    flags: int = 0
    offset: int = 0
    count: int = 0
    data: bytes = b""
    facts: Facts = ()


def parse(packet: bytes) -> Request:
    """Return the request in `packet` (without its length); raises MalformedError."""
    cursor = Cursor(packet)
    kind = cursor.byte()
    reader = _READERS.get(kind)
    if reader is None:
        raise MalformedError(f"a client does not send packets of type {kind}")
    return reader(cursor.u32(), cursor)


def open_mode(flags: int) -> str:
    """Return the flags of an open in words."""
    return " ".join(word for flag, word in _FLAGS.items() if flags & flag) or "nothing"


def _open(request: int, cursor: Cursor) -> Request:
    path, flags = cursor.string(), cursor.u32()
    mode = tuple(fact for fact in _attributes(cursor) if fact[0] == "mode")
    facts = (("for", open_mode(flags)), *mode)
    return Request(request, Op.OPEN, path=path, flags=flags, facts=facts)


def _read(request: int, cursor: Cursor) -> Request:
    handle, offset, count = cursor.string(), cursor.u64(), cursor.u32()
    return Request(request, Op.READ, handle=handle, offset=offset, count=count)


def _write(request: int, cursor: Cursor) -> Request:
    handle, offset, data = cursor.string(), cursor.u64(), cursor.string()
    return Request(request, Op.WRITE, handle=handle, offset=offset, data=data)


def _symlink(request: int, cursor: Cursor) -> Request:
    # OpenSSH has these the other way round than the draft, and everybody follows it.
    target, link = cursor.string(), cursor.string()
    return Request(request, Op.SYMLINK, path=link, other=target)


def _mkdir(request: int, cursor: Cursor) -> Request:
    path = cursor.string()
    mode = tuple(fact for fact in _attributes(cursor) if fact[0] == "mode")
    return Request(request, Op.MKDIR, path=path, facts=mode)


def _setstat(request: int, cursor: Cursor) -> Request:
    return Request(request, Op.SETSTAT, path=cursor.string(), facts=_attributes(cursor))


def _fsetstat(request: int, cursor: Cursor) -> Request:
    return Request(request, Op.SETSTAT, handle=cursor.string(), facts=_attributes(cursor))


def _copy(request: int, cursor: Cursor) -> Request:
    source, offset, count = cursor.string(), cursor.u64(), cursor.u64()
    target, into = cursor.string(), cursor.u64()
    facts = (("offset", offset), ("bytes", count), ("into_offset", into))
    return Request(request, Op.COPY, handle=source, other_handle=target, facts=facts)


def _attributes(cursor: Cursor) -> Facts:
    """Return what ATTRS would set."""
    flags = cursor.u32()
    found: list[tuple[str, int | str]] = []
    if flags & _SIZE:
        found.append(("size", cursor.u64()))
    if flags & _OWNER:
        found += [("uid", cursor.u32()), ("gid", cursor.u32())]
    if flags & _MODE:
        found.append(("mode", f"{cursor.u32():o}"))
    if flags & _TIMES:
        found += [("atime", cursor.u32()), ("mtime", cursor.u32())]
    if flags & _MORE:
        for _ in range(cursor.u32()):
            cursor.string()
            cursor.string()
    return tuple(found)


_Reader = Callable[[int, Cursor], Request]


def _of_path(op: Op) -> _Reader:
    return lambda request, cursor: Request(request, op, path=cursor.string())


def _of_paths(op: Op) -> _Reader:
    return lambda request, cursor: Request(request, op, path=cursor.string(), other=cursor.string())


def _of_handle(op: Op) -> _Reader:
    return lambda request, cursor: Request(request, op, handle=cursor.string())


def _of_nothing(op: Op) -> _Reader:
    return lambda request, _: Request(request, op)


_EXTENSIONS: dict[bytes, _Reader] = {
    b"posix-rename@openssh.com": _of_paths(Op.RENAME),
    b"hardlink@openssh.com": _of_paths(Op.LINK),
    b"statvfs@openssh.com": _of_path(Op.STATVFS),
    b"fstatvfs@openssh.com": _of_handle(Op.STATVFS),
    b"fsync@openssh.com": _of_handle(Op.SYNC),
    b"lsetstat@openssh.com": _setstat,
    b"limits@openssh.com": _of_nothing(Op.LIMITS),
    b"expand-path@openssh.com": _of_path(Op.EXPAND),
    b"home-directory": _of_nothing(Op.EXPAND),
    b"users-groups-by-id@openssh.com": _of_nothing(Op.NAMES),
    b"copy-data": _copy,
}


def _extended(request: int, cursor: Cursor) -> Request:
    name = cursor.string()
    reader = _EXTENSIONS.get(name)
    if reader is not None:
        return reader(request, cursor)
    said = name[:64].decode("ascii", "backslashreplace")
    return Request(request, Op.UNKNOWN, facts=(("extension", said),))


_READERS: dict[int, _Reader] = {
    Type.OPEN: _open,
    Type.CLOSE: _of_handle(Op.CLOSE),
    Type.READ: _read,
    Type.WRITE: _write,
    Type.LSTAT: _of_path(Op.STAT),
    Type.FSTAT: _of_handle(Op.STAT),
    Type.SETSTAT: _setstat,
    Type.FSETSTAT: _fsetstat,
    Type.OPENDIR: _of_path(Op.OPENDIR),
    Type.READDIR: _of_handle(Op.READDIR),
    Type.REMOVE: _of_path(Op.REMOVE),
    Type.MKDIR: _mkdir,
    Type.RMDIR: _of_path(Op.RMDIR),
    Type.REALPATH: _of_path(Op.REALPATH),
    Type.STAT: _of_path(Op.STAT),
    Type.RENAME: _of_paths(Op.RENAME),
    Type.READLINK: _of_path(Op.READLINK),
    Type.SYMLINK: _symlink,
    Type.EXTENDED: _extended,
}
