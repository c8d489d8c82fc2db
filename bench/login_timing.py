"""Whether a stranger can tell a name that exists from one that does not, by the time it takes.

    python -m bench.login_timing [TRIES]

A client offers a key that nobody has, TRIES (200) times under ana's name and as often, by turns,
under a name that nobody has. Told is the time from the offer to the refusal, slow-down taken out,
and the unknown name's median as a share of the known one's.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time

import asyncssh

from tests.broker.asking import forgive
from tests.broker.stand import Stand

from .figures import percentile, spread


class _Timed(asyncssh.SSHClient):
    def __init__(self, key: asyncssh.SSHKey) -> None:
        self._keys = [key]
        self._began = 0.0
        self.took_ms = 0.0

    def public_key_auth_requested(self) -> asyncssh.SSHKey | None:
        if self._keys:
            self._began = time.perf_counter()
            return self._keys.pop()
        self.took_ms = (time.perf_counter() - self._began) * 1000
        return None


async def _attempt(stand: Stand, user: str, key: asyncssh.SSHKey) -> float:
    client = _Timed(key)
    with contextlib.suppress(asyncssh.Error):
        await asyncssh.connect(
            "127.0.0.1",
            stand.client.port,
            username=user,
            client_factory=lambda: client,
            known_hosts=None,
            config=None,
            agent_path=None,
            preferred_auth="publickey",
        )
    return client.took_ms


def main(tries: int = 200) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    took: dict[str, list[float]] = {"ana": [], "nobody": []}
    with Stand() as stand:
        for _ in range(tries):
            for name, found in took.items():
                forgive(stand)
                found.append(asyncio.run(_attempt(stand, f"{name}+{stand.ref}", key)))
    for name, found in took.items():
        print(spread(f"refusal of {name}", found))
    known, unknown = (percentile(found, 0.5) for found in took.values())
    print(f"unknown / known: {unknown / known:.2f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
