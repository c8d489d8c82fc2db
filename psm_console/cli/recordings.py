"""`psm recording`: find recordings, look at them, and prove that they are what was written."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from psm_console.domain.blind_spots import unseen
from psm_console.domain.text import visible

from .context import Invocation, chosen_format, filters, listing, now
from .evidence import CHANNEL_FILES, archived_id, is_path, open_evidence
from .ledger import print_channels
from .output import Column, field, print_listing, print_object, say, size, span
from .records import channel_row, recording_row

if TYPE_CHECKING:
    from psm_console.recording import Verdict

_INTEGRITY = 6


@click.group()
def recording() -> None:
    """Recorded sessions: list, replay, print a screen, verify."""


_COLUMNS = (
    field("id"),
    field("started_at"),
    field("operator"),
    Column("account", lambda row: f"{row['account']}@{row['target']}"),
    Column("duration", lambda row: _span(row["duration_s"])),
    Column("size", lambda row: size(row["size_bytes"])),
    field("state"),
    field("end_reason", wide=True),
    field("digest", wide=True),
)


def _span(value: object) -> str:
    return span(value if isinstance(value, (int, float)) else None)


@recording.command("ls")
@listing
@filters
@click.option("--text", help="Only those with these words in names, reason, commands.")
@click.option("--limit", type=click.IntRange(min=1), help="Only this many, the newest.")
@click.pass_obj
def ls(
    invocation: Invocation,
    chosen: str,
    as_json: bool,
    operator: str | None,
    target: str | None,
    since: datetime | None,
    until: datetime | None,
    text: str | None,
    limit: int | None,
) -> None:
    """List recordings, oldest first."""
    from psm_console.operations import list_recordings

    with invocation.store() as (store, actor):
        found = list_recordings(
            store,
            actor,
            now(),
            operator=operator,
            target=target,
            since=since,
            until=until,
            text=text,
            limit=limit,
        )
    rows = [recording_row(info) for info in found]
    print_listing(rows, _COLUMNS, "id", chosen_format(chosen, as_json))


@recording.command("show")
@click.argument("recording_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_obj
def show(invocation: Invocation, recording_id: str, as_json: bool) -> None:
    """Show all that is known of a recording but its content."""
    from psm_console.operations import show_recording

    with invocation.store() as (store, actor):
        info = show_recording(store, actor, recording_id, now())
        folder = store.home.recording(info.id)
    row = recording_row(info) | {"folder": str(folder)}
    channels = info.session.channels
    if not as_json:
        print_object(row, False)
        print_channels(channels)
        return
    ledger = {
        "channels": [channel_row(channel) for channel in channels],
        "blind_spots": unseen(channels),
    }
    print_object(row | ledger, True)


@recording.command("screen")
@click.argument("named", metavar="ID|PATH")
@click.option("--at", type=float, required=True, metavar="SECONDS", help="When.")
@click.option("--channel", type=click.IntRange(min=1), help="Which channel; else the first PTY.")
@click.pass_obj
def screen(invocation: Invocation, named: str, at: float, channel: int | None) -> None:
    """Print the screen as it was at an instant, in seconds since the session began."""
    from .player import print_screen

    print_screen(open_evidence(invocation, named), at, channel)


@recording.command("play")
@click.argument("named", metavar="ID|PATH")
@click.option("--at", type=float, default=0.0, metavar="SECONDS", help="Where to begin.")
@click.option("--speed", type=click.FloatRange(0.25, 16), default=1.0, help="From 0.25 to 16.")
@click.option("--idle", type=click.FloatRange(0.1), metavar="SECONDS", help="Shorten longer rests.")
@click.option("--channel", type=click.IntRange(min=1), help="Which channel; else the first PTY.")
@click.pass_obj
def play(
    invocation: Invocation,
    named: str,
    at: float,
    speed: float,
    idle: float | None,
    channel: int | None,
) -> int:
    """Replay on this terminal: space stops, arrows seek, < > change the speed, q leaves."""
    from .player import Playing, play

    opened = open_evidence(invocation, named)
    return play(opened, Playing(at=at, speed=speed, idle_s=idle, channel=channel))


@recording.command("export")
@click.argument("recording_id", metavar="ID")
@click.argument("target", metavar="PATH", type=click.Path(path_type=Path))
@click.option(
    "--as",
    "kind",
    type=click.Choice(["evidence", "v2"]),
    default="evidence",
    help="All of it, still verifiable; or one channel as asciicast v2, for older players.",
)
@click.option("--channel", type=click.IntRange(min=1), help="Which channel, for v2.")
@click.pass_obj
def export(
    invocation: Invocation, recording_id: str, target: Path, kind: str, channel: int | None
) -> None:
    """Copy a recording and the keys that verify it to the new folder PATH, or a channel as v2."""
    from psm_console.operations import export_recording

    from .export import copy_evidence, write_v2

    with invocation.store() as (store, actor):
        opened = export_recording(store, actor, recording_id, now())
        signers = store.home.allowed_signers
    if kind == "evidence":
        copy_evidence(opened.folder, signers, target)
    else:
        write_v2(opened.folder, channel, target)
    click.echo(visible(str(target)))


@recording.command("verify")
@click.argument("named", metavar="[ID|PATH]", required=False)
@click.option("--all", "everything", is_flag=True, help="Every recording, and what is not one.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_obj
def verify(invocation: Invocation, named: str | None, everything: bool, as_json: bool) -> int:
    """Say in one word whether a recording is what was written: exit status 0 only for OK.

    OK, INCOMPLETE, TRUNCATED, CORRUPT, BAD-SIGNATURE, MISSING, ORPHAN or KEY-UNKNOWN.
    """
    if everything == (named is not None):
        raise click.UsageError("name a recording, or --all")
    rows = _verify_all(invocation) if named is None else [_verify_one(invocation, named)]
    if everything:
        columns = (field("id"), field("verdict"), field("detail"))
        print_listing(rows, columns, "id", chosen_format("table", as_json))
    elif as_json:
        print_object(rows[0], True)
    else:
        click.echo(visible(str(rows[0]["verdict"])))
        if rows[0]["detail"]:
            say(str(rows[0]["detail"]))
    return 0 if all(row["verdict"] == "OK" for row in rows) else _INTEGRITY


def _verify_one(invocation: Invocation, named: str) -> dict[str, object]:
    from psm_console.operations import verify_folder, verify_recording

    path = Path(named)
    archived = archived_id(invocation, path) if is_path(named) else named
    if archived is None:
        folder = path.parent if path.suffix in CHANNEL_FILES else path
        verdict = verify_folder(invocation.home, folder)
        return _verdict_row(visible(named, 200), verdict)
    with invocation.store() as (store, actor):
        found = verify_recording(store, actor, archived, now())
    return _verdict_row(found.id, found.verdict)


def _verify_all(invocation: Invocation) -> list[dict[str, object]]:
    from psm_console.operations import list_orphans, list_recordings, verify_recording

    with invocation.store() as (store, actor):
        found = [
            verify_recording(store, actor, info.id, now())
            for info in list_recordings(store, actor, now())
        ]
        orphans = list_orphans(store, actor, now())
    rows = [_verdict_row(one.id, one.verdict) for one in found]
    return rows + [
        {"id": folder.name, "verdict": "ORPHAN", "detail": "the store knows nothing of it"}
        for folder in orphans
    ]


def _verdict_row(name: str, verdict: Verdict) -> dict[str, object]:
    return {
        "id": name,
        "verdict": str(verdict.word),
        "detail": verdict.detail,
        "files": [
            {"name": file.name, "verdict": str(file.word), "detail": file.detail}
            for file in verdict.files
        ],
    }
