"""The lines of a channel's log: how they are spelled, and what is shown of them.

A line is a JSON object. Text in it can be looked at in any terminal; where that is not exactly what
a path was, `…_base64` beside it holds its bytes.
"""

from __future__ import annotations

import base64
from typing import Any, assert_never

import msgspec

from psm_console.domain.sftp import Answered, Asked, Closed, FileEvent, Refused, Summed, Transferred
from psm_console.domain.text import visible

from . import forward_log
from .events import FILE_LOG, Code, Header

SHOWN_LIMIT = 500
"""Characters of one line that are shown."""
_SHORT_SHA = 16

_json = msgspec.json.Encoder().encode
_object = msgspec.json.Decoder(dict[str, Any]).decode


def header(value: Header) -> bytes:
    """Return the first line of an sftp channel's log."""
    return _json({"log": FILE_LOG, "timestamp": value.timestamp, "psm": value.psm}) + b"\n"


def line(at: float, fields: dict[str, object]) -> bytes:
    """Return the line of something that happened at `at` seconds."""
    return _json({"at": at, **fields}) + b"\n"


def fields_of(event: FileEvent) -> dict[str, object]:
    """Return what a line says about a file operation."""
    match event:
        case Asked(number, op, path, other, facts):
            return {"n": number, "op": op, **_paths(path, other), **_facts(facts)}
        case Refused(number, op, path, why, other, facts):
            said = {"n": number, "op": op, **_paths(path, other), **_facts(facts)}
            return said | {"refused": why}
        case Answered(number, op, result):
            return {"n": number, "op": op, "result": result}
        case Closed(number, path, result, read, written, entries):
            said = {"n": number, "op": "close", **_paths(path, None), "result": result}
            if entries is not None:
                said["entries"] = entries
            return said | _transferred("read", read) | _transferred("written", written)
        case Summed(requests, held):
            return {"op": "summary", "requests": dict(requests), "unpassed": held}
        case _:
            assert_never(event)


def _paths(path: bytes, other: bytes | None) -> dict[str, object]:
    return _path("path", path) | ({} if other is None else _path("other", other))


def _path(name: str, path: bytes) -> dict[str, object]:
    shown = visible(path.decode("utf-8", "backslashreplace"))
    if shown.encode() == path:
        return {name: shown}
    return {name: shown, f"{name}_base64": base64.b64encode(path).decode()}


def _facts(facts: tuple[tuple[str, int | str], ...]) -> dict[str, object]:
    return {name: visible(value, 200) if isinstance(value, str) else value for name, value in facts}


def _transferred(name: str, done: Transferred | None) -> dict[str, object]:
    if done is None:
        return {}
    said: dict[str, object] = {"bytes": done.bytes, "offset": done.offset}
    said |= {"sha256": done.sha256} if done.sha256 is not None else {"order": "not sequential"}
    return {name: said | ({"failed": done.failed} if done.failed else {})}


def decode(given: bytes) -> tuple[float, str, str] | None:
    """Return time in seconds, code and text of a log's line; None for what is none."""
    try:
        fields = _object(given)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    at = fields.pop("at", None)
    if isinstance(at, bool) or not isinstance(at, int | float):
        return None
    if isinstance(mark := fields.get("mark"), str):
        return at, Code.MARKER, mark
    if isinstance(status := fields.get("exit"), int):
        return at, Code.EXIT, str(min(max(status, -1), 1 << 32))
    if isinstance(said := fields.get("stderr"), str):
        return at, Code.ERROR, visible(said, SHOWN_LIMIT) + "\n"
    if isinstance(fields.get("forward"), str):
        return at, Code.OUTPUT, visible(forward_log.shown(fields), SHOWN_LIMIT) + "\n"
    if not isinstance(fields.get("op"), str):
        return None
    return at, Code.OUTPUT, _shown(fields) + "\n"


def _shown(fields: dict[str, Any]) -> str:
    """Return an operation as a person reads it."""
    number, op = fields.pop("n", ""), fields.pop("op", "")
    words = [f"{number!s:>4} {op!s}"]
    for name, value in fields.items():
        match name:
            case "path":
                words.append(str(value))
            case "other":
                words.append(f"→ {value}")
            case "result":
                words.append(f"· {value}")
            case "read" | "written" if isinstance(value, dict):
                words.append(f"· {name} {_amount(value)}")
            case "requests" if isinstance(value, dict):
                words.append("· " + ", ".join(f"{count} {word}" for word, count in value.items()))
            case _ if not name.endswith("_base64"):
                words.append(f"· {name} {value}")
    return visible(" ".join(words), SHOWN_LIMIT)


def _amount(done: dict[str, Any]) -> str:
    words = [f"{done.get('bytes')} bytes"]
    if done.get("offset"):
        words.append(f"from {done['offset']}")
    sha = done.get("sha256")
    words.append(f"sha256 {sha[:_SHORT_SHA]}…" if isinstance(sha, str) else "not sequential")
    if done.get("failed"):
        words.append(f"{done['failed']} failed")
    return ", ".join(words)
