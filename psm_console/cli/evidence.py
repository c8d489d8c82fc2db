"""A recording that a command names: by its id, or by the path of its folder or of a cast."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from psm_console.domain.text import visible

from .context import Invocation, now

CHANNEL_FILES = (".cast", ".jsonl")


@dataclass(frozen=True, slots=True)
class Opened:
    """A recording that may be looked at: in the archive (noted there), or a file of one's own."""

    path: Path
    title: str


def open_evidence(invocation: Invocation, named: str) -> Opened:
    """Return what ID or PATH names; looking into the archive is audited first, also by path."""
    from psm_console.operations import open_recording

    path = Path(named)
    archived = archived_id(invocation, path) if is_path(named) else named
    if archived is None:
        if not path.exists():
            raise click.BadParameter(f"there is no file or folder {visible(named, 200)}")
        return Opened(path, path.name)
    with invocation.store() as (store, actor):
        opened = open_recording(store, actor, archived, now())
    session = opened.info.session
    return Opened(opened.folder, f"{opened.info.id}  {session.operator} → {session.account}")


def is_path(named: str) -> bool:
    """Whether `named` is a path and not an id."""
    return "/" in named or named.endswith(CHANNEL_FILES) or named in {".", ".."}


def archived_id(invocation: Invocation, path: Path) -> str | None:
    """Return the id of the recording in our archive that `path` leads into, if it does."""
    invocation.no_path(str(path))
    try:
        inside = path.resolve().relative_to(invocation.home.recordings.resolve())
    except (ValueError, OSError, RuntimeError):
        return None
    return inside.parts[0] if inside.parts else None
