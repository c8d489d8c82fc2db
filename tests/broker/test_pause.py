"""What a pause holds back when bytes wait in odd places."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Callable
from typing import TypeVar

import pytest
from asyncssh.channel import SSHChannel

from psm_console.broker.channel import input_side
from psm_console.broker.channel.coupling import Coupling
from psm_console.broker.ssh.unsent import withdraw_unsent
from psm_console.domain.session import Outcome, Verb
from tests.support.terminal import PtyProcess
from tests.support.waiting import eventually_sync

from .stand import Stand

T = TypeVar("T")


def of_relay(stand: Stand, question: Callable[[Coupling], T]) -> T:
    """Ask the first channel of the only session, on the broker's loop."""

    def ask() -> T:
        driver = next(iter(stand.broker.running.worker.sessions.values()))
        return question(driver.relays[1])

    return stand.broker.ask(ask)


def be_patient(stand: Stand) -> None:
    """Let a frozen target be silent for as long as a slow machine needs, and its window fill.

    How much a kernel takes for it differs; what is more than a megabyte would stop us before.
    """

    def ask() -> None:
        driver = next(iter(stand.broker.running.worker.sessions.values()))
        assert driver.target is not None
        driver.target.set_keepalive(interval=0)
        assert driver.target._transport is not None
        driver.target._transport.set_write_buffer_limits(high=64 << 20)

    stand.broker.ask(ask)


def unsent(relay: Coupling) -> int:
    return relay.channel.target._send_buf_len if relay.channel.target is not None else 0


def type_all(tty: PtyProcess, data: bytes) -> None:
    with contextlib.suppress(OSError):
        tty.type(data)


@pytest.mark.attack
def test_what_is_typed_in_a_pause_that_finds_the_target_busy_does_not_run_after_the_resume(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A target that does not read makes the broker stop reading; what waits there is typed too."""
    taken_back: list[bytes] = []

    def withdraw(channel: SSHChannel[bytes]) -> tuple[list[bytes], bool]:
        taken, ended = withdraw_unsent(channel)
        taken_back.extend(taken)
        return taken, ended

    monkeypatch.setattr(input_side, "withdraw_unsent", withdraw)
    with stand.client.terminal(stand.user, "stty -echo raw; echo ready; wc -c") as tty:
        tty.wait_for("ready")
        session = stand.session()
        be_patient(stand)
        with stand.sshd.frozen():
            typing = threading.Thread(target=type_all, args=(tty, b"x" * (6 << 20)), daemon=True)
            typing.start()
            eventually_sync(lambda: of_relay(stand, unsent) > 0, what="a full window")
            assert stand.order(session, Verb.PAUSE).outcome is Outcome.DONE
            given = of_relay(stand, lambda relay: relay.channel.input_bytes)
            # All of the typing is read and thrown away: nothing is left waiting for the resume.
            typing.join(60)
            assert not typing.is_alive()
            # What was taken back counts as given before, and as thrown away.
            unread = (6 << 20) - given + sum(map(len, taken_back))
            eventually_sync(
                lambda: of_relay(stand, lambda relay: relay.input.discarded) >= unread,
                what="everything typed to be read",
                within_s=60,
            )
        assert stand.order(session, Verb.RESUME, "kim").outcome is Outcome.DONE
        tty.type(b"k")
        eventually_sync(lambda: of_relay(stand, lambda r: r.channel.input_bytes) > given)
        assert of_relay(stand, lambda relay: relay.channel.input_bytes) == given + 1
        assert stand.order(session, Verb.TERMINATE).outcome is Outcome.DONE


@pytest.mark.attack
def test_a_pipe_gives_the_target_nothing_more_once_the_pause_is_answered(stand: Stand) -> None:
    """Commands piped to a slow `sh` must not go on running out of the broker's own buffer."""
    size = (2 << 20) + (60 << 10)
    process = stand.popen("echo up; wc -c")
    assert process.stdin and process.stdout
    assert process.stdout.readline() == b"up\n"
    session = stand.session()
    be_patient(stand)
    with stand.sshd.frozen():
        feeding = threading.Thread(target=feed, args=(process, b"z" * size))
        feeding.start()
        eventually_sync(
            lambda: of_relay(
                stand, lambda r: r.channel.target and r.channel.target._send_state == "eof_pending"
            ),
            what="an end that waits behind a full window",
        )
        assert stand.order(session, Verb.PAUSE).outcome is Outcome.DONE
        waiting = of_relay(stand, unsent)
    assert waiting == 0
    assert stand.order(session, Verb.RESUME).outcome is Outcome.DONE
    feeding.join(10)
    assert process.stdout.read().strip() == str(size).encode()


def feed(process: subprocess.Popen[bytes], data: bytes) -> None:
    assert process.stdin
    with contextlib.suppress(OSError):
        process.stdin.write(data)
        process.stdin.close()
