"""Each hop of a jump shows a key of its own, and the host CA vouches for one name."""

from __future__ import annotations

import time
from dataclasses import replace

import asyncssh
import pytest

from psm_console.credentials import known_hosts_line, make_key, promote, public_line

from .jumper import Jumper
from .stand import Stand


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
