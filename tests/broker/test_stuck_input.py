"""Typed bytes that the target has not taken when the session is paused: they never run."""

from __future__ import annotations

import contextlib
import sys
import threading
from pathlib import Path

import pytest

from psm_console.domain.session import Outcome, Verb
from tests.support.terminal import PtyProcess
from tests.support.waiting import eventually_sync

from .stand import Stand
from .test_orders import discarded

SLUGGISH = """
import os, sys, time, tty
tty.setraw(0)
print("ready", flush=True)
while not os.path.exists(sys.argv[1]):
    time.sleep(0.02)
read = b""
while not read.endswith(b"END"):
    read += os.read(0, 1 << 16)
print("read", len(read), "of", set(read.decode()), flush=True)
"""
TYPED = 6 << 20


@pytest.mark.attack
def test_input_that_a_busy_target_has_not_taken_is_taken_back_by_a_pause(
    stand: Stand, tmp_path: Path
) -> None:
    """A target that reads nothing leaves typed bytes in the broker; they must not follow later."""
    program = tmp_path / "sluggish.py"
    program.write_text(SLUGGISH)
    command = f"exec {sys.executable} {program} {tmp_path / 'go'}"
    with stand.client.terminal(stand.user, command) as tty:
        tty.wait_for("ready")
        session = stand.session()
        driver = stand.broker.running.worker.sessions[session.id]
        relay = driver.relays[1]
        threading.Thread(target=type_until_closed, args=(tty,), daemon=True).start()

        def stuck() -> tuple[int, int]:
            """Bytes that the target has not taken, and that it has."""
            target = relay.channel.target
            waits = target._send_buf_len if target is not None else 0
            return waits, driver.totals()[1] - waits

        looks: list[tuple[int, int]] = []

        def full() -> bool:
            looks.append(stand.broker.ask(stuck))
            return looks[-1][0] > 0 and len(looks) > 20 and len(set(looks[-20:])) == 1

        eventually_sync(full, what="a full window")
        taken = looks[-1][1]
        assert stand.order(session, Verb.PAUSE).outcome is Outcome.DONE
        assert stand.broker.ask(stuck)[0] == 0
        eventually_sync(lambda: discarded(stand) == TYPED - taken, what="the rest to be read")
        assert stand.order(session, Verb.RESUME).outcome is Outcome.DONE
        tty.type(b"END")
        (tmp_path / "go").touch()

        tty.wait_for(f"read {taken + 3} of")
        assert tty.wait_exit() == 0


def type_until_closed(tty: PtyProcess) -> None:
    with contextlib.suppress(OSError, ValueError):
        tty.type(b"x" * TYPED)
