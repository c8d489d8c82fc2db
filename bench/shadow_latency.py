"""Shadow: from a byte at the target to its cell on the analyst's terminal.

    python -m bench.shadow_latency [SAMPLES]

A program on a real sshd, reached by a real ssh client through the broker, prints the machine's
monotonic clock every 20-60 ms. A real console in a PTY shadows it; each clock value that it draws
is compared with the clock as its bytes arrive. Nothing is left out: the program's write, sshd, the
broker, the recording, the bell, the emulator, Textual's tick and the terminal's write are in it.
"""

from __future__ import annotations

import re
import select
import shlex
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

from psm_console.domain.inventory import CONSOLE_ROLES, LOCAL, Identity
from psm_console.recording.reader import Tail
from psm_console.store import Bell, Home
from tests.broker.stand import Stand
from tests.console.terminal_child import TerminalChild, console_in_a_terminal

from .figures import percentile, spread

_PROGRAM = """
import random, sys, time
while True:
    sys.stdout.write(f"\\rT{time.monotonic_ns():020d}.")
    sys.stdout.flush()
    time.sleep(random.uniform(0.02, 0.06))
"""
_CLOCK = re.compile(rb"T(\d{20})\.")


def collect(child: TerminalChild, samples: int) -> list[float]:
    """Return milliseconds from print to terminal for each clock value that is drawn."""
    found: list[float] = []
    newest, start = 0, len(child.output)
    deadline = time.monotonic() + samples * 0.2 + 20
    while len(found) < samples and time.monotonic() < deadline:
        select.select([child.master], [], [], 0.1)
        child.read_now()
        arrived = time.monotonic_ns()
        for match in _CLOCK.finditer(child.output, start):
            printed = int(match[1])
            if printed > newest:
                newest = printed
                found.append((arrived - printed) / 1e6)
            start = match.end()
    return found


class Recorded(threading.Thread):
    """Notes how old each clock value is when it can be read from the recording."""

    def __init__(self, home: Home, session: str, file: Path) -> None:
        super().__init__(daemon=True)
        self.values: list[float] = []
        self._home, self._session, self._file = home, session, file
        self._done = threading.Event()

    def run(self) -> None:
        with Bell(self._home, self._session) as bell, Tail(self._file) as tail:
            tail.read(1 << 24)
            while not self._done.is_set():
                bell.wait(0.2)
                for event in tail.read():
                    arrived = time.monotonic_ns()
                    if isinstance(event.data, bytes) and (found := _CLOCK.search(event.data)):
                        self.values.append((arrived - int(found[1])) / 1e6)

    def finish(self) -> None:
        self._done.set()
        self.join()


def main(samples: int = 500) -> None:
    with Stand() as stand:
        known = stand.inventory()
        local = Identity(LOCAL, CONSOLE_ROLES)
        stand.apply(replace(known, identities={**known.identities, LOCAL: local}))
        command = f"exec {shlex.quote(sys.executable)} -c {shlex.quote(_PROGRAM)}"
        with stand.client.terminal(stand.user, command) as operator:
            operator.wait_for("T0")
            session = stand.session()
            file = stand.home.recording(session.id) / session.channels[0].file
            link = f"psm://session/{session.id}"
            with console_in_a_terminal(stand.home.root, link=link) as child:
                child.read_until(lambda output: _CLOCK.search(output) is not None)
                collect(child, 20)
                recorded = Recorded(stand.home, session.id, file)
                recorded.start()
                values = collect(child, samples)
                recorded.finish()
        stand.tidy()
    print(spread("byte at target -> readable in the recording", recorded.values))
    print(spread("byte at target -> cell at the analyst", values))
    print(f"{'':<44} p90 {percentile(values, 0.9):8.2f}  min {min(values):8.2f} ms")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
