"""A connection that is logged in keeps nothing of its login, and takes new keys all the same."""

from __future__ import annotations

import gc
import os
import threading
from collections import Counter, deque
from pathlib import Path

import asyncssh
import pytest
from asyncssh.connection import SSHConnection
from asyncssh.public_key import SSHLocalKeyPair

from psm_console.broker.session.driver import SessionDriver
from tests.support.waiting import eventually_sync

from .stand import Stand

FLOOD = 6 << 20


def live(stand: Stand, count: int = 1) -> list[SessionDriver]:
    """Return the sessions once `count` have a program on the target."""

    def found() -> list[SessionDriver]:
        drivers = list(stand.broker.running.worker.sessions.values())
        open_ = [one for one in drivers if any(r.channel.target for r in one.relays.values())]
        return open_ if len(open_) == count else []

    return eventually_sync(lambda: stand.broker.ask(found), what=f"{count} sessions at work")


def legs(driver: SessionDriver) -> tuple[SSHConnection, SSHConnection]:
    assert driver.target is not None
    return driver.operator, driver.target


def offers(driver: SessionDriver) -> list[bytes]:
    """Return what the legs keep of their key exchanges."""
    return [kept for leg in legs(driver) for kept in (leg._client_kexinit, leg._server_kexinit)]


def test_after_the_login_no_leg_keeps_what_it_was_made_of(stand: Stand) -> None:
    stand.popen("cat")
    stand.popen("cat")

    one, other = live(stand, 2)

    assert offers(one) == [b""] * 4
    for mine, theirs in zip(legs(one), legs(other), strict=True):
        assert mine._options is theirs._options
        assert (mine._kex, mine._auth) == (None, None)
        assert mine._enc_algs is theirs._enc_algs
        assert mine._revoked_host_keys is theirs._revoked_host_keys
        assert not mine._extensions_to_send
        assert "send_cipher" not in mine._extra
        assert not isinstance(mine._close_event._waiters, deque)


def test_channels_keep_no_queue_of_who_waits_and_no_attribute_that_none_of_them_needs(
    stand: Stand,
) -> None:
    stand.popen("cat")

    (driver,) = live(stand)

    channel = driver.relays[1].channel
    assert channel.operator is not None and channel.target is not None
    for half in (channel.operator, channel.target):
        assert not isinstance(half._close_event._waiters, deque)
    own = vars(channel.operator)
    assert not {"_x11_display", "_encoder", "_decoder"} & own.keys()


def test_the_pinned_host_key_stays_and_is_the_same_object_for_all(stand: Stand) -> None:
    stand.popen("cat")
    stand.popen("cat")

    pinned = [driver.target._trusted_host_keys for driver in live(stand, 2) if driver.target]

    expected = asyncssh.import_public_key(stand.sshd.host_key_line)
    assert pinned == [{expected}, {expected}]
    assert len({id(key) for keys in pinned for key in keys or ()}) == 1


@pytest.mark.attack
def test_the_credential_is_not_kept_once_it_let_the_broker_in(stand: Stand) -> None:
    stand.popen("cat")
    (driver,) = live(stand)
    public = asyncssh.read_public_key(Path(f"{stand.sshd.client_key}.pub")).public_data

    def kept() -> list[object]:
        gc.collect()
        held = [one for one in gc.get_objects() if isinstance(one, SSHLocalKeyPair)]
        return [one for one in held if one.public_data == public]

    assert stand.broker.ask(kept) == []
    target = driver.target
    assert target is not None and target._password is None and target._options.password is None


@pytest.mark.parametrize("by", ["peers", "broker"])
def test_both_legs_take_new_keys_in_a_flood_and_keep_nothing_of_them(
    by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: Counter[bool] = Counter()
    take = SSHConnection.send_newkeys

    def counted(leg: SSHConnection, k: bytes, h: bytes) -> None:
        taken[leg.is_server()] += 1
        if by == "broker":
            leg._rekey_bytes = 1 << 20
        take(leg, k, h)

    monkeypatch.setattr(SSHConnection, "send_newkeys", counted)
    often = ["RekeyLimit 1M"] if by == "peers" else []
    data = os.urandom(FLOOD)
    with Stand(sshd_extra=often) as stand:
        options = ["-o", "RekeyLimit=1M"] if by == "peers" else []
        process = stand.popen("cat", options=options)
        assert process.stdin is not None and process.stdout is not None
        (driver,) = live(stand)
        writing = threading.Thread(target=process.stdin.write, args=(data,))
        writing.start()

        assert process.stdout.read(FLOOD) == data

        writing.join()
        assert min(taken[True], taken[False]) > 4
        # An exchange may be under way when the last byte is here.
        eventually_sync(lambda: offers(driver) == [b""] * 4, what="nothing kept")
        stand.tidy()
