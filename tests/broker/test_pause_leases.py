"""Who holds a pause, and what becomes of it when nobody does, over real sessions."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Sequence

import pytest

from psm_console.domain.pause import UNWATCHED
from psm_console.domain.session import Directive, Held, Outcome, Session, SessionState, Verb
from psm_console.store import Store
from tests.support.waiting import eventually_sync

from .stand import Stand


class Holder:
    """Renews a lease as a console does, until it is told to die."""

    def __init__(self, stand: Stand, session: Session, token: str) -> None:
        self._stand, self._session, self._token = stand, session, token
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        with Store.open(self._stand.home) as store:
            while not self._stop.wait(0.5):
                store.holds.renew(self._token, self._session.id, "sue")

    def __enter__(self) -> Holder:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.die()

    def die(self) -> None:
        self._stop.set()
        self._thread.join()


def piped(
    stand: Stand, command: str = "echo up; cat", options: Sequence[str] = ()
) -> subprocess.Popen[bytes]:
    process = stand.popen(command, options=options)
    assert process.stdout and process.stdout.readline() == b"up\n"
    return process


def send(process: subprocess.Popen[bytes], data: bytes) -> None:
    assert process.stdin
    process.stdin.write(data)
    process.stdin.flush()


@pytest.mark.fault
def test_a_holder_who_dies_leaves_the_session_paused_and_marked_within_five_seconds(
    stand: Stand,
) -> None:
    process = piped(stand)
    session = stand.session()
    with Holder(stand, session, "sue-1") as holder:
        assert stand.order(session, Verb.PAUSE, hold="sue-1").outcome is Outcome.DONE
        # Held for longer than a lease lasts without being renewed.
        lease = stand.broker.ask(lambda: held_until(stand))
        eventually_sync(lambda: stand.broker.ask(lambda: held_until(stand)) > lease + 4)
        assert stand.session().attention is None
        holder.die()
    died = time.monotonic()
    eventually_sync(lambda: stand.session().attention == UNWATCHED, what="the alert")
    # 5 s are promised; the rest is for a machine that is busy.
    assert time.monotonic() - died < 8
    assert stand.session().state is SessionState.PAUSED
    send(process, b"typed")
    assert stand.order(session, Verb.RESUME, "kim").outcome is Outcome.DONE
    assert stand.session().attention is None
    assert process.communicate(timeout=10)[0] == b"typed"


def held_until(stand: Stand) -> float:
    (driver,) = stand.broker.running.worker.sessions.values()
    return (driver.live.pause and driver.live.pause.held_until) or 0.0


def test_a_pause_that_nobody_holds_is_marked_at_once_and_can_be_taken_over(stand: Stand) -> None:
    piped(stand)
    session = stand.session()

    assert "unwatched" in stand.order(session, Verb.PAUSE).receipt.detail
    assert stand.session().attention == UNWATCHED
    refused = stand.order(session, Verb.PAUSE, "kim")
    assert refused.outcome is Outcome.REFUSED and "nobody holds it" in refused.receipt.detail
    with Holder(stand, session, "kim-1"):
        taken = stand.order(session, Verb.PAUSE, "kim", hold="kim-1")
        assert taken.outcome is Outcome.DONE and "from sue" in taken.receipt.detail
        found = stand.session()
        assert (found.attention, found.paused_by) == (None, "kim")


def test_a_console_that_is_left_tells_it_within_a_second(stand: Stand) -> None:
    piped(stand)
    session = stand.session()
    assert stand.order(session, Verb.PAUSE, hold="sue-1").outcome is Outcome.DONE
    left = time.monotonic()
    stand.read(lambda store: store.holds.release("sue-1"))
    eventually_sync(lambda: stand.session().attention == UNWATCHED)
    assert time.monotonic() - left < 3  # sooner than a lease runs out


def test_what_waits_on_a_pipe_is_known_while_paused_and_passes_on_with_the_resume(
    stand: Stand,
) -> None:
    process = piped(stand)
    session = stand.session()
    stand.order(session, Verb.PAUSE)
    send(process, b"x" * 4096)
    eventually_sync(lambda: stand.session().held == (Held(1, 4096),), what="what waits")

    answer = stand.order(session, Verb.RESUME)

    assert "passed on: channel 1 with 4096 bytes" in answer.receipt.detail
    assert process.communicate(timeout=10)[0] == b"x" * 4096


@pytest.mark.attack
def test_a_resume_that_closes_what_waited_passes_none_of_it_on(stand: Stand) -> None:
    """Commands that were piped in while paused must not run because somebody resumed."""
    with stand.client.master(stand.user) as through:
        marker = stand.sshd.folder / "ran"
        waiting = piped(stand, "echo up; sh", options=through)
        other = piped(stand, options=through)
        session = stand.session()
        stand.order(session, Verb.PAUSE)
        send(waiting, f"touch {marker}\n".encode())
        eventually_sync(lambda: stand.session().held, what="what waits")

        answer = stand.order(session, Verb.RESUME, "kim", close_held=True)

        assert answer.outcome is Outcome.DONE and "closed: channel" in answer.receipt.detail
        said = waiting.communicate(timeout=10)[1]
        assert waiting.returncode == 1
        assert b"closed by kim after the pause" in said
        assert other.communicate(b"whole", timeout=10)[0] == b"whole"
    stand.tidy()
    assert not marker.exists()
    (channel,) = [one for one in stand.last().channels if one.number == 1]
    assert channel.ledger.input_bytes == 0


def test_supervisors_who_order_at_the_same_time_each_get_a_true_answer(stand: Stand) -> None:
    """One pauses; whoever comes second is told who did; a terminate ends it under both."""
    process = piped(stand)
    session = stand.session()

    def together(verb: Verb) -> list[Directive]:
        gate = threading.Barrier(2)
        found: list[Directive] = []

        def give(by: str) -> None:
            gate.wait()
            found.append(stand.order(session, verb, by, hold=f"{by}-1"))

        both = [threading.Thread(target=give, args=(by,)) for by in ("sue", "kim")]
        for one in both:
            one.start()
        for one in both:
            one.join()
        return found

    for _ in range(5):
        first, second = sorted(together(Verb.PAUSE), key=lambda one: one.outcome)
        assert (first.outcome, second.outcome) == (Outcome.DONE, Outcome.REFUSED)
        assert stand.session().paused_by == first.actor
        assert f"paused already, by {first.actor}" in second.receipt.detail
        first, second = sorted(together(Verb.RESUME), key=lambda one: one.outcome)
        assert (first.outcome, second.outcome) == (Outcome.DONE, Outcome.REFUSED)
        assert stand.session().state is SessionState.ACTIVE
    given = [stand.give(session, Verb.PAUSE, "sue"), stand.give(session, Verb.TERMINATE, "kim")]
    assert [stand.answer(one).outcome for one in given] == [Outcome.DONE, Outcome.DONE]
    assert process.wait(10) == 254
