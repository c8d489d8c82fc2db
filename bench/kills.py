"""Workers killed at random under flood and typing: what clients got and recordings have not.

    python -m bench.kills [KILLS [WORKERS [SEED]]]

A broker of WORKERS workers has a real ssh client on each: floods of text and of random bytes, and
typing into a PTY. Each worker in turn is sent SIGKILL at a random moment, and all that its client
got is compared with the recording; then again, with the workers that were put in their place.
Prints the bytes that are missing (0 is the promise), the words that `verify` says (INCOMPLETE
is), and how long a session went on to read as live (6 s at most).
"""

from __future__ import annotations

import sys
import time

from tests.broker.killing import Killing
from tests.support.broker import Broker
from tests.support.sshd import Sshd


def main(kills: int = 200, workers: int = 4, seed: int = 1) -> None:
    began = time.monotonic()
    serve = ("--workers", str(workers))
    with Sshd() as target, Broker(target, serve=serve) as broker, Killing(broker, seed) as killing:
        toll = killing.toll
        while toll.kills < kills:
            killing.round(workers, kills - toll.kills)
            print(f"{toll.kills} killed, {toll.bytes_missing} bytes missing", flush=True)
    took = time.monotonic() - began
    print(f"{toll.kills} workers killed in {took:.0f} s, {toll.sessions} sessions lost")
    print(f"bytes that clients got: {toll.bytes_got}; of these not in a recording: ", end="")
    print(toll.bytes_missing)
    print(f"verify said: {', '.join(sorted(toll.words))}")
    print(f"the slowest to read as lost: {toll.slowest_s:.2f} s after the kill")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
