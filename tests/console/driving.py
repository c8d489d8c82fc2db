"""Drives the console in a test: keys in, what stands on the screen out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from textual.pilot import Pilot

from psm_console.console.app import ConsoleApp
from psm_console.console.link import Link
from psm_console.domain.inventory import Identity
from psm_console.store import NotFound
from tests.console.stage import Stage
from tests.support.waiting import eventually

ENVIRON = {"LANG": "C.UTF-8", "TERM": "xterm-256color", "HOME": "/nonexistent"}


class Console:
    """A running console and its keyboard."""

    def __init__(self, app: ConsoleApp, pilot: Pilot[int]) -> None:
        self.app = app
        self.pilot = pilot

    @property
    def lines(self) -> list[str]:
        """What stands on the screen, line by line."""
        strips = self.app.screen._compositor.render_strips()
        return [strip.text for strip in strips]

    @property
    def text(self) -> str:
        """What stands on the screen."""
        return "\n".join(self.lines)

    async def press(self, *keys: str) -> None:
        """Press keys."""
        await self.pilot.press(*keys)

    async def types(self, text: str) -> None:
        """Type printable text."""
        await self.pilot.press(*("space" if letter == " " else letter for letter in text))

    async def shows(self, text: str, *, within_s: float = 30.0) -> None:
        """Wait until `text` stands on the screen."""
        await self._until(lambda: text in self.text, f"“{text}” on the screen", within_s)

    async def hides(self, text: str) -> None:
        """Wait until `text` is nowhere on the screen."""
        await self._until(lambda: text not in self.text, f"“{text}” gone from the screen", 10.0)

    async def becomes(self, condition: Callable[[], object], what: str) -> None:
        """Wait for something that can not be read on the screen."""
        await self._until(condition, what, 10.0)

    async def _until(self, condition: Callable[[], object], what: str, within_s: float) -> None:
        try:
            await eventually(condition, within_s=within_s, what=what)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.text}") from None


@asynccontextmanager
async def console(
    stage: Stage,
    size: tuple[int, int] = (120, 40),
    *,
    actor: Identity | None = None,
    read_only: bool = False,
    link: str | None = None,
    environ: dict[str, str] | None = None,
    theme_places: tuple[Path, ...] | None = None,
) -> AsyncIterator[Console]:
    """Run the console of a stage."""
    app = ConsoleApp(
        stage.home,
        actor or stage.actor,
        read_only=read_only,
        link=Link.parse(link) if link else None,
        environ=environ or ENVIRON,
        theme_places=theme_places,
    )
    async with app.run_test(size=size, notifications=True) as pilot:
        beating = asyncio.create_task(_beat(stage))
        try:
            yield Console(app, pilot)
        finally:
            beating.cancel()


async def _beat(stage: Stage) -> None:
    """Keep the stage's broker alive, until a test retires it."""
    while True:
        with suppress(NotFound):
            stage.beat()
        await asyncio.sleep(1)
