"""Which cipher a client gets: AES-GCM where it can, whatever it would rather have."""

from __future__ import annotations

import pytest

from .stand import Stand


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ("aes128-ctr,aes256-ctr,aes128-gcm@openssh.com", "aes128-gcm@openssh.com"),
        ("aes256-ctr,aes256-gcm@openssh.com,aes128-gcm@openssh.com", "aes256-gcm@openssh.com"),
        ("aes256-ctr", "aes256-ctr"),
        ("aes128-ctr,chacha20-poly1305@openssh.com", "aes128-ctr"),
    ],
)
def test_openssh_gets_gcm_where_it_offers_it(stand: Stand, offered: str, chosen: str) -> None:
    done = stand.client.run(stand.user, "echo in", options=["-v", "-c", offered])

    assert done.stdout == b"in\n"
    for way in (b"server->client", b"client->server"):
        assert b"%b cipher: %b MAC:" % (way, chosen.encode()) in done.stderr
