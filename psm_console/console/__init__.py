"""The console: what an analyst sees. The only place that imports Textual."""

from __future__ import annotations

from psm_console.domain.inventory import Identity
from psm_console.store import Home

__all__ = ["run"]


def run(
    home: Home,
    actor: Identity,
    *,
    read_only: bool = False,
    link: str | None = None,
    invitation: str = "",
) -> int:
    """Run the console of `home` for `actor` until they leave; return the exit code.

    `link` is `psm://session/ID` or `psm://session/ID@SECONDS`. `invitation` is what to type
    elsewhere to take part in a demo; the top line shows it where there is room. Raises PsmError
    with a sentence when there is no terminal to draw on, or the link is none.
    """
    from .start import start

    return start(home, actor, read_only=read_only, link=link, invitation=invitation)
