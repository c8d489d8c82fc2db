"""What the kernel says of a process."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path


def is_gone(process: int) -> bool:
    """Whether no such process is there; one that nobody has asked about counts as gone."""
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return status.rpartition(")")[2].split()[0] == "Z"


def environment_of(process: int) -> dict[str, str]:
    """What a process was started with."""
    lines = Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
    pairs: Sequence[tuple[bytes, bytes, bytes]] = [line.partition(b"=") for line in lines if line]
    return {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs}
