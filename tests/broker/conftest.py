"""The stand that broker tests work at; one for a module, as each costs an sshd and a broker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .asking import forgive
from .jumper import Jumper
from .stand import Stand


@pytest.fixture(scope="module")
def shared_stand() -> Iterator[Stand]:
    """A broker with default limits, started once for a module."""
    with Stand() as running:
        yield running


@pytest.fixture
def stand(shared_stand: Stand) -> Iterator[Stand]:
    """The module's broker, with no session of an earlier test."""
    yield shared_stand
    shared_stand.tidy()


@pytest.fixture
def jumper(stand: Stand) -> Iterator[Jumper]:
    """ana's client through a jump; what a test does to the inventory is undone."""
    # Refusals past a ration are counted only; each test shall find its own in the log.
    stand.broker.ask(stand.broker.running.worker.refusals._known.clear)
    forgive(stand)
    yield Jumper(stand)
    stand.apply(stand.inventory())
