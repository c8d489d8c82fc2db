"""The shared store: home, configuration, SQLite tables and doorbells; all SQL lives here."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .audit import AuditEntry, AuditHead, AuditVerdict
from .bells import Bell, Ringer
from .config import load_policy
from .connection import BUSY_S
from .errors import Ambiguous, DocumentError, HomeError, NotFound, StoreBusy, StoreError
from .home import Home
from .recordings import RecordedFile, RecordingInfo
from .store import Store, utc_now
from .workers import Worker

if TYPE_CHECKING:
    from .listening import listen
    from .thread import StoreThread

__all__ = [
    "BUSY_S",
    "Ambiguous",
    "AuditEntry",
    "AuditHead",
    "AuditVerdict",
    "Bell",
    "DocumentError",
    "Home",
    "HomeError",
    "NotFound",
    "RecordedFile",
    "RecordingInfo",
    "Ringer",
    "Store",
    "StoreBusy",
    "StoreError",
    "StoreThread",
    "Worker",
    "listen",
    "load_policy",
    "utc_now",
]

_WITH_ASYNCIO = {"listen": "listening", "StoreThread": "thread"}


def __getattr__(name: str) -> Any:
    # asyncio is a sixth of what a listing command takes to start, and it never needs it.
    if name in _WITH_ASYNCIO:
        return getattr(import_module(f"{__name__}.{_WITH_ASYNCIO[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
