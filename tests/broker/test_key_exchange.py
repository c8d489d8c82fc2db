"""Every key exchange that is offered works on either leg, and the first choice is the best one."""

from __future__ import annotations

import asyncio
import dataclasses

import asyncssh
import pytest
from asyncssh.kex import get_kex_algs

from psm_console.broker.ssh import algorithms
from psm_console.domain.inventory import Target

from .stand import Stand

QUANTUM_SAFE = "mlkem768x25519-sha256"


class Greeter(asyncssh.SSHServer):
    """Lets everybody in."""

    def begin_auth(self, username: str) -> bool:
        return False


async def _greet(process: asyncssh.SSHServerProcess[str]) -> None:
    process.stdout.write("there\n")
    process.exit(0)


# cryptography says of finite fields that they will go one day.
@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@pytest.mark.parametrize("kex", algorithms.KEX)
async def test_each_key_exchange_works_on_both_legs(stand: Stand, kex: str) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    server = await asyncssh.create_server(
        Greeter, "127.0.0.1", 0, server_host_keys=[key], process_factory=_greet, kex_algs=[kex]
    )
    line = key.export_public_key().decode().strip()
    target = Target("db1", "127.0.0.1", server.get_port(), (line,))
    stand.apply(dataclasses.replace(stand.inventory(), targets={"db1": target}))
    try:
        async with stand.enter(kex_algs=[kex]) as connection:
            assert (await connection.run("x")).stdout == "there\n"
        await asyncio.to_thread(stand.last)
    finally:
        stand.apply(stand.inventory())
        server.close()


def test_what_a_quantum_computer_can_not_open_comes_first_where_the_broker_chooses() -> None:
    """OpenSSH warns without it since 10.1; a library too old for it is done without."""
    known = QUANTUM_SAFE.encode() in get_kex_algs()

    assert (QUANTUM_SAFE in algorithms.KEX) is known
    assert (algorithms.TARGET_KEX[0] == QUANTUM_SAFE) is known
    assert set(algorithms.TARGET_KEX) == set(algorithms.KEX)
    assert algorithms.KEX[0] == "curve25519-sha256", "dropbear guesses it"
