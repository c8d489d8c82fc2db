"""Makes a believable long recording for the benches: an hour of shell, editor, monitor and logs."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from psm_console.domain.names import AccountRef, SessionId
from psm_console.domain.policy import RecordingPolicy
from psm_console.domain.session import ChannelKind, Session, SessionState, Size
from psm_console.recording.signing import Signer
from psm_console.recording.writer import SessionRecorder

COLUMNS, ROWS = 120, 40
WORDS = [
    "sshd", "systemd", "kernel", "cron", "nginx", "postgres", "GET", "POST", "error", "warning",
    "started", "stopped",
]  # fmt: skip


def monitor(chance: random.Random) -> Iterator[bytes]:
    """A full-screen program that repaints most of its lines, as top and htop do."""
    yield b"\x1b[?1049h\x1b[?25l\x1b[2J"
    for _ in range(chance.randrange(5, 40)):
        rows = [b"\x1b[H\x1b[1;32mtop - load average: %.2f\x1b[0m\x1b[K" % chance.random()]
        for row in range(2, ROWS):
            name = chance.choice(WORDS).encode()
            rows.append(
                b"\x1b[%d;1H\x1b[%dm%6d\x1b[39m root  20   0 %8d %7d S \x1b[1m%5.1f\x1b[0m %s\x1b[K"
                % (row, 31 + row % 6, chance.randrange(99999), chance.randrange(10**8),
                   chance.randrange(10**6), chance.random() * 100, name)
            )  # fmt: skip
        yield b"".join(rows)
    yield b"\x1b[?25h\x1b[?1049l"


def log(chance: random.Random) -> Iterator[bytes]:
    """A scrolling log."""
    for number in range(chance.randrange(50, 600)):
        text = " ".join(chance.choices(WORDS, k=chance.randrange(4, 14)))
        yield b"Nov 21 12:%02d:%02d db1 %s[%d]: %s\r\n" % (
            number // 60 % 60, number % 60, chance.choice(WORDS).encode(),
            chance.randrange(9999), text.encode(),
        )  # fmt: skip


def listing(chance: random.Random) -> Iterator[bytes]:
    """A prompt, a command typed letter by letter, a coloured listing."""
    yield b"\x1b[01;32mroot@db1\x1b[00m:\x1b[01;34m~\x1b[00m# "
    for letter in b"ls -la /etc":
        yield bytes([letter])
    yield b"\r\n"
    rows = [
        b"-rw-r--r-- 1 root root %7d Nov 21 12:00 \x1b[01;%dm%s.conf\x1b[0m\r\n"
        % (chance.randrange(10**6), 31 + row % 6, chance.choice(WORDS).encode())
        for row in range(chance.randrange(10, 80))
    ]
    yield b"".join(rows)


def editor(chance: random.Random) -> Iterator[bytes]:
    """An editor that scrolls by regions and writes single cells."""
    yield b"\x1b[?1049h\x1b[?1h\x1b[1;%dr\x1b[2J" % (ROWS - 1)
    for _ in range(chance.randrange(30, 200)):
        row, column = chance.randrange(1, ROWS), chance.randrange(1, COLUMNS - 20)
        word = chance.choice(WORDS).encode()
        yield b"\x1b[?25l\x1b[%d;%dH\x1b[38;5;%dm%s\x1b[0m \x1b[K\x1b[?25h" % (
            row, column, chance.randrange(256), word,
        )  # fmt: skip
        if chance.random() < 0.2:
            yield b"\x1b[%d;1H\r\n\x1b[33m%4d \x1b[0m%s" % (ROWS - 1, row, word * 5)
    yield b"\x1b[r\x1b[?1l\x1b[?1049l"


def output(size: int, seed: int = 1) -> Iterator[bytes]:
    """Yield chunks of output until they make `size` bytes."""
    chance = random.Random(seed)
    made = 0
    while made < size:
        for chunk in chance.choice((monitor, log, listing, editor))(chance):
            yield chunk
            made += len(chunk)


def make_recording(root: Path, size: int, duration_s: float = 3600.0) -> Path:
    """Write a recording of about `size` bytes of cast and return the cast."""
    start = datetime(2026, 11, 21, 12, tzinfo=UTC)
    recorder = SessionRecorder.create(
        root,
        Session(
            id=SessionId("bench"),
            state=SessionState.ACTIVE,
            operator="ana",
            account=AccountRef("root", "db1"),
            started_at=start,
        ),
        signer=Signer(Ed25519PrivateKey.generate()),
        policy=RecordingPolicy(quota_bytes=1 << 40),
        on_checkpoint=lambda point: None,
        clock=lambda: start,
    )
    channel = recorder.open_channel(
        1, ChannelKind.SHELL, at=0.0, size=Size(COLUMNS, ROWS), term="xterm-256color"
    )
    for chunk in output(size * 4):
        if channel.offset >= size:
            break
        channel.output(duration_s * channel.offset / size, chunk)
    recorder.close(duration_s, "done")
    return root / "bench" / channel.file
