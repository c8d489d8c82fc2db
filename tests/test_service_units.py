"""The systemd units in docs/ name options, files and words that exist."""

from __future__ import annotations

import configparser
import shlex
from pathlib import Path

import click

from psm_console.cli.setup import serve

UNITS = Path(__file__).parent.parent / "docs" / "systemd"


def unit(name: str) -> configparser.ConfigParser:
    """Read a unit file: sections of NAME=VALUE."""
    read = configparser.ConfigParser(interpolation=None, strict=True)
    read.optionxform = str  # type: ignore[assignment,method-assign]
    read.read_string((UNITS / name).read_text())
    return read


def test_the_service_starts_psm_serve_with_options_that_it_has() -> None:
    program, command, *options = shlex.split(unit("psm.service")["Service"]["ExecStart"])
    assert (Path(program).name, command) == ("psm", "serve")
    context = click.Context(serve, obj=None)
    serve.parse_args(context, options)
    assert context.params["drain_max"] > 0


def test_systemd_waits_longer_than_the_broker_drains() -> None:
    service = unit("psm.service")["Service"]
    drained = float(shlex.split(service["ExecStart"])[-1])
    # Ends in order take the worker some seconds after that.
    assert float(service["TimeoutStopSec"]) >= drained + 30
    assert service["KillMode"] == "mixed" and service["Type"] == "notify"


def test_the_service_takes_the_socket_of_the_socket_unit() -> None:
    assert unit("psm.service")["Unit"]["Requires"] == "psm.socket"
    assert unit("psm.socket")["Socket"]["ListenStream"] == "2222"
