"""The lines of a forward's log: where it led, how it began, how much went each way."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from psm_console.domain.text import visible

from .events import FORWARD_LOG, Header

Side = Literal["operator", "target"]

_SHOWN = 128
"""Hexadecimal digits of first bytes that are shown, where they are text."""
_ODD = 24
"""First bytes that are shown where they are no text."""

_json = msgspec.json.Encoder().encode


def header(value: Header) -> bytes:
    """Return the first line of a log: `to` is the destination, `from` the client's own end."""
    fields: dict[str, object] = {"log": FORWARD_LOG, "timestamp": value.timestamp}
    fields |= {"to": visible(value.command or ""), "from": visible(value.title or "")}
    return _json({**fields, "psm": value.psm}) + b"\n"


def opened(to: str, result: str) -> dict[str, object]:
    """Return what is said of the target's answer."""
    return {"forward": "opened", "to": visible(to), "result": visible(result)}


def first(side: Side, head: bytes, protocol: str) -> dict[str, object]:
    """Return what is said of the bytes that one side began with."""
    said: dict[str, object] = {"forward": "first", "from": side, "hex": head.hex()}
    return said | ({"protocol": protocol} if protocol else {})


def closed(to_target: int, to_operator: int, protocol: str) -> dict[str, object]:
    """Return what is said at the end; the SHA-256 of each way stand in the last `digest` lines."""
    said: dict[str, object] = {"forward": "closed", "to_target": to_target}
    return said | {"to_operator": to_operator, "protocol": protocol or "unknown"}


def shown(fields: dict[str, Any]) -> str:
    """Return a line as a person reads it."""
    match fields.get("forward"):
        case "opened":
            return f"forward to {fields.get('to')}: {fields.get('result')}"
        case "first":
            protocol = fields.get("protocol")
            told = f" ({protocol})" if protocol else ""
            return f"the {fields.get('from')} began{told}: {_dump(fields.get('hex'))}"
        case "closed":
            sent, said = fields.get("to_target"), fields.get("to_operator")
            carried = f"{sent} bytes to the target, {said} to the operator"
            return f"forward closed: {carried}, {fields.get('protocol')}"
        case other:
            return f"forward {other}"


def _dump(digits: object) -> str:
    """Return bytes given in hexadecimal as text, or as they are where they are hardly any."""
    try:
        data = bytes.fromhex(digits[:_SHOWN]) if isinstance(digits, str) else b""
    except ValueError:
        return "?"
    text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "·" for byte in data)
    if text.count("·") * 4 <= len(text):
        return text
    return data[:_ODD].hex(" ") + (" …" if len(data) > _ODD else "")
