"""Each call of the recorder fails in turn: nothing passes unrecorded, and the session ends."""

from __future__ import annotations

import pytest

from psm_console.domain.session import LIVE_STATES, Outcome, Verb
from psm_console.recording.channel import ChannelRecorder
from psm_console.recording.writer import SessionRecorder
from tests.support.waiting import eventually_sync

from .stand import Stand

pytestmark = pytest.mark.fault


def failing(*arguments: object, **named: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("method", ["mark", "checkpoint", "tick", "sync", "open_channel"])
def test_whatever_the_recorder_can_not_do_ends_the_session(
    stand: Stand, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    process = stand.popen("echo up; cat") if method != "open_channel" else None
    if process is not None:
        assert process.stdout and process.stdout.readline() == b"up\n"
    monkeypatch.setattr(SessionRecorder, method, failing)
    if process is None:
        process = stand.popen("echo up; cat")
    elif method in ("mark", "checkpoint"):
        answer = stand.order(stand.session(), Verb.PAUSE)
        assert answer.outcome in (Outcome.FAILED, Outcome.DONE)

    assert process.wait(8) == 254
    assert b"the recording failed" in process.stderr.read()  # type: ignore[union-attr]
    ended = stand.last()
    assert ended.end_reason == "the recording failed" and not stand.sessions()
    actions = [e.action for e in stand.read(lambda s: s.audit.list(session=ended.id))]
    assert actions.count("recording.fail") == 1 and "session.end" in actions


@pytest.mark.parametrize("method", ["error", "resize", "exit", "mark", "close", "discarded"])
def test_whatever_a_channels_recorder_can_not_do_ends_the_session(
    stand: Stand, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    command = "stty -echo; echo ready; read x; echo SECRET >&2; exit 3"
    with stand.client.terminal(stand.user, command) as tty:
        tty.wait_for("ready")
        session = stand.session()
        monkeypatch.setattr(ChannelRecorder, method, failing)
        if method in ("mark", "discarded"):
            stand.order(session, Verb.PAUSE)
            tty.type("x")
        tty.resize(99, 33)
        if method != "resize":  # a program that ends at once may be faster than its new size
            tty.type("\n")
        tty.wait_exit(8)
    ended = stand.last()
    assert ended.id == session.id and ended.state not in LIVE_STATES
    actions = [e.action for e in stand.read(lambda s: s.audit.list(session=ended.id))]
    assert "session.end" in actions
    assert method == "error" or "recording.fail" in actions


def test_an_order_that_meets_a_failing_recorder_is_not_acknowledged_as_done(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = stand.popen("echo up; cat")
    assert process.stdout and process.stdout.readline() == b"up\n"
    session = stand.session()
    assert stand.order(session, Verb.PAUSE).outcome is Outcome.DONE
    monkeypatch.setattr(SessionRecorder, "mark", failing)

    assert stand.order(session, Verb.RESUME).outcome is Outcome.FAILED
    assert process.wait(8) == 254
    assert stand.last().state == "ended"


@pytest.mark.attack
def test_a_byte_whose_record_failed_is_not_passed_whatever_else_succeeds(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ending a session calls the recorder again; that going well must not open the gate."""
    with stand.client.terminal(stand.user, "stty -echo; echo ready; cat") as tty:
        tty.wait_for("ready")
        driver = stand.broker.running.worker.sessions[stand.session().id]

        def spoil() -> None:
            relay = driver.relays[1]
            relay.input._early.append(b"x")  # makes the end call `discarded`, which succeeds here

            class Broken:
                output = staticmethod(failing)

                def __getattr__(self, name: str) -> object:
                    return lambda *arguments, **named: None

            relay.channel.recorder = Broken()  # type: ignore[assignment]
            relay.output.sent(b"UNRECORDED", None)

        stand.broker.ask(spoil)
        tty.wait_exit(8)
        assert "UNRECORDED" not in tty.text
    eventually_sync(lambda: not stand.sessions())
