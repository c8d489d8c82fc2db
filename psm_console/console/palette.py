"""The command palette: the acts that are possible on the screen in front, by name."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from textual.command import DiscoveryHit, Hit, Hits, Provider

from psm_console.operations.actions import Act, Scope, in_scope

from .acts import written_keys
from .room import Room


class Acts(Provider):
    """Finds acts by title and description."""

    async def discover(self) -> Hits:
        """Everything that can be done here."""
        for act in self._possible():
            yield DiscoveryHit(_name(act), partial(self._run, act), help=act.description)

    async def search(self, query: str) -> Hits:
        """What matches."""
        matcher = self.matcher(query)
        for act in self._possible():
            score = max(matcher.match(_name(act)), matcher.match(act.description) * 0.6)
            if score > 0:
                shown = matcher.highlight(_name(act))
                yield Hit(score, shown, partial(self._run, act), help=act.description)

    def _possible(self) -> Iterator[Act]:
        screen = self.screen
        scopes = (*screen.scopes, Scope.GLOBAL) if isinstance(screen, Room) else (Scope.GLOBAL,)
        for scope in scopes:
            for act in in_scope(scope):
                name = act.method.partition("(")[0]
                if act.palette and screen.check_action(name, ()):
                    yield act

    async def _run(self, act: Act) -> None:
        here = hasattr(self.screen, "action_" + act.method.partition("(")[0])
        await self.app.run_action(act.method, self.screen if here else self.app)


def _name(act: Act) -> str:
    keys = written_keys(act)
    return f"{act.title.rstrip('…')}  {keys}" if keys else act.title.rstrip("…")
