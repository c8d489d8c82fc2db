"""What the inspector costs: `python -m bench.recording_inspector [--sessions 300]`.

CPU of the inspector's rounds as a share of one core: with sessions that are silent, and with
sessions that all print four lines a second.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from psm_console.domain.names import AccountRef, SessionId, WorkerId
from psm_console.domain.policy import RecordingPolicy
from psm_console.domain.session import Channel, ChannelKind, Session, SessionState, Size
from psm_console.inspector.__main__ import POLL_S
from psm_console.inspector.inspector import Inspector
from psm_console.recording.channel import ChannelRecorder
from psm_console.recording.signing import Signer
from psm_console.recording.writer import SessionRecorder
from psm_console.store import Home, Store

ROUNDS = 12


def begin(store: Store, signer: Signer, number: int) -> ChannelRecorder:
    """Begin a session with a shell."""
    now = datetime.now(UTC)
    session = Session(
        id=SessionId(f"bench-{number}"),
        state=SessionState.ACTIVE,
        operator="ana",
        account=AccountRef("root", "db1"),
        started_at=now,
        worker=WorkerId("bench"),
    )
    recorder = SessionRecorder.create(
        store.home.recordings,
        session,
        signer=signer,
        policy=RecordingPolicy(),
        on_checkpoint=lambda point: None,
        clock=lambda: now,
    )
    channel = recorder.open_channel(1, ChannelKind.SHELL, at=0.0, size=Size(120, 40))
    store.sessions.begin(session)
    store.sessions.add_channel(
        Channel(session.id, 1, ChannelKind.SHELL, True, None, channel.file, now)
    )
    return channel


def share(store: Store, inspector: Inspector, printing: list[ChannelRecorder]) -> float:
    """Return the share of a core that rounds take while the channels of `printing` print."""
    spent = 0.0
    for number in range(ROUNDS):
        for channel in printing:
            channel.output(number, b"line %d \x1b[31mred\x1b[0m and so on\r\n" % number)
        store.workers.heartbeat(WorkerId("bench"), datetime.now(UTC))
        start = time.process_time()
        inspector.round()
        spent += time.process_time() - start
        time.sleep(POLL_S)
    return spent / (ROUNDS * POLL_S)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=300)
    count = parser.parse_args().sessions
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "home")
        home.create()
        with Store.create(home) as store:
            signer = Signer(Ed25519PrivateKey.generate())
            store.workers.register(WorkerId("bench"), os.getpid(), datetime.now(UTC), "::1", 1)
            with store.transaction():
                channels = [begin(store, signer, number) for number in range(count)]
            inspector = Inspector(store, lambda: False)
            inspector.round()
            for name, printing in (("silent", []), ("all printing", channels)):
                used = share(store, inspector, printing) * 100
                print(f"{count} sessions, {name:<14} {used:5.1f} % of a core")
            inspector.close()


if __name__ == "__main__":
    main()
