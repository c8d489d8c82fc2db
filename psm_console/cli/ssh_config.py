"""`psm ssh-config`: what a client's configuration needs, so that `ssh root@db1` simply works."""

from __future__ import annotations

import re

import click

from psm_console.credentials import known_hosts_line
from psm_console.domain.names import is_name
from psm_console.operations import WayIn

from .context import Invocation, now
from .output import print_object, say

_DEFAULT = ("127.0.0.1", 2222)
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9])?|[0-9A-Fa-f:]{2,39}")
"""A host name or an address. Not a `%` that ssh expands, no quote, blank, `$` or leading `-`."""
_EVERYWHERE = {"0.0.0.0", "::", ""}


@click.command("ssh-config")
@click.option("--host", metavar="NAME", help="Where clients find the broker.")
@click.option("--port", type=click.IntRange(1, 65535), help="Its port.")
@click.option("--user", metavar="IDENTITY", help="The operator; only their targets are listed.")
@click.option("--known-hosts", is_flag=True, help="Print the lines for known_hosts instead.")
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON.")
@click.pass_obj
def ssh_config(
    invocation: Invocation,
    host: str | None,
    port: int | None,
    user: str | None,
    known_hosts: bool,
    as_json: bool,
) -> None:
    """Print a stanza for ~/.ssh/config: with it `ssh root@db1` goes through the broker."""
    from psm_console.operations import way_in

    if host is not None and not _HOST.fullmatch(host):
        raise click.BadParameter("expected a host name or an address", param_hint="--host")
    if user is not None and not is_name(user):
        raise click.BadParameter("expected the name of an identity", param_hint="--user")
    with invocation.store() as (store, actor):
        found = way_in(store, actor, now(), operator=user)
    at = _where(host, port, found.listens)
    if as_json:
        print_object(_facts(found, *at), as_json=True)
        return
    if not found.targets:
        say("There is no target to reach; an admin adds targets and grants with `psm apply`.")
    for line in known_lines(found, *at) if known_hosts else stanza(found, *at):
        click.echo(line)
    if not known_hosts:
        say("The lines for known_hosts: the same with --known-hosts, >> ~/.ssh/known_hosts")


def stanza(found: WayIn, host: str, port: int) -> list[str]:
    """Return the lines for ~/.ssh/config. Nothing in them is expanded or run by ssh."""
    alias = "psm"
    while alias in found.targets:
        alias += "-broker"
    lines = [f"Host {alias}", f"    HostName {host}", f"    Port {port}"]
    if found.operator is not None:
        lines.append(f"    User {found.operator}")
    if found.targets:
        lines += ["", f"Host {' '.join(found.targets)}", f"    ProxyJump {alias}"]
    return lines


def known_lines(found: WayIn, host: str, port: int) -> list[str]:
    """Return the lines for known_hosts: the broker's own key, and the CA for the targets alone.

    Not for `*`: the CA shall not be able to vouch for any other host that the client knows.
    """
    place = host if port == 22 else f"[{host}]:{port}"
    patterns = ",".join(found.targets)
    lines = [f"{place} {found.host_key}"]
    return lines + [known_hosts_line(ca, patterns) for ca in found.host_cas if patterns]


def _where(host: str | None, port: int | None, listens: tuple[str, int] | None) -> tuple[str, int]:
    """Return host and port: as given, else where a broker listens now."""
    listening = listens or _DEFAULT
    if host is None and listening[0] in _EVERYWHERE:
        raise click.UsageError("the broker listens on every address; name it with --host")
    return host or listening[0], port or listening[1]


def _facts(found: WayIn, host: str, port: int) -> dict[str, object]:
    return {
        "host": host,
        "port": port,
        "user": found.operator,
        "targets": list(found.targets),
        "stanza": "\n".join(stanza(found, host, port)),
        "known_hosts": known_lines(found, host, port),
    }
