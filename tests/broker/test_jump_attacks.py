"""Who gets through an outer connection, under which key, and what an inner one may cost."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest

from psm_console.broker import algorithms
from psm_console.credentials import known_hosts_line, make_key, promote, public_line
from psm_console.domain.inventory import Account, Grant, Identity, Role
from psm_console.domain.names import AccountRef, GrantId
from psm_console.domain.session import Outcome, SessionState, Verb
from tests.support.sshd import write_key
from tests.support.waiting import eventually, eventually_sync

from .jumper import Jumper
from .stand import Stand


def audited(stand: Stand, action: str) -> list[str]:
    """What the audit log says of `action`: who and what, oldest first."""
    entries = stand.read(lambda store: store.audit.list(action=action))
    return [f"{entry.actor}: {entry.detail}" for entry in entries]


# Who may


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


# Host keys, hop by hop


@pytest.mark.attack
def test_the_key_of_each_hop_is_its_own_and_none_stands_for_another(
    stand: Stand, jumper: Jumper
) -> None:
    """CVE-2026-91166: a jump host's key must not be taken for the target's."""
    port = stand.client.port
    broker = f"[127.0.0.1]:{port} {public_line(stand.home.host_key)}"
    wrong = {
        "the broker's own key": f"db1 {public_line(stand.home.host_key)}",
        "the target's own key": f"db1 {stand.sshd.host_key_line}",
        "the CA's key itself": f"db1 {public_line(stand.home.host_ca)}",
        "the CA for another name": known_hosts_line(public_line(stand.home.host_ca), "db2"),
        "nothing": "",
    }
    for what, line in wrong.items():
        jumper.known_hosts.write_text(f"{broker}\n{line}\n")
        done = jumper.run(jumper.at, "id")
        assert done.returncode == 255, what
        assert b"Host key verification failed" in done.stderr, what
    # The certificate is for the one name, whatever the client would take the CA's word for.
    jumper.known_hosts.write_text(
        f"{broker}\n{known_hosts_line(public_line(stand.home.host_ca))}\n"
    )
    aliased = jumper.run("-o", "HostKeyAlias=db2", jumper.at, "id")
    assert (aliased.returncode, aliased.stdout) == (255, b"")
    assert b"Certificate invalid: name is not a listed principal" in aliased.stderr
    assert not stand.sessions()


@pytest.mark.attack
def test_the_target_leg_of_a_jump_still_pins_the_targets_own_key(
    stand: Stand, jumper: Jumper
) -> None:
    inventory = stand.inventory()
    for other in (stand.home.host_key, stand.home.host_ca):
        pinned = replace(inventory.targets["db1"], host_keys=(public_line(other),))
        stand.apply(replace(inventory, targets={"db1": pinned}))

        done = jumper.run(jumper.at, "id")

        assert done.returncode != 0 and done.stdout == b""
        assert b"does not show the host key that is pinned for it" in done.stderr


async def test_a_client_without_certificates_meets_the_same_key_after_a_restart(
    stand: Stand, jumper: Jumper
) -> None:
    async def shown() -> bytes:
        async with await jumper.outer() as outer:
            found = await asyncssh.get_server_host_key(
                "db1", tunnel=outer, server_host_key_algs=["ssh-ed25519"], config=None
            )
            assert found is not None
            return found.public_data

    first = await shown()
    stand.broker.running.worker.host_ca = type(stand.broker.running.worker.host_ca)(
        stand.home.host_ca, time.time
    )
    assert await shown() == first
    for other in (stand.home.host_key, stand.home.host_ca):
        assert first != asyncssh.import_public_key(public_line(other)).public_data


async def test_a_ca_that_is_made_or_rotated_is_used_from_the_next_connection_on(
    stand: Stand, jumper: Jumper
) -> None:
    stand.home.host_ca.rename(stand.home.host_ca.with_name("aside"))
    try:
        async with await jumper.outer() as outer:
            with pytest.raises(asyncssh.ChannelOpenError, match="must look at its host CA"):
                await outer.open_connection("db1", 22)
            for _ in range(2):
                make_key(stand.home.next_host_ca, "ca")
                jumper.configure(promote(stand.home.next_host_ca, stand.home.host_ca))
                async with await jumper.inner(outer) as inner:
                    assert (await inner.run("echo in")).stdout == "in\n"
    finally:
        stand.home.host_ca.with_name("aside").replace(stand.home.host_ca)
        stand.home.host_ca.with_name("host_ca.pub").unlink(missing_ok=True)


# Limits and floods


@pytest.mark.attack
async def test_an_inner_connection_that_logs_nobody_in_is_dropped_and_leaves_the_outer_one(
    stand: Stand, jumper: Jumper, monkeypatch: pytest.MonkeyPatch
) -> None:
    doorway = stand.broker.running.worker.doorway
    async with await jumper.outer() as outer:
        await eventually(lambda: doorway.waiting == 0)
        monkeypatch.setattr(algorithms, "LOGIN_TIMEOUT_S", 1.0)
        reader, _ = await outer.open_connection("db1", 22)
        assert (await reader.readline()).startswith(b"SSH-2.0-")
        assert doorway.waiting == 1, "who logs in inside stands in the doorway too"
        async with asyncio.timeout(15):
            await reader.read()  # to its end
        await eventually(lambda: doorway.waiting == 0)
        async with await jumper.inner(outer) as inner:
            assert (await inner.run("echo in")).stdout == "in\n"


@pytest.mark.attack
async def test_inner_connections_are_capped_and_their_end_makes_room(
    stand: Stand, jumper: Jumper
) -> None:
    most = stand.broker.running.worker.policy.limits.channels
    async with await jumper.outer() as outer:
        opened = await asyncio.gather(
            *(outer.open_connection("db1", 22) for _ in range(most + 5)), return_exceptions=True
        )
        good = [one for one in opened if not isinstance(one, BaseException)]
        refused = [one for one in opened if isinstance(one, asyncssh.ChannelOpenError)]
        assert (len(good), len(refused)) == (most, 5)
        assert "that is the limit" in refused[0].reason
        for reader, writer in good:
            writer.close()
            await reader.read()
        reader, writer = await outer.open_connection("db1", 22)
        assert (await reader.readline()).startswith(b"SSH-2.0-")


@pytest.mark.attack
@pytest.mark.fault
@pytest.mark.parametrize("window", [2 << 20, 1 << 30])
async def test_a_flood_inside_for_a_client_that_does_not_read_costs_bounded_memory(
    stand: Stand, jumper: Jumper, window: int
) -> None:
    """`window` is what the client promises to take of the channel that carries the inner one."""
    size = 48 << 20
    async with await jumper.outer() as outer, await jumper.inner(outer, window=window) as inner:
        process = await inner.create_process(
            f"echo up; head -c {size} /dev/zero", encoding=None, window=1 << 30
        )
        assert await process.stdout.readexactly(3) == b"up\n"
        wire = outer._transport
        assert wire is not None
        wire.pause_reading()
        session = await asyncio.to_thread(stand.session)
        driver = stand.broker.running.worker.sessions[session.id]
        held = lambda: driver.relays[1].output.valve._reasons  # noqa: E731
        await eventually(lambda: stand.broker.ask(held), what="back-pressure", within_s=20)

        waiting = await asyncio.to_thread(stand.broker.ask, lambda: _waiting(driver.operator))

        assert waiting < 8 << 20
        wire.resume_reading()
        got = 0
        while data := await process.stdout.read(1 << 20):
            got += len(data)
        assert got == size


def _waiting(inner: asyncssh.SSHServerConnection) -> int:
    """Bytes that wait in the inner connection's channels, its wire and the outer one's."""
    channel = inner._transport
    assert channel is not None
    outer = channel.get_extra_info("connection")._transport
    assert outer is not None
    own = sum(one._send_buf_len for one in inner._channels.values())
    return own + channel.get_write_buffer_size() + int(outer.get_write_buffer_size())


@pytest.mark.attack
def test_a_flood_inside_is_ended_at_once_though_the_client_is_stopped(
    stand: Stand, jumper: Jumper
) -> None:
    process = jumper.popen(jumper.at, "yes flood")
    assert process.stdout and process.stdout.readline() == b"flood\n"
    session = stand.session()
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    stopped = [process.pid, *map(int, children)]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        directive = stand.order(session, Verb.TERMINATE, reason="stop")
        assert directive.outcome is Outcome.DONE
        ended = stand.last()
        assert ended.id == session.id and ended.state is SessionState.ENDED
        steps = {step.name: step for step in directive.receipt.steps}
        assert not any(step.failed for step in steps.values())
        assert {"operator leg closed", "target leg closed", "recording sealed"} <= set(steps)
        recorded = stand.recorded(session)
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    process.communicate(timeout=20)
    assert stand.recorded(session) == recorded, "nothing was recorded, nor forwarded, any more"
