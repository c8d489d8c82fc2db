"""One function an act: authorise, act and audit in one transaction; all that front ends call."""

from .act import Act, Scope
from .actions import ACTIONS, act_named, in_scope
from .audit import list_audit, verify_audit
from .ca import HostCaLines, init_ca, prepare_ca, rotate_ca, show_ca
from .errors import Denied, Failed, Integrity, NotFound, PsmError, Unreachable, Usage, in_words
from .identity import local_identity
from .inventory import (
    Applied,
    add_account,
    add_grant,
    add_identity,
    add_target,
    apply,
    read_inventory,
    remove_account,
    remove_grant,
    remove_identity,
    remove_target,
)
from .inventory_file import grant_id, read_inventory_file
from .permission import may
from .reaching import WayIn, way_in
from .receipts import wait
from .recordings import (
    OpenedRecording,
    VerifiedRecording,
    export_recording,
    list_orphans,
    list_recordings,
    open_recording,
    show_recording,
    trusted_keys,
    verify_folder,
    verify_recording,
)
from .sessions import (
    Watch,
    keep_watching,
    list_directives,
    list_sessions,
    pause,
    resume,
    show_session,
    start_watching,
    stop_watching,
    terminate,
    warn,
)
from .setup import Initialised, init, open_store
from .watching import watch_changes, watch_recording

__all__ = [
    "ACTIONS",
    "Act",
    "Applied",
    "Denied",
    "Failed",
    "HostCaLines",
    "Initialised",
    "Integrity",
    "NotFound",
    "OpenedRecording",
    "PsmError",
    "Scope",
    "Unreachable",
    "Usage",
    "VerifiedRecording",
    "Watch",
    "WayIn",
    "act_named",
    "add_account",
    "add_grant",
    "add_identity",
    "add_target",
    "apply",
    "export_recording",
    "grant_id",
    "in_scope",
    "in_words",
    "init",
    "init_ca",
    "keep_watching",
    "list_audit",
    "list_directives",
    "list_orphans",
    "list_recordings",
    "list_sessions",
    "local_identity",
    "may",
    "open_recording",
    "open_store",
    "pause",
    "prepare_ca",
    "read_inventory",
    "read_inventory_file",
    "remove_account",
    "remove_grant",
    "remove_identity",
    "remove_target",
    "resume",
    "rotate_ca",
    "show_ca",
    "show_recording",
    "show_session",
    "start_watching",
    "stop_watching",
    "terminate",
    "trusted_keys",
    "verify_audit",
    "verify_folder",
    "verify_recording",
    "wait",
    "warn",
    "watch_changes",
    "watch_recording",
    "way_in",
]
