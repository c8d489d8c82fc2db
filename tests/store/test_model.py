"""Whatever happens in whatever order, the store reads as a simple model of it says."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from psm_console.domain.names import SessionId, WorkerId
from psm_console.domain.session import LIVE_STATES, SessionState
from psm_console.store import NotFound

from .factories import NOON, Clock, make_session, make_store, register_elsewhere

WORKERS = st.sampled_from([WorkerId("w-1"), WorkerId("w-2")])
NAMES = st.sampled_from([SessionId(f"s-{number}") for number in range(5)])
PEOPLE = st.sampled_from(["sue", "bo"])


@dataclass
class Expected:
    """What the model knows of a session."""

    state: SessionState
    worker: WorkerId
    order: int
    watchers: dict[str, datetime] = field(default_factory=dict)


class StoreModel(RuleBasedStateMachine):
    """Workers live and die, sessions begin, pause and end, people watch, brokers start again."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = Clock()
        self.store = make_store(Path(self.folder.name), self.clock)
        self.heard: dict[WorkerId, datetime] = {}
        self.sessions: dict[SessionId, Expected] = {}

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()

    @rule(seconds=st.sampled_from([0.5, 3, 6, 20]))
    def time_passes(self, seconds: float) -> None:
        self.clock.now += timedelta(seconds=seconds)

    @rule(worker=WORKERS)
    def a_broker_starts(self, worker: WorkerId) -> None:
        register_elsewhere(self.store, worker, self.clock.now)
        self.heard[worker] = self.clock.now

    @rule(worker=WORKERS)
    def a_heart_beats(self, worker: WorkerId) -> None:
        try:
            self.store.workers.heartbeat(worker, self.clock.now)
        except NotFound:
            assert worker not in self.heard
        else:
            self.heard[worker] = self.clock.now

    @rule(worker=WORKERS)
    def a_broker_stops(self, worker: WorkerId) -> None:
        self.store.workers.retire(worker, self.clock.now)
        self.heard.pop(worker, None)

    @rule(name=NAMES, worker=WORKERS)
    def a_session_begins(self, name: SessionId, worker: WorkerId) -> None:
        if name in self.sessions:
            return
        order = len(self.sessions)
        begun = NOON + timedelta(microseconds=order)
        self.store.sessions.begin(make_session(name, worker=worker, started_at=begun))
        self.sessions[name] = Expected(SessionState.ACTIVE, worker, order)

    @rule(name=NAMES, state=st.sampled_from([SessionState.PAUSED, SessionState.ENDING]))
    def a_state_changes(self, name: SessionId, state: SessionState) -> None:
        try:
            self.store.sessions.set_state(name, state)
        except NotFound:
            assert name not in self.sessions
            return
        if self.sessions[name].state in LIVE_STATES:
            self.sessions[name].state = state

    @rule(name=NAMES)
    def a_session_ends(self, name: SessionId) -> None:
        if name not in self.sessions:
            return
        model = self.sessions[name]
        done = self.store.sessions.end(name, self.clock.now, "over")
        assert done is (model.state is not SessionState.ENDED)
        model.state = SessionState.ENDED
        model.watchers.clear()

    @rule(name=NAMES, person=PEOPLE)
    def somebody_watches(self, name: SessionId, person: str) -> None:
        if name in self.sessions:
            self.store.watchers.enter(name, person, f"{name}{person}", self.clock.now)
            self.sessions[name].watchers[person] = self.clock.now

    @rule(name=NAMES, person=PEOPLE)
    def somebody_leaves(self, name: SessionId, person: str) -> None:
        self.store.watchers.leave(f"{name}{person}")
        if name in self.sessions:
            self.sessions[name].watchers.pop(person, None)

    @rule()
    def a_starting_broker_puts_away_the_lost(self) -> None:
        lost = {session.id for session in self.store.sessions.mark_lost(self.clock.now)}
        expected = {name for name in self.sessions if self._reads(name) is SessionState.LOST}
        assert lost == {n for n in expected if self.sessions[n].state is not SessionState.LOST}
        for name in lost:
            self.sessions[name].state = SessionState.LOST
            self.sessions[name].watchers.clear()
        self.heard = {worker: at for worker, at in self.heard.items() if self._lives(worker)}

    def _lives(self, worker: WorkerId) -> bool:
        heard = self.heard.get(worker)
        return heard is not None and self.clock.now - heard <= timedelta(seconds=5)

    def _reads(self, name: SessionId) -> SessionState:
        model = self.sessions[name]
        gone = model.state in LIVE_STATES and not self._lives(model.worker)
        return SessionState.LOST if gone else model.state

    @invariant()
    def the_store_reads_as_the_model_says(self) -> None:
        read = {session.id: session for session in self.store.sessions.list(live_only=False)}
        oldest = self.clock.now - timedelta(seconds=15)

        assert list(read) == sorted(self.sessions, key=lambda name: self.sessions[name].order)
        for name, session in read.items():
            watching = {who for who, at in self.sessions[name].watchers.items() if at >= oldest}
            assert session.state is self._reads(name)
            assert set(session.watchers) == watching
        live = [session.id for session in self.store.sessions.list()]
        assert live == [name for name in read if self.sessions[name].state in LIVE_STATES]


StoreModel.TestCase.settings = settings(max_examples=15, stateful_step_count=30, deadline=None)
TestStoreModel = StoreModel.TestCase
