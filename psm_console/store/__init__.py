"""The shared store: home, configuration, SQLite tables and doorbells; all SQL lives here."""

from .audit import AuditEntry, AuditHead, AuditVerdict
from .bells import Bell, Ringer, listen
from .config import load_policy
from .errors import Ambiguous, DocumentError, HomeError, NotFound, StoreBusy, StoreError
from .home import Home
from .recordings import RecordedFile, RecordingInfo
from .store import Store, utc_now
from .thread import StoreThread
from .workers import Worker

__all__ = [
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
