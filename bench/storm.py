"""A thousand strangers connect at once and never log in: what it costs, and who gets in meanwhile.

    python -m bench.storm [CONNECTS [LOGINS]]

CONNECTS (1,000) TCP connections from eight addresses of the loopback are opened at once against
`psm serve --workers 2`, and held. Told is how many were greeted and how many were turned away,
what the workers grew by, and how long LOGINS (20) logins with a command took: before, from the
storm's first moment on, and while it is held.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.broker.test_storm import answers, storm
from tests.broker.test_supervisor import workers
from tests.support.broker import Broker
from tests.support.openssh import OpenSsh
from tests.support.sshd import Sshd

from .figures import spread


def resident(broker: Broker) -> int:
    """Return the bytes of memory that the workers have."""
    pages = (Path(f"/proc/{pid}/statm").read_text().split()[1] for pid in workers(broker))
    return sum(map(int, pages)) * os.sysconf("SC_PAGE_SIZE")


def log_in(broker: Broker, client: OpenSsh, times: int) -> tuple[list[float], int]:
    """Run a command so often; return the milliseconds of each that came through, and the rest."""
    took: list[float] = []
    for _ in range(times):
        began = time.perf_counter()
        if client.run(broker.login, "echo in").stdout == b"in\n":
            took.append((time.perf_counter() - began) * 1000)
    return took, times - len(took)


def tell(name: str, logins: tuple[Sequence[float], int]) -> None:
    took, refused = logins
    print(spread(name, took) if took else f"{name}: none", f"and {refused} refused", flush=True)


def main(connects: int = 1000, logins: int = 20) -> None:
    serve = ("--workers", "2")
    with Sshd() as target, Broker(target, serve=serve) as broker, broker.client() as client:
        tell("login and command, before", log_in(broker, client, logins))
        before = resident(broker)
        with storm(broker.port, connects) as peers:
            tell("in the storm", log_in(broker, client, logins))
            said = answers(peers)
            greeted = sum(one.startswith(b"SSH-2.0-") for one in said)
            print(f"{connects} connects: {greeted} greeted, {len(said) - greeted} turned away")
            print(f"{connects - len(said)} got no answer")
            print(f"the workers grew by {(resident(broker) - before) / (1 << 20):.1f} MiB")
            tell("while it is held", log_in(broker, client, logins))
        tell("after", log_in(broker, client, logins))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
