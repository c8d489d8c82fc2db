"""What recording costs on the byte path: `python -m bench.recording_write`.

Microseconds a call of `output` and milliseconds a megabyte, by what is recorded; then what a check
of a recording costs.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from psm_console.domain.names import AccountRef, SessionId
from psm_console.domain.policy import RecordingPolicy
from psm_console.domain.session import ChannelKind, Session, SessionState, Size
from psm_console.recording.channel import ChannelRecorder
from psm_console.recording.signing import Signer, TrustedKeys
from psm_console.recording.verify import verify
from psm_console.recording.writer import SessionRecorder

COLOURED = b"drwxr-xr-x 2 root root 4096 \x1b[01;34mdirectory\x1b[0m\r\n"


def material() -> list[tuple[str, bool, bytes]]:
    """Return name, whether there is a PTY, and a chunk."""
    return [
        ("one key's echo", True, b"x"),
        ("a line of 80", True, b"x" * 78 + b"\r\n"),
        ("coloured text, 1 KiB", True, (COLOURED * 30)[:1024]),
        ("coloured text, 32 KiB", True, (COLOURED * 1000)[:32768]),
        ("é, 32 KiB", True, "é".encode() * 16384),
        ("not UTF-8 at a terminal, 4 KiB", True, os.urandom(4096)),
        ("binary through a pipe, 32 KiB", False, os.urandom(32768)),
        ("past the quota, 32 KiB", False, b"q"),
    ]


def recorder_in(folder: Path, signer: Signer, quota: int) -> SessionRecorder:
    """Return a recorder of a new session."""
    now = datetime.now(UTC)
    session = Session(
        id=SessionId("bench"),
        state=SessionState.ACTIVE,
        operator="ana",
        account=AccountRef("root", "db1"),
        started_at=now,
    )
    return SessionRecorder.create(
        folder,
        session,
        signer=signer,
        policy=RecordingPolicy(quota_bytes=quota),
        on_checkpoint=lambda point: None,
        clock=lambda: now,
    )


def measure(channel: ChannelRecorder, data: bytes, total: int) -> tuple[float, float]:
    """Return microseconds of CPU a call and milliseconds a megabyte."""
    calls = max(200, min(total // len(data), 50_000))
    start = time.thread_time()
    for number in range(calls):
        channel.output(number / 1000, data)
    spent = time.thread_time() - start
    return spent / calls * 1e6, spent * 1e3 / (calls * len(data) / 1e6)


def main() -> None:
    """Print a line for each kind of material."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=32, help="of each kind")
    total = parser.parse_args().megabytes << 20
    signer = Signer(Ed25519PrivateKey.generate())
    for name, pty, data in material():
        with tempfile.TemporaryDirectory() as folder:
            quota = 0 if name.startswith("past") else 1 << 40
            recorder = recorder_in(Path(folder), signer, quota)
            channel = recorder.open_channel(
                1,
                ChannelKind.SHELL if pty else ChannelKind.EXEC,
                at=0.0,
                size=Size(80, 24) if pty else None,
            )
            if not quota:
                data = b"q" * 32768
            call_us, mb_ms = measure(channel, data, total)
            size = recorder.close(1e6, "done").size_bytes
            start = time.thread_time()
            verdict = verify(
                Path(folder, "bench"), trusted=TrustedKeys.parse(signer.allowed_signers_line)
            )
            check_ms = (time.thread_time() - start) * 1e3 / (size / 1e6)
            print(
                f"{name:<32} {call_us:9.1f} µs a call {mb_ms:9.2f} ms/MB"
                f"   verify {verdict.word} {check_ms:6.2f} ms/MB of recording"
            )


if __name__ == "__main__":
    main()
