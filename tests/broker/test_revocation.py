"""What is taken away while somebody works, or while they are about to."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path
from unittest import mock

import asyncssh
import pytest

from psm_console.domain.inventory import Inventory
from psm_console.domain.session import LIVE_STATES, Outcome, Verb
from psm_console.store import Store, StoreError
from psm_console.store.directives import DirectiveRows
from psm_console.store.inventory import InventoryRows
from tests.support.sshd import write_key
from tests.support.waiting import eventually_sync

from .stand import Stand

pytestmark = pytest.mark.attack


@pytest.fixture(autouse=True)
def fresh_inventory(stand: Stand) -> None:
    """Each test starts from the same inventory."""
    stand.apply(stand.inventory())


def with_key(inventory: Inventory, line: str) -> Inventory:
    ana = dataclasses.replace(inventory.identities["ana"], keys=(line,))
    return dataclasses.replace(inventory, identities={"ana": ana})


async def test_a_key_removed_after_the_login_opens_no_session(stand: Stand, tmp_path: Path) -> None:
    """A client may log in, wait, and open its first channel when the key is known as stolen."""
    async with stand.enter() as connection:
        stand.apply(with_key(stand.inventory(), write_key(tmp_path / "new")))
        with pytest.raises(asyncssh.ChannelOpenError, match="key"):
            await connection.run("id")


def test_a_key_removed_while_its_session_lives_ends_it(stand: Stand, tmp_path: Path) -> None:
    process = stand.popen("echo up; cat")
    assert process.stdout and process.stdout.readline() == b"up\n"
    stand.apply(with_key(stand.inventory(), write_key(tmp_path / "new")))

    assert process.wait(10) == 254
    assert "key" in (stand.last().end_reason or "")


def test_a_grant_that_vanishes_without_an_order_ends_the_session(stand: Stand) -> None:
    """`apply` gives the order; a session that began in the same moment is not in its list."""
    process = stand.popen("echo up; cat")
    assert process.stdout and process.stdout.readline() == b"up\n"
    stand.apply(dataclasses.replace(stand.inventory(), grants=()))

    assert process.wait(10) == 254
    assert "has no grant" in (stand.last().end_reason or "")


def test_an_unrelated_change_leaves_a_session_alone(stand: Stand) -> None:
    process = stand.popen("cat")
    stand.session()
    inventory = stand.inventory()
    other = dataclasses.replace(inventory.identities["ana"], name="other", keys=())
    stand.apply(dataclasses.replace(inventory, identities=inventory.identities | {"other": other}))

    assert stand.client.run(stand.user, "echo in").stdout == b"in\n"
    assert process.communicate(b"whole", timeout=10)[0] == b"whole"


@pytest.mark.fault
def test_no_session_starts_on_an_inventory_that_could_not_be_read_again(stand: Stand) -> None:
    stand.client.run(stand.user, "true")
    with mock.patch.object(InventoryRows, "version", side_effect=StoreError("away")):
        refused = stand.client.run(stand.user, "id")

    assert refused.returncode == 255 and refused.stdout == b""
    assert not [s for s in stand.sessions() if s.state in LIVE_STATES]


@pytest.mark.fault
def test_an_order_whose_claim_could_not_be_stored_is_carried_out_later(stand: Stand) -> None:
    """Two orders, and the store fails at the second claim: the first must not be lost."""
    process = stand.popen("echo up; cat")
    assert process.stdout and process.stdout.readline() == b"up\n"
    session = stand.session()
    claim, calls = DirectiveRows.claim, [0]

    def failing(self: DirectiveRows, *arguments: object) -> bool:
        calls[0] += 1
        if calls[0] == 2:
            raise StoreError("the disk hiccups")
        return claim(self, *arguments)  # type: ignore[arg-type]

    with mock.patch.object(DirectiveRows, "claim", failing), Store.open(stand.home) as store:
        with store.transaction():
            given = [stand.make(session, verb) for verb in (Verb.PAUSE, Verb.RESUME)]
            for one in given:
                store.directives.add(one)
        answers = [stand.answer(one) for one in given]
    assert [one.outcome for one in answers] == [Outcome.DONE, Outcome.DONE]
    assert process.communicate(b"whole", timeout=10)[0] == b"whole"


@pytest.mark.fault
def test_a_mistake_while_obeying_ends_that_session_and_the_broker_goes_on_obeying(
    stand: Stand,
) -> None:
    process = stand.popen("echo up; cat")
    assert process.stdout and process.stdout.readline() == b"up\n"
    session = stand.session()
    driver = stand.broker.running.worker.sessions[session.id]
    with mock.patch.object(driver.relays[1], "hold_input", side_effect=[ValueError("odd"), None]):
        stand.give(session, Verb.PAUSE)
        assert process.wait(10) == 254
    again = stand.popen("echo up; cat")
    assert again.stdout and again.stdout.readline() == b"up\n"
    assert stand.order(stand.session(), Verb.TERMINATE).outcome is Outcome.DONE


@pytest.mark.fault
def test_a_key_line_that_can_not_be_read_locks_out_its_owner_only(stand: Stand) -> None:
    inventory = stand.inventory()
    broken = dataclasses.replace(
        inventory.identities["ana"], name="bob", keys=("ssh-ed25519 AAAAnonsense",)
    )
    stand.apply(dataclasses.replace(inventory, identities=inventory.identities | {"bob": broken}))

    assert stand.client.run(stand.user, "echo in").stdout == b"in\n"
    process = stand.popen("echo up; cat")
    assert process.stdout and process.stdout.readline() == b"up\n"
    assert stand.order(stand.session(), Verb.TERMINATE).outcome is Outcome.DONE
    eventually_sync(lambda: process.poll() == 254)


async def test_a_session_that_begins_while_the_broker_stops_is_ended_too(stand: Stand) -> None:
    worker = stand.broker.running.worker
    async with stand.enter() as connection:
        stand.broker.ask(lambda: setattr(worker, "stopping", "the broker is stopping"))
        try:
            with pytest.raises(asyncssh.ChannelOpenError, match="stopping"):
                await asyncio.wait_for(connection.run("id"), 10)
        finally:
            stand.broker.ask(lambda: setattr(worker, "stopping", None))
