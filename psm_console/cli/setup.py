"""`psm init`, `apply`, `serve`, `console` and `demo`: what one does to a home as a whole."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from psm_console.store import Home

from .context import Invocation, now
from .output import is_terminal, say, to_json

DEFAULT_LISTEN = "127.0.0.1:2222"


@click.command()
@click.pass_obj
def init(invocation: Invocation) -> None:
    """Make the home: keys, store, the identity `local`. Does no harm when it is there."""
    from psm_console.operations import init as make

    made = make(invocation.home, now())
    say(f"The home is {made.home.root}{'' if made.created else ', as it was'}.")
    say(f"Its host key, for known_hosts: {made.host_key} ({made.host_key_fingerprint})")
    if made.created:
        say("Next: write an inventory, `psm apply inventory.toml`, then `psm serve`.")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_obj
def apply(invocation: Invocation, file: Path) -> None:
    """Make the inventory equal to FILE (TOML). Sessions whose right is gone are ended."""
    from psm_console.operations import apply as make_equal
    from psm_console.operations import read_inventory_file

    wanted = read_inventory_file(file)
    with invocation.store() as (store, actor):
        done = make_equal(store, actor, wanted, now())
    for sign, names in (("+", done.added), ("~", done.changed), ("-", done.removed)):
        for name in names:
            say(f"{sign} {name}")
    for order in done.ended:
        say(f"ending session {order.session}: {order.reason}")
    if done.nothing:
        say("The inventory is as declared already.")


@click.command()
@click.option(
    "--listen", default=DEFAULT_LISTEN, show_default=True, metavar="HOST:PORT", help="Where."
)
@click.option(
    "--ready-json", is_flag=True, help="Print a line of JSON once connections are accepted."
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    metavar="N",
    help="Processes that hold sessions; by default one a core, four at most.",
)
@click.option(
    "--drain-max",
    type=click.FloatRange(0),
    default=0.0,
    metavar="SECONDS",
    help="How long live sessions may go on after SIGTERM, SIGHUP or --replace. "
    "[default: 0, they end at once]",
)
@click.option(
    "--replace", is_flag=True, help="Take over from the broker that runs, which then drains."
)
@click.pass_obj
def serve(
    invocation: Invocation,
    listen: str,
    ready_json: bool,
    workers: int | None,
    drain_max: float,
    replace: bool,
) -> int:
    """Run the broker in the foreground until SIGTERM or SIGINT; SIGHUP renews its workers."""
    import asyncio
    import logging

    from psm_console.broker import Serving, default_workers
    from psm_console.broker import serve as run_broker

    if not sys.platform.startswith("linux"):
        raise click.ClickException("the broker runs on Linux only; the console also on macOS")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")

    def ready(facts: dict[str, object]) -> None:
        if ready_json:
            click.echo(to_json(facts))
            sys.stdout.flush()
        else:
            say(f"The broker listens on {facts['host']}:{facts['port']}.")

    serving = Serving(
        listen=listen,
        workers=workers or default_workers(),
        drain_max_s=drain_max,
        replace=replace,
    )
    return asyncio.run(run_broker(invocation.home, serving, ready))


@click.command()
@click.option("--read-only", is_flag=True, help="Look, but change nothing.")
@click.option("--invitation", default="", hidden=True, help="What the top line says; for demo.")
@click.argument("link", required=False, metavar="[psm://session/ID@T]")
@click.pass_obj
def console(invocation: Invocation, read_only: bool, invitation: str, link: str | None) -> int:
    """Open the console: live sessions, and the library of recordings."""
    if not is_terminal():
        raise click.ClickException("the console needs a terminal; scripts use `psm session ls`")
    with invocation.store() as (_, actor):
        pass
    from psm_console.console import run as run_console

    return run_console(
        invocation.home, actor, read_only=read_only, link=link, invitation=invitation
    )


@click.command()
@click.option("--headless", is_flag=True, help="No console: print where to join, as JSON.")
@click.pass_obj
def demo(invocation: Invocation, headless: bool) -> int:
    """Start everything on this machine, with real sessions to watch; leaves nothing behind."""
    from psm_console.demo.run import run as run_demo

    return run_demo(
        explicit_home=invocation.explicit_home,
        headless=headless,
        prepare=_prepare,
        apply=_apply_to,
        say=say,
    )


def _prepare(home: Home) -> None:
    from psm_console.operations import init as make

    make(home, now())


def _apply_to(home: Home, file: Path) -> None:
    from psm_console.operations import apply as make_equal
    from psm_console.operations import read_inventory_file

    with Invocation(home.root).store() as (store, actor):
        make_equal(store, actor, read_inventory_file(file), now())
