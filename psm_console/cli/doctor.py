"""`psm doctor`: looks the home over, and says what to do."""

from __future__ import annotations

import click

from psm_console.domain.text import visible

from .context import Invocation, now
from .output import say, to_json

_GLYPHS = {"ok": "✔", "warning": "!", "broken": "✘"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_obj
def doctor(invocation: Invocation, as_json: bool) -> int:
    """Check keys, policy, disk, store, audit log, credentials and the newest recordings.

    Exit status 0 unless something is broken; a warning leaves it 0.
    """
    from psm_console.operations.doctor import Health, examine

    findings = examine(invocation.home, now())
    if as_json:
        rows = [{"check": f.check, "health": f.health.value, "said": f.said} for f in findings]
        click.echo(to_json(rows, indent=2))
    else:
        for one in findings:
            word = f"{_GLYPHS[one.health]} {one.health}"
            click.echo(f"{word:<10} {one.check:<12} {visible(one.said)}")
    broken = sum(one.health is Health.BROKEN for one in findings)
    if broken:
        say(f"{broken} of {len(findings)} checks found something broken.")
    return 1 if broken else 0
