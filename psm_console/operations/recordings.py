"""The archive: listed, opened (which is noted first), verified."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from psm_console.domain.authorise import Action
from psm_console.domain.inventory import Identity
from psm_console.store import Home, RecordingInfo, Store

from .errors import Failed, told
from .permission import require

if TYPE_CHECKING:
    from psm_console.recording import TrustedKeys, Verdict


@dataclass(frozen=True, slots=True)
class OpenedRecording:
    """A recording that may be looked at now."""

    info: RecordingInfo
    folder: Path


@dataclass(frozen=True, slots=True)
class VerifiedRecording:
    """A recording and the word on it; `info` is None for a folder that the store does not know."""

    id: str
    verdict: Verdict
    info: RecordingInfo | None


@told
def list_recordings(
    store: Store,
    actor: Identity,
    now: datetime,
    *,
    live_only: bool = False,
    operator: str | None = None,
    target: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    text: str | None = None,
    limit: int | None = None,
) -> list[RecordingInfo]:
    """Return recordings oldest first; the filters are those of `store.recordings.list`."""
    require(store, actor, Action.RECORDING_LIST, now)
    return store.recordings.list(live_only, operator, target, since, until, text, limit)


@told
def show_recording(store: Store, actor: Identity, recording: str, now: datetime) -> RecordingInfo:
    """Return what the store knows of a recording, by id or unique prefix; not its content."""
    require(store, actor, Action.RECORDING_LIST, now)
    return store.recordings.get(recording)


@told
def open_recording(store: Store, actor: Identity, recording: str, now: datetime) -> OpenedRecording:
    """Note in the audit log that `actor` looks, then say where the recording is.

    Nothing of its content may be shown before this has returned.
    """
    return _look(store, actor, recording, Action.RECORDING_OPEN, now)


@told
def export_recording(
    store: Store, actor: Identity, recording: str, now: datetime
) -> OpenedRecording:
    """Note in the audit log that `actor` takes a copy, then say where the recording is."""
    return _look(store, actor, recording, Action.RECORDING_EXPORT, now)


def _look(
    store: Store, actor: Identity, recording: str, action: Action, now: datetime
) -> OpenedRecording:
    info = store.recordings.get(recording)
    known = require(store, actor, action, now, session=info.session)
    store.audit.append(now, action, known.name, on_behalf_of=known.owner, session=info.id)
    folder = store.home.recording(info.id)
    if not folder.is_dir():
        raise Failed(f"the recording {info.id} is missing from {store.home.recordings}")
    return OpenedRecording(info, folder)


@told
def verify_recording(
    store: Store, actor: Identity, recording: str, now: datetime
) -> VerifiedRecording:
    """Say in one word whether a recording is what was written; the word is noted."""
    info = store.recordings.get(recording)
    known = require(store, actor, Action.RECORDING_VERIFY, now, session=info.session)
    verdict = judge(store, info)
    if not store.read_only:
        store.audit.append(
            now,
            "recording.verify",
            known.name,
            on_behalf_of=known.owner,
            session=info.id,
            detail={"verdict": str(verdict.word)},
        )
    return VerifiedRecording(info.id, verdict, info)


@told
def verify_folder(home: Home, folder: Path) -> Verdict:
    """Judge a recording outside the archive by this home's trusted keys; nothing is noted."""
    from psm_console.recording.verify import verify

    return verify(folder, trusted=trusted_keys(home))


@told
def list_orphans(store: Store, actor: Identity, now: datetime) -> list[Path]:
    """Return the folders in the archive that the store knows nothing of."""
    require(store, actor, Action.RECORDING_VERIFY, now)
    known = {info.id for info in store.recordings.list()}
    try:
        folders = sorted(store.home.recordings.iterdir())
    except OSError as error:
        raise Failed(f"{store.home.recordings} can not be read: {error.strerror}") from None
    return [folder for folder in folders if folder.name not in known]


@told
def trusted_keys(home: Home) -> TrustedKeys:
    """Return the keys whose signatures count here."""
    from psm_console.recording import RecordingError, TrustedKeys

    try:
        return TrustedKeys.read(home.allowed_signers)
    except RecordingError as error:
        raise Failed(str(error)) from None


def judge(store: Store, info: RecordingInfo) -> Verdict:
    """Hold a recording against all that the store and the audit log know of it."""
    from psm_console.recording.verify import verify

    return verify(
        store.home.recording(info.id),
        trusted=trusted_keys(store.home),
        known=store.recordings.known(info.id),
        closed_digest=_closing_digest(store, info),
    )


def _closing_digest(store: Store, info: RecordingInfo) -> str | None:
    """Return the digest as the chained audit log has it; the recording's own row can be edited.

    A recording is closed once: of several entries the first counts.
    """
    noted = store.audit.list(session=info.id, action="recording.close")
    if noted and isinstance(noted[0].detail, str) and noted[0].detail:
        return noted[0].detail
    return info.digest
