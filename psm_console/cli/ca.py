"""`psm ca`: the host CA, whose line makes every target known to a client."""

from __future__ import annotations

import click

from psm_console.credentials import fingerprint, known_hosts_line

from .context import Invocation, now
from .output import print_object, say

_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def ca() -> None:
    """The host CA: one line at a client, and every target behind the broker is known to it."""


@ca.command("show")
@_json_option
@click.pass_obj
def show(invocation: Invocation, as_json: bool) -> None:
    """Print the line for known_hosts; where the next CA is prepared, both."""
    from psm_console.operations import show_ca

    with invocation.store() as (store, actor):
        found = show_ca(store, actor, now())
    _print(found.current, found.prepared, as_json)


@ca.command("init")
@_json_option
@click.pass_obj
def init(invocation: Invocation, as_json: bool) -> None:
    """Make the host CA where there is none; `psm init` does it for a new home."""
    from psm_console.operations import init_ca

    with invocation.store() as (store, actor):
        found = init_ca(store, actor, now())
    _print(found.current, found.prepared, as_json)


@ca.command("rotate")
@click.option("--reason", metavar="TEXT", help="Why; it is kept in the audit log.")
@click.option(
    "--prepare", is_flag=True, help="Only make the next key, for clients to trust beforehand."
)
@_json_option
@click.pass_obj
def rotate(invocation: Invocation, reason: str | None, prepare: bool, as_json: bool) -> None:
    """Exchange the CA's key at once: for the prepared one, or else for a new one.

    Clients that trust the old line only are warned of a changed host from then on.
    """
    from psm_console.operations import prepare_ca, rotate_ca

    if not prepare and not (reason or "").strip():
        raise click.UsageError("--reason TEXT is needed: clients will notice, and it is kept")
    with invocation.store() as (store, actor):
        if prepare:
            found = prepare_ca(store, actor, now())
        else:
            found = rotate_ca(store, actor, reason or "", now())
    if prepare:
        say("Add the second line at the clients, then `psm ca rotate --reason TEXT`.")
    else:
        say("Replace the old line at the clients by this one.")
    _print(found.current, found.prepared, as_json)


def _print(current: str, prepared: str | None, as_json: bool) -> None:
    if as_json:
        row: dict[str, object] = {
            "public": current,
            "fingerprint": fingerprint(current),
            "known_hosts": known_hosts_line(current),
            "prepared": prepared,
            "prepared_fingerprint": None if prepared is None else fingerprint(prepared),
        }
        print_object(row, as_json=True)
        return
    for line in (current, prepared):
        if line is not None:
            click.echo(known_hosts_line(line))
            say(f"fingerprint {fingerprint(line)}")
