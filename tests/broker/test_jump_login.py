"""Who gets through an outer connection, by which name, and as whom."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest

from psm_console.domain.inventory import Account, Grant, Identity, Role
from psm_console.domain.names import AccountRef, GrantId
from psm_console.domain.second_step import Step
from tests.support.sshd import write_key
from tests.support.waiting import eventually, eventually_sync

from .asking import Answering, asked, code
from .jumper import Jumper
from .stand import Stand


def audited(stand: Stand, action: str) -> list[str]:
    """What the audit log says of `action`: who and what, oldest first."""
    entries = stand.read(lambda store: store.audit.list(action=action))
    return [f"{entry.actor}: {entry.detail}" for entry in entries]


async def test_another_key_of_the_same_identity_opens_the_inner_connection(
    stand: Stand, jumper: Jumper, tmp_path: Path
) -> None:
    second = write_key(tmp_path / "second")
    inventory = stand.inventory()
    ana = inventory.identities["ana"]
    identities = {"ana": replace(ana, keys=(*ana.keys, second))}
    stand.apply(replace(inventory, identities=identities))

    async with (
        await jumper.outer() as outer,
        await jumper.inner(outer, key=tmp_path / "second") as inner,
    ):
        assert (await inner.run("echo in")).stdout == "in\n"


async def test_inside_is_asked_only_what_was_not_answered_outside(
    stand: Stand, jumper: Jumper, tmp_path: Path
) -> None:
    """A code lets in once, at the outer login; the reason is the inner session's."""
    stand.apply(asked(stand, tmp_path, Step.TOTP, Step.REASON))
    prompts: list[str] = []

    def answer(asked_for: Sequence[str]) -> list[str]:
        prompts.extend(asked_for)
        return [code() if "code" in prompt else "disk full" for prompt in asked_for]

    async with (
        await jumper.outer(Answering(answer)) as outer,
        await jumper.inner(outer, client=Answering(answer)) as inner,
    ):
        assert (await inner.run("echo in")).stdout == "in\n"

    assert prompts == ["One-time code: ", "Reason: "]
    assert (await asyncio.to_thread(stand.last)).reason == "disk full"


@pytest.mark.attack
async def test_a_key_of_somebody_else_proves_nothing_inside_anas_connection(
    stand: Stand, jumper: Jumper, tmp_path: Path
) -> None:
    bo = Identity("bo", frozenset({Role.OPERATOR}), (write_key(tmp_path / "bo"),))
    inventory = stand.inventory()
    grants = (*inventory.grants, Grant(GrantId("g-bo"), "bo", stand.ref))
    identities = {**inventory.identities, "bo": bo}
    stand.apply(replace(inventory, identities=identities, grants=grants))

    async with await jumper.outer() as outer:
        for user in (stand.sshd.user, f"bo+{stand.ref}", f"{stand.ref}", "bo"):
            with pytest.raises(asyncssh.PermissionDenied):
                await jumper.inner(outer, user, key=tmp_path / "bo")

    refused = await asyncio.to_thread(audited, stand, "login.refuse")
    assert any("inside the connection of ana to db1" in line for line in refused)
    assert not stand.sessions()


@pytest.mark.attack
async def test_the_inner_name_is_an_account_and_names_no_operator(
    stand: Stand, jumper: Jumper
) -> None:
    async with await jumper.outer() as outer:
        for user in (
            stand.user,
            str(stand.ref),
            f"ana+{stand.sshd.user}",
            "ROOT",
            "ro ot",
            "..",
            "",
        ):
            with pytest.raises((asyncssh.PermissionDenied, asyncssh.ConnectionLost)):
                await jumper.inner(outer, user)


_ALIASES = [
    ("DB1", 22),
    ("Db1", 22),
    ("db1.", 22),
    ("db1 ", 22),
    (" db1", 22),
    ("db1\x00", 22),
    ("db1\n", 22),
    ("db1.example.com", 22),
    ("db1:22", 22),
    ("[db1]", 22),
    ("db1/../db1", 22),
    ("root@db1", 22),
    ("127.0.0.1", 22),
    ("2130706433", 22),
    ("0x7f000001", 22),
    ("0177.0.0.1", 22),
    ("127.1", 22),
    ("localhost", 22),
    ("::1", 22),
    ("::ffff:127.0.0.1", 22),
    ("fe80::1%lo", 22),
    ("ｄｂ１", 22),
    ("dƄ1", 22),
    ("xn--db1-0000", 22),
    ("db\u200b1", 22),
    ("db1", 23),
    ("db1", 0),
    ("db1", 65558),
    ("db9", 22),
    ("*", 22),
    ("", 22),
]


@pytest.mark.attack
async def test_only_the_inventorys_own_spelling_of_a_target_leads_to_it(
    stand: Stand, jumper: Jumper
) -> None:
    before = len(audited(stand, "channel.refuse"))
    async with await jumper.outer() as outer:
        for host, port in _ALIASES:
            with pytest.raises(asyncssh.ChannelOpenError):
                await outer.open_connection(host, port)
        # The connection is as good as before, and the name itself still leads there.
        reader, writer = await outer.open_connection("db1", 22)
        assert (await reader.readline()).startswith(b"SSH-2.0-")
        writer.close()
        reader, writer = await outer.open_connection("db1", stand.sshd.port)
        assert (await reader.readline()).startswith(b"SSH-2.0-")
        writer.close()

    def noted() -> int:
        refused = stand.broker.ask(lambda: stand.broker.running.worker.refusals.missed)
        return len(audited(stand, "channel.refuse")) - before + refused

    await eventually(lambda: noted() >= len(_ALIASES), what="every refusal to be counted")


@pytest.mark.attack
async def test_a_target_that_may_not_be_reached_is_refused_as_one_that_does_not_exist(
    stand: Stand, jumper: Jumper
) -> None:
    inventory = stand.inventory()
    other = replace(inventory.targets["db1"], name="db2")
    ref = AccountRef("root", "db2")
    account = Account(ref, inventory.accounts[stand.ref].credential)
    stand.apply(
        replace(
            inventory,
            targets={**inventory.targets, "db2": other},
            accounts={**inventory.accounts, ref: account},
        )
    )
    said = []
    async with await jumper.outer() as outer:
        for host in ("db2", "db9"):
            with pytest.raises(asyncssh.ChannelOpenError) as refused:
                await outer.open_connection(host, 22)
            said.append((refused.value.code, refused.value.reason.replace(host, "X")))
    assert said[0] == said[1]
    assert "name it exactly as it is in the inventory" in said[0][1]


async def test_a_grant_or_key_that_was_taken_away_opens_nothing_through_an_old_connection(
    stand: Stand, jumper: Jumper, tmp_path: Path
) -> None:
    inventory = stand.inventory()
    async with await jumper.outer() as outer:
        async with await jumper.inner(outer) as inner:
            assert (await inner.run("echo in")).stdout == "in\n"
        stand.apply(replace(inventory, grants=()))
        await _refused(outer)
        other = replace(inventory.identities["ana"], keys=(write_key(tmp_path / "new"),))
        stand.apply(replace(inventory, identities={"ana": other}))
        await _refused(outer)
        stand.apply(inventory)


async def _refused(outer: asyncssh.SSHClientConnection) -> None:
    # The store's bell or the look-up of the opening itself brings the change, whichever is first.
    with pytest.raises(asyncssh.ChannelOpenError, match="no target db1 that you may reach"):
        await outer.open_connection("db1", 22)


@pytest.mark.attack
async def test_an_inner_connection_leads_no_further(stand: Stand, jumper: Jumper) -> None:
    async with await jumper.outer() as outer, await jumper.inner(outer) as inner:
        with pytest.raises(asyncssh.ChannelOpenError, match="leads no further"):
            await inner.open_connection("db1", 22)
        with pytest.raises(asyncssh.ChannelOpenError):
            await inner.open_connection("127.0.0.1", stand.sshd.port)


@pytest.mark.attack
def test_what_a_session_is_refused_an_inner_one_is_too(stand: Stand, jumper: Jumper) -> None:
    agent = jumper.run("-A", jumper.at, "echo agent=$SSH_AUTH_SOCK.")
    forward = jumper.run("-R", "0:127.0.0.1:1", "-o", "ExitOnForwardFailure=yes", jumper.at, "id")

    assert agent.stdout == b"agent=.\n"
    assert forward.returncode == 255
    eventually_sync(
        lambda: "remote port forwarding" in " ".join(audited(stand, "channel.refuse")),
        what="the refusal in the audit log",
    )
