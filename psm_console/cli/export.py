"""Copies of recordings for others: the evidence as it is, or a picture for older players."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import click

from psm_console.domain.text import visible

SIGNERS = "allowed_signers"
_CACHE = ".keys"


def copy_evidence(folder: Path, signers: Path, target: Path) -> None:
    """Copy every file of the recording, and the public keys that verify it, to a new folder."""
    try:
        target.mkdir(mode=0o700)
    except FileExistsError:
        raise click.BadParameter(f"{_shown(target)} is there already; name a new folder") from None
    for file in sorted(folder.iterdir()):
        if file.is_file() and not file.is_symlink() and file.suffix != _CACHE:
            _copy(file, target / file.name)
    _copy(signers, target / SIGNERS)


def write_v2(folder: Path, channel: int | None, target: Path) -> None:
    """Write one channel as asciicast v2; signatures do not survive that."""
    from psm_console.recording.export import export_v2
    from psm_console.recording.recording import Recording

    with Recording.open(folder) as recording:
        number = recording.main_channel if channel is None else channel
        files = {info.number: info.file for info in recording.channels}
    if number not in files:
        raise click.BadParameter(f"there is no channel {number}")
    export_v2(folder / files[number], target)


def _copy(source: Path, target: Path) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with source.open("rb") as content, open(os.open(target, flags, 0o600), "wb") as copy:
        shutil.copyfileobj(content, copy)


def _shown(path: Path) -> str:
    return visible(str(path), 200)
