"""The whole chain that the other tests stand on: ssh, our broker, a real sshd."""

from __future__ import annotations

from .broker import Broker
from .sshd import Sshd


def test_a_plain_ssh_works_through_a_broker_that_was_started_for_a_test() -> None:
    with Sshd() as target, Broker(target) as broker, broker.client() as client:
        done = client.run(broker.login, "cat; exit 3", stdin=b"\x00\xff")

        assert (done.stdout, done.returncode) == (b"\x00\xff", 3)
        ended = broker.wait_session("ended")
        assert (ended["operator"], ended["target"]) == ("ana", "db1")
        assert broker.stop() == 0
