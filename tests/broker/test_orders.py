"""What a supervisor's order does to a real session: at once, and without losing a byte."""

from __future__ import annotations

import hashlib
import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from psm_console.domain.session import Outcome, SessionState, Verb
from psm_console.store.directives import DirectiveRows
from tests.support.terminal import PtyProcess
from tests.support.tools import VIM
from tests.support.waiting import eventually_sync

from .stand import Stand

FULL = 2
"""What SQLite calls a commit that waits for the disk."""


def gone(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return stat.rsplit(")", 1)[1].split()[0] == "Z"


class Drain:
    """Reads a pipe to its end in a thread, counting and hashing."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self.count = 0
        self.digest = hashlib.sha256()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        while data := self._read(1 << 16):
            self.count += len(data)
            self.digest.update(data)


def test_terminate_ends_the_client_with_the_reason_and_the_targets_process(stand: Stand) -> None:
    with stand.client.terminal(stand.user, "echo pid=$$.; exec sleep 300") as tty:
        tty.wait_for("pid=")
        tty.wait_for(".")
        pid = int(tty.text.split("pid=")[1].split(".")[0])
        session = stand.session()

        answer = stand.order(session, Verb.TERMINATE, reason="wrong server")

        assert tty.wait_exit() == 254
        assert "session ended by sue: wrong server" in tty.text
    assert answer.outcome is Outcome.DONE
    assert [step.name for step in answer.receipt.steps] == [
        "requested",
        "claimed",
        "operator leg closed",
        "target leg closed",
        "recording sealed",
        "credential",
    ]
    eventually_sync(lambda: gone(pid), what="the target's process to be gone")
    ended = stand.last()
    assert (ended.ended_by, ended.end_reason) == ("sue", "wrong server")
    actions = [entry.action for entry in stand.read(lambda s: s.audit.list(session=session.id))]
    assert {"session.terminated", "session.end", "recording.close"} <= set(actions)


def test_terminate_ends_every_channel_of_a_master_connection(stand: Stand) -> None:
    with stand.client.master(stand.user) as through:
        first = stand.popen("exec sleep 300", options=through)
        second = stand.popen("exec cat", options=through)
        eventually_sync(lambda: stand.sessions() and len(stand.session().channels) == 2)

        answer = stand.order(stand.session(), Verb.TERMINATE, reason="both")

        statuses = [process.wait(10) for process in (first, second)]
        said = [process.communicate()[1] for process in (first, second)]
    assert answer.outcome is Outcome.DONE
    assert statuses == [254, 254]
    assert all(b"session ended by sue: both" in text for text in said)


def test_nothing_is_forwarded_after_terminate_is_acknowledged(stand: Stand) -> None:
    process = stand.popen("yes")
    assert process.stdout is not None
    drain = Drain(process.stdout.read1)  # type: ignore[attr-defined]
    eventually_sync(lambda: drain.count > 1 << 20)

    answer = stand.order(stand.session(), Verb.TERMINATE, reason="flood")

    assert answer.outcome is Outcome.DONE
    assert process.wait(10) == 254
    drain.thread.join(10)
    # Recorded before forwarded: the client can not have more than the recording has.
    assert drain.count <= stand.last().channels[0].ledger.output_bytes


def test_what_is_typed_while_paused_reaches_the_target_neither_then_nor_later(stand: Stand) -> None:
    with stand.client.terminal(stand.user, "stty -echo; echo ready; cat") as tty:
        tty.wait_for("ready")
        session = stand.session()
        assert stand.order(session, Verb.PAUSE, reason="look").outcome is Outcome.DONE
        tty.wait_for("session paused by sue: look")

        for _ in range(100):
            tty.type("POISON678\n" * 10)
        eventually_sync(lambda: discarded(stand) >= 10_000, what="10,000 typed bytes")
        assert stand.order(session, Verb.RESUME, "kim").outcome is Outcome.DONE
        tty.wait_for("session resumed by kim")
        tty.type("fresh\n")
        tty.wait_for("fresh")
        tty.type(b"\x04")
        assert tty.wait_exit() == 0

        assert "POISON" not in tty.text
    assert "POISON" not in stand.recorded(session)
    assert stand.last().channels[0].ledger.discarded_bytes == 10_000


def discarded(stand: Stand) -> int:
    def count() -> int:
        return sum(
            relay.input.discarded
            for driver in stand.broker.running.worker.sessions.values()
            for relay in driver.relays.values()
        )

    return stand.broker.ask(count)


def test_output_of_a_pause_arrives_whole_and_in_order_after_resume(stand: Stand) -> None:
    size = 16 << 20
    command = f"echo go >&2; read x; head -c {size} /dev/zero | tr '\\0' a | fold -w 99; echo end"
    expected = stand.direct.run(stand.sshd.user, command, stdin=b"\n").stdout
    process = stand.popen(command)
    assert process.stdin and process.stdout
    drain = Drain(process.stdout.read1)  # type: ignore[attr-defined]
    session = stand.session()
    process.stdin.write(b"\n")
    process.stdin.flush()
    eventually_sync(lambda: drain.count > 0)

    assert stand.order(session, Verb.PAUSE).outcome is Outcome.DONE
    held = eventually_sync(lambda: held_back(stand), what="a full bound")
    assert held < 4 << 20
    count = drain.count
    assert stand.order(session, Verb.RESUME).outcome is Outcome.DONE

    assert process.wait(30) == 0
    drain.thread.join(10)
    assert count < drain.count == len(expected)
    assert drain.digest.digest() == hashlib.sha256(expected).digest()


def held_back(stand: Stand) -> int:
    def count() -> int:
        sizes = [
            relay.output.withheld.size
            for driver in stand.broker.running.worker.sessions.values()
            for relay in driver.relays.values()
        ]
        return max((size for size in sizes if size >= 1 << 20), default=0)

    return stand.broker.ask(count)


def test_the_input_of_a_pipe_waits_for_the_resume_and_is_not_torn(stand: Stand) -> None:
    data = os.urandom(6 << 20)
    process = stand.popen("sha256sum")
    assert process.stdin
    process.stdin.write(data[:1000])
    process.stdin.flush()
    session = stand.session()
    eventually_sync(lambda: stand.session().channels)
    stand.order(session, Verb.PAUSE)
    feeding = threading.Thread(target=feed, args=(process, data[1000:]))
    feeding.start()

    stand.order(session, Verb.RESUME)

    feeding.join(20)
    stdout, stderr = process.stdout.read(), process.stderr.read()  # type: ignore[union-attr]
    assert stdout.split()[0].decode() == hashlib.sha256(data).hexdigest()
    assert b"your input waits" in stderr and b"session resumed by sue" in stderr
    assert process.wait(10) == 0


def feed(process: subprocess.Popen[bytes], data: bytes) -> None:
    assert process.stdin
    process.stdin.write(data)
    process.stdin.close()


def test_input_that_came_before_the_target_opened_survives_a_pause_and_a_resume(
    stand: Stand,
) -> None:
    process = stand.popen("cat")
    session = stand.session()
    # Orders as early as they can come: the target's channel may not be open yet.
    given = [stand.give(session, verb) for verb in (Verb.PAUSE, Verb.RESUME)]
    assert [stand.answer(one).outcome for one in given] == [Outcome.DONE, Outcome.DONE]

    assert process.communicate(b"whole", timeout=10)[0] == b"whole"


def test_a_program_that_ends_while_paused_is_over_for_the_client_after_the_resume(
    stand: Stand,
) -> None:
    process = stand.popen("read x; echo last words; exit 9")
    assert process.stdin and process.stdout
    session = stand.session()
    eventually_sync(lambda: stand.session().channels)
    # The line is on its way before the pause, the answer comes during it.
    process.stdin.write(b"\n")
    process.stdin.flush()
    stand.order(session, Verb.PAUSE)
    stand.order(session, Verb.RESUME)

    assert process.wait(10) == 9
    assert process.stdout.read() == b"last words\n"


def test_no_channel_opens_while_paused(stand: Stand) -> None:
    with stand.client.master(stand.user) as through:
        first = stand.popen("exec cat", options=through)
        session = stand.session()
        stand.order(session, Verb.PAUSE)

        refused = stand.client.run(stand.user, "echo in", options=through)

        assert refused.stdout == b"" and b"paused by sue" in refused.stderr
        stand.order(session, Verb.RESUME)
        assert stand.client.run(stand.user, "echo in", options=through).stdout == b"in\n"
        first.kill()
        first.communicate()


def test_a_warning_is_shown_on_a_normal_screen_without_disturbing_the_program(
    stand: Stand,
) -> None:
    with stand.client.terminal(stand.user, "echo ready; cat") as tty:
        tty.wait_for("ready")
        session = stand.session()

        answer = stand.order(session, Verb.WARN, text="please stop\x1b[2J now")

        tty.wait_for("message from sue: please stop\\x1b[2J now")
        assert answer.outcome is Outcome.DONE
        tty.type("still here\n")
        tty.wait_for("still here")
        assert "please stop" not in "".join(
            line for line in stand.recorded(session).splitlines() if '"o"' in line
        )
        assert "warn by sue: please stop" in stand.recorded(session)


def test_a_warning_without_a_terminal_goes_to_stderr(stand: Stand) -> None:
    process = stand.popen("cat")
    session = stand.session()
    eventually_sync(lambda: stand.session().channels)
    stand.order(session, Verb.WARN, text="hello")
    stdout, stderr = process.communicate(b"data", timeout=10)

    assert stdout == b"data"
    assert b"[psm] message from sue: hello\n" in stderr


def test_orders_that_a_state_refuses_are_answered_with_why(stand: Stand) -> None:
    with stand.client.terminal(stand.user, "echo ready; cat") as tty:
        tty.wait_for("ready")
        session = stand.session()

        refused = stand.order(session, Verb.RESUME)

        assert refused.outcome is Outcome.REFUSED
        assert "is active" in refused.receipt.detail
        assert stand.session().state is SessionState.ACTIVE


def test_two_supervisors_who_terminate_at_once_both_get_a_receipt(stand: Stand) -> None:
    with stand.client.terminal(stand.user, "echo ready; cat") as tty:
        tty.wait_for("ready")
        session = stand.session()

        given = [stand.give(session, Verb.TERMINATE, by, reason=by) for by in ("sue", "kim")]
        answers = [stand.answer(one) for one in given]

        assert [answer.outcome for answer in answers] == [Outcome.DONE, Outcome.DONE]
        assert tty.wait_exit() == 254


def test_fifty_pauses_against_typed_bytes_let_nothing_through_after_the_answer(
    stand: Stand,
) -> None:
    """A race of the pause against bytes in flight; bench/races.py runs a thousand."""
    with stand.client.terminal(stand.user, "stty -echo; echo ready; cat") as tty:
        tty.wait_for("ready")
        session = stand.session()
        typed = 0
        for turn in range(50):
            typing = threading.Thread(target=type_slowly, args=(tty,))
            typing.start()
            stand.order(session, Verb.PAUSE)
            at_answer = stand.broker.ask(lambda: given(stand))
            typing.join()
            late = f"LATE{turn}\n"
            tty.type(late)
            typed += 40 + len(late)
            # What a slow client has not sent yet would come after the resume, as it may.
            eventually_sync(lambda typed=typed: arrived(stand) >= typed)  # type: ignore[misc]
            assert stand.broker.ask(lambda: given(stand)) == at_answer
            stand.order(session, Verb.RESUME)
        tty.type("\nfin\n")
        tty.wait_for("fin")
        assert "LATE" not in tty.text


def arrived(stand: Stand) -> int:
    """Bytes that the broker has read from the client so far."""

    def count() -> int:
        ledgers = [
            relay.channel.recorder.ledger
            for driver in stand.broker.running.worker.sessions.values()
            for relay in driver.relays.values()
            if relay.channel.recorder is not None
        ]
        return sum(ledger.input_bytes + ledger.discarded_bytes for ledger in ledgers)

    return stand.broker.ask(count)


def type_slowly(tty: PtyProcess) -> None:
    for _ in range(40):
        tty.type(b"k")


def given(stand: Stand) -> int:
    return sum(driver.totals()[1] for driver in stand.broker.running.worker.sessions.values())


def test_a_warning_is_drawn_over_a_full_screen_program_and_painted_over_later(
    stand: Stand,
) -> None:
    with stand.client.terminal(stand.user, f"{VIM} /etc/services") as tty:
        tty.wait_for("Internet")
        stand.order(stand.session(), Verb.WARN, text="stop editing")
        at = tty.wait_for("message from sue: stop editing")
        # The program paints its whole screen again, the first line with it.
        tty.wait_for("Network services, Internet style", after=at, within_s=15)
        tty.type(":q!\r")
        assert tty.wait_exit() == 0


def test_an_order_for_a_session_that_has_ended_is_answered(stand: Stand) -> None:
    stand.client.run(stand.user, "true")
    session = stand.last()

    assert stand.order(session, Verb.TERMINATE).outcome is Outcome.DONE
    assert stand.order(session, Verb.PAUSE).outcome is Outcome.REFUSED


def test_a_long_paste_at_a_prompt_without_echo_does_not_end_the_session(stand: Stand) -> None:
    """sshd answers it with one IGNORE packet of the paste's size."""
    with stand.client.terminal(stand.user, "stty -echo; echo ready; sleep 1; wc -c") as tty:
        tty.wait_for("ready")
        for _ in range(600):
            tty.type(b"p" * 999 + b"\n")
        tty.type(b"\x04")
        tty.wait_for("600000", within_s=20)
        assert tty.wait_exit() == 0


def test_an_order_is_carried_out_without_waiting_for_the_disk(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    true, waits = DirectiveRows.claim, []

    def claim(self: DirectiveRows, *given: Any) -> bool:
        row = self._db.row("PRAGMA synchronous")
        waits.append(row is not None and row[0] == FULL)
        return true(self, *given)

    monkeypatch.setattr(DirectiveRows, "claim", claim)
    process = stand.popen("echo up; cat")
    assert process.stdout and process.stdout.readline() == b"up\n"
    assert stand.order(stand.session(), Verb.PAUSE).outcome is Outcome.DONE
    assert waits == [False]
