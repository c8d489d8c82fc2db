"""Reads config.toml: the policy of a home."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import msgspec

from psm_console.domain.policy import InputRecording, Limits, Policy, RecordingPolicy
from psm_console.domain.text import HIDDEN

from .documents import decode, read_toml
from .errors import DocumentError

LARGEST_CONFIG = 1 << 20
YEAR_S = 366 * 86400.0
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\*?")
_LIMITS = Limits()
_RECORDING = RecordingPolicy()
_POLICY = Policy()


class _LimitsTable(msgspec.Struct, forbid_unknown_fields=True):
    idle_s: float = _LIMITS.idle_s
    duration_s: float = _LIMITS.duration_s
    pause_s: float = _LIMITS.pause_s
    warn_s: float = _LIMITS.warn_s
    withheld_bytes: int = _LIMITS.withheld_bytes
    channels: int = _LIMITS.channels


class _RecordingTable(msgspec.Struct, forbid_unknown_fields=True):
    input: InputRecording = _RECORDING.input
    quota_bytes: int = _RECORDING.quota_bytes
    checkpoint_s: float = _RECORDING.checkpoint_s
    checkpoint_bytes: int = _RECORDING.checkpoint_bytes


class _ConfigFile(msgspec.Struct, forbid_unknown_fields=True):
    limits: _LimitsTable = msgspec.field(default_factory=_LimitsTable)
    recording: _RecordingTable = msgspec.field(default_factory=_RecordingTable)
    environment: list[str] = msgspec.field(default_factory=lambda: list(_POLICY.environment))
    notice: str = _POLICY.notice


_RANGES: dict[str, tuple[float, float]] = {
    "limits.idle_s": (0, YEAR_S),
    "limits.duration_s": (0, YEAR_S),
    "limits.pause_s": (0, YEAR_S),
    "limits.warn_s": (0, YEAR_S),
    "limits.withheld_bytes": (1 << 12, 64 << 20),
    "limits.channels": (1, 100),
    "recording.quota_bytes": (0, 1 << 50),
    # What a crash may leave unsigned is promised to be 10 s or 1 MiB at most.
    "recording.checkpoint_s": (0.1, 10),
    "recording.checkpoint_bytes": (1 << 12, 1 << 20),
}
"""The least and greatest value of each number; 0 switches a time limit off."""


def load_policy(path: Path) -> Policy:
    """Return the policy in `path`; what it does not say, or no file at all, means the defaults.

    Raises DocumentError, whose sentence names the path of the fault.
    """
    try:
        file = decode(read_toml(path, LARGEST_CONFIG), _ConfigFile)
    except FileNotFoundError:
        return Policy()
    for place in _RANGES:
        _check_range(file, place)
    for number, pattern in enumerate(file.environment):
        if not _VARIABLE.fullmatch(pattern):
            raise DocumentError(
                f"environment[{number}]: expected a variable's name, with * at its end at most"
            )
    if HIDDEN.search(file.notice.replace("\n", "")) or len(file.notice) > 2000:
        raise DocumentError("notice: expected up to 2000 characters of plain text")
    return _policy(file)


def _check_range(file: _ConfigFile, place: str) -> None:
    table, _, field = place.partition(".")
    value = getattr(getattr(file, table), field)
    least, greatest = _RANGES[place]
    if not least <= value <= greatest:
        raise DocumentError(f"{place}: expected {least:g} to {greatest:g}, got {value:g}")


def _policy(file: _ConfigFile) -> Policy:
    return replace(
        _POLICY,
        limits=Limits(**msgspec.structs.asdict(file.limits)),
        recording=RecordingPolicy(**msgspec.structs.asdict(file.recording)),
        environment=tuple(file.environment),
        notice=file.notice,
    )
