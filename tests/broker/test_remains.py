"""What brokers leave behind when they die: put away, and audited, before the next one is ready."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import pytest

from psm_console.broker.service.remains import put_away
from psm_console.domain.names import WorkerId
from psm_console.domain.policy import RecordingPolicy
from psm_console.domain.session import ChannelKind, Session, SessionState
from psm_console.operations.recordings import verify_folder
from psm_console.operations.setup import init
from psm_console.recording.cast_check import VerdictWord
from psm_console.recording.signing import Signer
from psm_console.recording.writer import SessionRecorder
from psm_console.store import Home, Store, StoreError
from tests.store.factories import make_session, register_elsewhere
from tests.support.broker import Broker

pytestmark = pytest.mark.fault

LEFT = 500
READY_S = 10.0


def leave_sessions(home: Home, count: int) -> list[Session]:
    """Make a worker that died with `count` live sessions."""
    now = datetime.now(UTC) - timedelta(minutes=1)
    dead = WorkerId("w-dead")
    sessions = [
        make_session(f"s{number:011d}", worker=dead, started_at=now) for number in range(count)
    ]
    with Store.open(home) as store, store.transaction():
        register_elsewhere(store, dead, now)
        for session in sessions:
            store.sessions.begin(session)
            store.recordings.open(session.id, now)
    return sessions


def leave_recordings(home: Home, sessions: list[Session]) -> None:
    """Make a recording that has no end for each; what a dead process has open is closed."""
    signer = Signer.load(home.recording_key)
    for session in sessions:
        recorder = SessionRecorder.create(
            home.recordings,
            session,
            signer=signer,
            policy=RecordingPolicy(),
            on_checkpoint=lambda checkpoint: None,
            clock=lambda: datetime.now(UTC),
        )
        channel = recorder.open_channel(1, ChannelKind.EXEC, at=0.0, size=None)
        channel.output(0.5, b"half done\n")
        for file in channel.files:
            file.close()
        os.close(recorder._shared.folder_fd)


def test_a_broker_that_starts_marks_five_hundred_lost_sessions_before_it_is_ready() -> None:
    with Broker() as broker:
        broker.stop()
        home = Home(broker.home)
        sessions = leave_sessions(home, LEFT)
        left = [session.id for session in sessions]
        with mock.patch("os.fdatasync"):
            leave_recordings(home, sessions)
        broker.start()
        with Store.open(home, read_only=True) as store:
            # The line that says it is ready has been read: nothing is waited for here.
            found = store.sessions.list(live_only=False)
            audited = store.audit.list(action="session.lost")
            assert [one.id for one in found if one.state is SessionState.LOST] == left
            assert all(one.ended_at is not None for one in found)
            assert sorted(str(entry.session) for entry in audited) == left
            assert store.audit.verify(None).ok
            # A file that the row of a dead broker never named is not one of the recording's.
            for session in left[:: LEFT // 5]:
                verdict = verify_folder(home, home.recording(session))
                assert verdict.word is VerdictWord.INCOMPLETE


def test_putting_five_hundred_sessions_away_takes_seconds_at_most(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    init(home, datetime.now(UTC))
    leave_sessions(home, LEFT)
    began = time.monotonic()
    assert put_away(home) == LEFT
    assert time.monotonic() - began < READY_S
    assert put_away(home) == 0


def test_the_store_refuses_a_second_session_of_one_id(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    init(home, datetime.now(UTC))
    with Store.open(home) as store, Store.open(home) as other:
        store.sessions.begin(make_session("same", operator="ana"))
        with pytest.raises(StoreError):
            other.sessions.begin(make_session("same", operator="bob"))
        assert other.sessions.get("same").operator == "ana"


def test_a_second_broker_on_the_same_address_is_told_what_to_do() -> None:
    with Broker() as broker:
        second = broker.psm("serve", "--listen", f"{broker.host}:{broker.port}", check=False)
        assert second.returncode == 1 and second.stdout == ""
        assert f"can not listen on {broker.host}:{broker.port}" in second.stderr
        assert "--replace" in second.stderr and "Traceback" not in second.stderr
