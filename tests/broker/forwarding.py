"""Forwards through a stand: what is listed, a client of them, and what their log says."""

from __future__ import annotations

import json
import os
import select
import subprocess
from dataclasses import replace
from typing import Any

from psm_console.domain.session import Session

from .stand import Stand


def allow(stand: Stand, *forwards: str) -> None:
    """List `forwards` for the target."""
    inventory = stand.inventory()
    target = replace(inventory.targets["db1"], forwards=forwards)
    stand.apply(replace(inventory, targets={"db1": target}))


def through(stand: Stand, port: int) -> subprocess.Popen[bytes]:
    """Connect our pipes to a port as the target sees it (`ssh -W`)."""
    return stand.popen("", options=["-W", f"127.0.0.1:{port}"])


def said(stand: Stand, session: Session, number: int = 1) -> list[dict[str, Any]]:
    """The JSON lines of a forward's log, its header first."""
    log = stand.recording(session) / f"{number}-forward.jsonl"
    return [json.loads(line) for line in log.read_bytes().split(b"\n") if line.startswith(b"{")]


def blocks(stand: Stand, session: Session, code: str) -> list[dict[str, Any]]:
    """What the log says of the blocks that went one way."""
    log = stand.recording(session) / "1-forward.jsonl"
    found = [
        json.loads(line[13:])
        for line in log.read_bytes().split(b"\n")
        if line[:13] == b"# psm digest "
    ]
    return [block for block in found if block["code"] == code]


def read(process: subprocess.Popen[bytes], count: int) -> bytes:
    """Read `count` bytes from the client, or what comes before its end."""
    assert process.stdout is not None
    data = bytearray()
    while len(data) < count:
        assert select.select([process.stdout], [], [], 20)[0], "nothing comes"
        piece = os.read(process.stdout.fileno(), count - len(data))
        if not piece:
            break
        data += piece
    return bytes(data)


def send(process: subprocess.Popen[bytes], data: bytes) -> None:
    assert process.stdin is not None
    process.stdin.write(data)
    process.stdin.flush()
