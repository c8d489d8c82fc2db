"""The recordings that the demo's Library holds from the start: real ones, made beforehand.

They were signed by the broker that recorded them. Its public key comes with them, so they verify
here as they did there; nothing about them is written anew.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec

import psm_console
from psm_console.credentials import ensure_signers
from psm_console.domain.inventory import LOCAL
from psm_console.domain.session import Session
from psm_console.store import Home, RecordingInfo, Store, utc_now

INDEX = "index.json"
PUBLIC_KEY = "recording_key.pub"


def samples() -> Path | None:
    """Return the folder of sample sessions: in an installed wheel, or beside the package."""
    package = Path(psm_console.__file__).parent
    for folder in (package / "_data" / "sample_sessions", package.parent / "sample_sessions"):
        if (folder / INDEX).is_file():
            return folder
    return None


def fill(home: Home) -> int:
    """Put the sample sessions into the home's library; return how many there are."""
    folder = samples()
    if folder is None:
        return 0
    infos = msgspec.json.decode((folder / INDEX).read_bytes(), type=list[RecordingInfo])
    ensure_signers(home.allowed_signers, (folder / PUBLIC_KEY).read_text().strip())
    for info in infos:
        _copy(folder / info.id, home.recording(info.id))
    with Store.open(home) as store, store.transaction():
        for info in infos:
            _enter(store, info)
    return len(infos)


def _copy(source: Path, folder: Path) -> None:
    folder.mkdir(mode=0o700)
    for file in sorted(source.iterdir()):
        shutil.copyfile(file, folder / file.name)
        (folder / file.name).chmod(0o600)


def _enter(store: Store, info: RecordingInfo) -> None:
    session: Session = info.session
    store.sessions.begin(session)
    for file in info.files:
        store.recordings.add_file(session.id, file.name, file.kind, file.opened_at)
        if file.offset is not None and file.sha256 and file.checkpoint_at and file.signature:
            store.recordings.checkpoint(
                session.id,
                file.name,
                file.offset,
                file.sha256,
                file.checkpoint_at,
                file.signature,
            )
    if info.closed_at is not None and info.digest is not None:
        store.recordings.close(
            session.id,
            info.closed_at,
            info.digest,
            info.duration_s or 0.0,
            info.sealed,
            info.size_bytes or 0,
        )
    detail = {"digest": info.digest, "from": "sample_sessions"}
    store.audit.append(utc_now(), "recording.import", LOCAL, session=session.id, detail=detail)
