"""SFTP version 3 without I/O: what a client does to files, out of the bytes of its channel."""

from __future__ import annotations

from .conversation import Conversation
from .events import (
    Answer,
    Answered,
    Asked,
    Closed,
    Fault,
    FileEvent,
    Forward,
    Refused,
    SftpEvent,
    Side,
    Summed,
    Transferred,
)

__all__ = [
    "Answer",
    "Answered",
    "Asked",
    "Closed",
    "Conversation",
    "Fault",
    "FileEvent",
    "Forward",
    "Refused",
    "SftpEvent",
    "Side",
    "Summed",
    "Transferred",
]
