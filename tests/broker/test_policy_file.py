"""A policy that changes while the broker runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from psm_console.broker.policy_file import PolicyFile
from psm_console.store import StoreError
from tests.support.waiting import eventually_sync

from .stand import Stand


@pytest.fixture(scope="module")
def shared_stand() -> Iterator[Stand]:
    """A broker that starts with a notice of its own."""
    with Stand(config='notice = "first notice"\n') as running:
        yield running


def test_a_changed_config_holds_for_the_next_session_and_is_audited(stand: Stand) -> None:
    assert b"first notice" in stand.client.run(stand.user, "true").stderr

    stand.home.config.write_text('notice = "second notice"\n')
    eventually_sync(
        lambda: stand.read(lambda store: store.audit.list(action="policy.reload")),
        what="the audit entry",
    )

    assert b"second notice" in stand.client.run(stand.user, "true").stderr


def test_a_config_that_can_not_be_used_leaves_the_policy_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[limits]\nidle_s = 60\n")
    path.chmod(0o600)
    policy = PolicyFile(path)

    path.write_text("[limits]\nidle_s = [\n")

    assert not policy.changed()
    assert policy.policy.limits.idle_s == 60
    with pytest.raises(StoreError):
        PolicyFile(path)
