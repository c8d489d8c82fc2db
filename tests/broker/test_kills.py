"""Workers die at random moments under load, as often as it takes: no client got more than the
recording has.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from psm_console.recording.cast_check import VerdictWord
from tests.support.broker import Broker
from tests.support.sshd import Sshd

from .killing import LOST_S, Killing, missing
from .test_supervisor import audited

pytestmark = pytest.mark.fault

KILLS = 10


@pytest.fixture(scope="module")
def crew() -> Iterator[Broker]:
    """A broker of four workers."""
    with Sshd() as target, Broker(target, serve=("--workers", "4")) as found:
        yield found


def test_ten_sigkills_at_random_moments_cost_no_byte_that_a_client_got(crew: Broker) -> None:
    with Killing(crew, seed=1) as killing:
        toll = killing.toll
        while toll.kills < KILLS:
            killing.round(4, KILLS - toll.kills)

        assert toll.bytes_missing == 0
        assert toll.sessions >= KILLS and toll.bytes_got > 0
        assert toll.words == {VerdictWord.INCOMPLETE}
        assert toll.slowest_s <= LOST_S
    assert 1 <= len(audited(crew, "worker.lost")) <= KILLS


def test_a_byte_that_is_not_in_the_recording_counts() -> None:
    assert missing(b"abc", b"abcdef") == 0
    assert missing(b"abc", b"ab") == 1
    assert missing(b"abcd", b"axcd") == 3
