"""The program `psm`: its groups of commands, and the one door by which errors leave."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from psm_console import __version__
from psm_console.credentials import CredentialError
from psm_console.domain.text import visible
from psm_console.operations import PsmError, in_words
from psm_console.store import StoreError

from . import audit, ca, doctor, inventory, recordings, sessions, setup, ssh_config
from .context import Invocation
from .output import say

INTERRUPTED = 130
_SENTENCES = {"DemoError", "ListenError", "RecordingError", "ServeError", "SuccessionError"}


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--home",
    type=click.Path(path_type=Path),
    help="The home directory; else PSM_HOME, else the user's data directory.",
)
@click.version_option(__version__, prog_name="psm")
@click.pass_context
def psm(context: click.Context, home: Path | None) -> None:
    """A privileged session manager that lives in the terminal.

    Operators work on targets through a broker that records every session; supervisors watch,
    pause, warn and end them here. `psm demo` shows all of it on one machine.
    """
    context.obj = Invocation(home)


for command in (setup.init, setup.apply, setup.serve, setup.console, setup.demo):
    psm.add_command(command)
psm.add_command(sessions.session)
psm.add_command(recordings.recording)
psm.add_command(inventory.target)
psm.add_command(inventory.account)
psm.add_command(inventory.identity)
psm.add_command(audit.audit)
psm.add_command(doctor.doctor)
psm.add_command(ca.ca)
psm.add_command(ssh_config.ssh_config)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run `psm` and exit; whatever goes wrong is said in a sentence on stderr."""
    sys.exit(run(psm, None if arguments is None else list(arguments)))


def run(program: click.Group, arguments: list[str] | None, **context: Any) -> int:
    """Run `program`, return the exit status; `context` is what click's context is made with."""
    # Lone surrogates in arguments or file names must not turn a sentence into a traceback.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    if sys.platform == "win32":
        say("psm runs on Linux, its console also on macOS; on Windows use it inside WSL.")
        return 1
    try:
        result = program.main(arguments, prog_name="psm", standalone_mode=False, **context)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except BrokenPipeError:
        # Whoever read our output has had enough; nothing more may be flushed at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (KeyboardInterrupt, click.Abort):
        say("Interrupted.")
        return INTERRUPTED
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        return _usage(error)
    except Exception as error:
        return _fault(error)


def _usage(error: click.ClickException) -> int:
    context = getattr(error, "ctx", None)
    if context is not None:
        say(context.get_usage())
    say(f"psm: {error.format_message()}")
    return error.exit_code


def _fault(error: Exception) -> int:
    """Say what went wrong; sentences of ours as they are, anything else by its kind."""
    told = _told(error)
    if told is not None:
        say(f"psm: {told.sentence}")
        return told.exit_code
    if isinstance(error, OSError):
        where = f" ({visible(str(error.filename))})" if error.filename else ""
        say(f"psm: {error.strerror or error}{where}")
        return 1
    say(f"psm: a fault of our own, please report it: {type(error).__name__}: {error}")
    if os.environ.get("PSM_DEBUG"):
        say("".join(traceback.format_exception(error)))
    else:
        say("PSM_DEBUG=1 shows where it happened.")
    return 1


def _told(error: Exception) -> PsmError | None:
    """Return an error whose text is a sentence for people, from whichever room it comes."""
    if isinstance(error, PsmError):
        return error
    if isinstance(error, (StoreError, CredentialError)):
        return in_words(error)
    # Rooms that are not loaded can not have raised: their errors are known by name, not imported.
    if type(error).__name__ in _SENTENCES and type(error).__module__.startswith("psm_console."):
        return in_words(error)
    return None
