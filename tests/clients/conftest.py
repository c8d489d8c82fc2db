"""What client tests work with: one broker for a module, the ways to its target, and files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from psm_console.credentials import public_line
from tests.broker.stand import Stand
from tests.support.ways import Way, Ways


@pytest.fixture(scope="module")
def shared_stand() -> Iterator[Stand]:
    """A broker with default limits, started once for a module."""
    with Stand() as running:
        yield running


@pytest.fixture
def stand(shared_stand: Stand) -> Iterator[Stand]:
    """The module's broker, with no session of an earlier test."""
    yield shared_stand
    shared_stand.tidy()


@pytest.fixture
def ways(stand: Stand, tmp_path: Path) -> Ways:
    """Through the broker as ana, and straight to the sshd as its own user."""
    broker = public_line(stand.home.host_key)
    return Ways(
        _way(tmp_path / "through", stand.client.port, stand.user, stand.client.key, broker),
        _way(
            tmp_path / "direct",
            stand.sshd.port,
            stand.sshd.user,
            stand.sshd.client_key,
            stand.sshd.host_key_line,
        ),
    )


def _way(folder: Path, port: int, user: str, key: Path, host_key_line: str) -> Way:
    way = Way("127.0.0.1", port, user, key, " ".join(host_key_line.split()[:2]), folder)
    way.known_hosts.parent.mkdir(mode=0o700, parents=True)
    way.known_hosts.write_text(f"[127.0.0.1]:{port} {way.host_key_line}\n")
    return way


@pytest.fixture(scope="session")
def noise() -> bytes:
    """Three megabytes that can not be compressed, with every value a byte can have."""
    return os.urandom(3 << 20) + bytes(range(256))


@pytest.fixture
def files(tmp_path: Path, noise: bytes) -> Path:
    """A folder of files of many kinds to carry."""
    folder = tmp_path / "files"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "noise.bin").write_bytes(noise)
    (folder / "empty").touch()
    (folder / "deep" / "with space").write_text("a line\n" * 1000)
    (folder / "deep" / "er" / "grüße-✓.txt").write_text("grüße\n")
    script = folder / "deep" / "run.sh"
    script.write_text("#!/bin/sh\nexit 3\n")
    script.chmod(0o755)
    return folder
