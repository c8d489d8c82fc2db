"""A stand with people who visit it: who watches, who reviews, who only works on targets."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from psm_console.broker.visit.visit import Visit
from psm_console.credentials import ensure_signers, public_line
from psm_console.domain.inventory import Identity, Inventory, Role
from psm_console.domain.policy import ConsolePolicy
from psm_console.store import AuditEntry
from tests.support.waiting import eventually_sync

from .stand import Stand

WATCHES = frozenset({Role.SUPERVISOR, Role.REVIEWER, Role.AUDITOR})


class House(Stand):
    """`sue` may watch, order, replay and audit; `ana` works on db1; `pat` does both."""

    def __enter__(self) -> House:
        super().__enter__()
        ensure_signers(self.home.allowed_signers, public_line(self.home.recording_key))
        return self

    def inventory(self) -> Inventory:
        """What applies at the start."""
        found = super().inventory()
        key = (self.client.public_line,)
        pat = Identity("pat", WATCHES | {Role.OPERATOR}, key)
        grants = tuple(
            dataclasses.replace(grant, id=f"g-{name}", operator=name)  # type: ignore[arg-type]
            for grant in found.grants
            for name in ("ana", "pat")
        )
        people = {**found.identities, "sue": Identity("sue", WATCHES, key), "pat": pat}
        return dataclasses.replace(found, identities=people, grants=grants)

    def visit(
        self, command: str | None, *options: str, user: str = "sue"
    ) -> subprocess.CompletedProcess[bytes]:
        """Run `ssh OPTIONS user@broker command` between pipes."""
        return self.client.run(user, command, options=options)

    def make_of(self, name: str, roles: frozenset[Role] | None) -> None:
        """Give an identity other roles, or None: offboard it."""
        inventory = self.inventory()
        people = dict(inventory.identities)
        if roles is None:
            del people[name]
            grants = tuple(grant for grant in inventory.grants if grant.operator != name)
            inventory = dataclasses.replace(inventory, grants=grants)
        else:
            people[name] = dataclasses.replace(people[name], roles=roles)
        self.apply(dataclasses.replace(inventory, identities=people))

    @contextmanager
    def console_policy(self, policy: ConsolePolicy) -> Iterator[None]:
        """Let another policy hold for visits that begin in the block."""
        file = self.broker.running.worker._policy_file
        before = file.policy
        file.policy = dataclasses.replace(before, console=policy)
        try:
            yield
        finally:
            file.policy = before

    def visits(self) -> list[Visit]:
        """The visits that go on."""
        return self.broker.ask(lambda: list(self.broker.running.worker.visitors.visits))

    def child(self) -> int:
        """The process of the only visit, once there is one."""
        return (
            eventually_sync(
                lambda: next((visit.pid for visit in self.visits() if visit.pid), None),
                what="the process of a visit",
            )
            or 0
        )

    def nobody_left(self) -> None:
        """Wait until no visit goes on."""
        eventually_sync(lambda: not self.visits(), what="the end of all visits")

    def noted(self, action: str, by: str | None = None) -> list[AuditEntry]:
        """The audit entries of that name, oldest first."""
        return self.read(lambda store: store.audit.list(action=action, actor=by))
