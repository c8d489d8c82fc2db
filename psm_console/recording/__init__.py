"""The evidence of sessions: asciicast v3 written before anything is forwarded, signed as it grows.

Writing: SessionRecorder, ChannelRecorder, Signer. Following a live one: Tail, `live.attach`.
Reading: Recording. Judging: `verify.verify`. docs/recording-format.md is the format.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .cast_check import FileVerdict, VerdictWord
    from .channel import ChannelRecorder
    from .events import Event, Header, RecordingError
    from .facts import Marker
    from .projector import Projector
    from .reader import Position, Tail
    from .recording import ChannelInfo, Recording
    from .signing import Checkpoint, Signer, TrustedKeys
    from .verify import Verdict
    from .writer import Seal, SealedFile, SessionRecorder

__all__ = [
    "ChannelInfo",
    "ChannelRecorder",
    "Checkpoint",
    "Event",
    "FileVerdict",
    "Header",
    "Marker",
    "Position",
    "Projector",
    "Recording",
    "RecordingError",
    "Seal",
    "SealedFile",
    "SessionRecorder",
    "Signer",
    "Tail",
    "TrustedKeys",
    "Verdict",
    "VerdictWord",
]

_HOMES = {
    "cast_check": ("FileVerdict", "VerdictWord"),
    "channel": ("ChannelRecorder",),
    "events": ("Event", "Header", "RecordingError"),
    "facts": ("Marker",),
    "projector": ("Projector",),
    "recording": ("ChannelInfo", "Recording"),
    "reader": ("Position", "Tail"),
    "signing": ("Checkpoint", "Signer", "TrustedKeys"),
    "verify": ("Verdict",),
    "writer": ("Seal", "SealedFile", "SessionRecorder"),
}


def __getattr__(name: str) -> Any:
    # Looked up when asked for: a broker needs no emulator, a console no signing key.
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
