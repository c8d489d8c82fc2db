"""`psm` for a visitor: started by the broker for who came over ssh as an identity alone.

`python -I -m psm_console.cli.visitor DESCRIPTOR` reads the broker's order from an inherited pipe,
gives up all that a visit does not need, and only then looks at what the visitor typed.
"""

from __future__ import annotations

import fcntl
import os
import sys
import termios
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import click

from psm_console import __version__
from psm_console.confinement import (
    ConfinementError,
    ProcessLimits,
    confine,
    die_with,
    filter_calls,
    limit,
    shed_capabilities,
)
from psm_console.operations import VISITOR_COMMANDS, PsmError, VisitOrder, permitted
from psm_console.operations.visitor_reach import visitor_reach
from psm_console.store import Home

from .context import Invocation
from .main import psm, run
from .output import say

_LARGEST_ORDER = 1 << 16


def main() -> NoReturn:
    """Serve one visit and exit with the status of what was asked for."""
    order = _read_order(int(sys.argv[1]))
    try:
        words = permitted(order.words)
        _settle(order)
    except (ConfinementError, PsmError) as error:
        say(f"psm: {error}")
        sys.exit(error.exit_code if isinstance(error, PsmError) else 1)
    sys.exit(run(visitor_program(), list(words), obj=Invocation(Path(order.home), order.identity)))


def _read_order(descriptor: int) -> VisitOrder:
    with open(descriptor, "rb") as pipe:
        return VisitOrder.decode(pipe.read(_LARGEST_ORDER))


def _settle(order: VisitOrder) -> None:
    """Take the terminal; give up the rest. Raises `ConfinementError`."""
    if os.isatty(0):
        # The broker made us a session's leader; a hang-up and ^C reach us through this terminal.
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    limit(ProcessLimits())
    shed_capabilities()
    home = Home(Path(order.home))
    abi = confine(visitor_reach(home))
    filter_calls()
    die_with(order.broker)
    if abi:
        _check_out_of_reach(home)
    elif order.require_confinement:
        raise ConfinementError(
            "this kernel has no Landlock, and the policy wants it for consoles over ssh; tell an "
            "admin"
        )


def _check_out_of_reach(home: Home) -> None:
    """Look that the keys are: a home inside of Python's own folders would lie open."""
    for secret in (home.host_key, home.recording_key):
        with suppress(OSError):
            os.close(os.open(secret, os.O_RDONLY | os.O_CLOEXEC))
            raise ConfinementError(
                "the broker's keys can be read from here; its home must not lie in Python's folders"
            )


def visitor_program() -> click.Group:
    """Return `psm` with the commands that are for visitors, and without its options."""
    program = click.Group("psm", help=_HELP, context_settings=psm.context_settings)
    click.version_option(__version__, prog_name="psm")(program)
    for name, command in psm.commands.items():
        if isinstance(command, click.Group):
            verbs = {v: one for v, one in command.commands.items() if (name, v) in VISITOR_COMMANDS}
            if verbs:
                program.add_command(click.Group(name, commands=verbs, help=command.help))
        elif (name,) in VISITOR_COMMANDS:
            program.add_command(command)
    return program


_HELP = """A privileged session manager that lives in the terminal, over ssh.

Without a command, and on a terminal (ssh -t), the console opens.
"""


if __name__ == "__main__":
    main()
