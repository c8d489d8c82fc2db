from __future__ import annotations

import pytest

from psm_console.domain.sniffing import Sniffer, protocol_of


@pytest.mark.parametrize(
    ("first", "name"),
    [
        (b"SSH-2.0-OpenSSH_9.2", "ssh"),
        (b"\x16\x03\x01\x02\x00\x01", "tls"),
        (b"GET / HTTP/1.1\r\n", "http"),
        (b"\0\0\0\x08\x04\xd2\x16\x2f", "postgres"),
        (b"\0\0\0\x54\0\x03\0\0user\0", "postgres"),
        (b"J\0\0\0\x0a8.0.36\0", "mysql"),
        (b"*1\r\n$4\r\nPING\r\n", "redis"),
        (b"RFB 003.008\n", "vnc"),
        (b"\x03\0\0\x13\x0e\xe0\0\0", "rdp"),
        (b"220 mail ESMTP Postfix\r\n", "smtp"),
        (b"220 ready\r\n", "ftp"),
        (b"hello", ""),
        (b"", ""),
    ],
)
def test_a_protocol_is_told_by_its_first_bytes(first: bytes, name: str) -> None:
    assert protocol_of(first) == name


@pytest.mark.attack
@pytest.mark.parametrize("side", ["send", "say"])
def test_ssh_is_seen_however_it_is_cut(side: str) -> None:
    sniffer = Sniffer()
    for place, byte in enumerate(b"SSH-2.0"):
        getattr(sniffer, side)(bytes([byte]))
        assert sniffer.inner_ssh is (place >= 3)
    assert sniffer.protocol == "ssh"


@pytest.mark.attack
def test_a_server_that_says_other_lines_before_its_name_is_seen() -> None:
    sniffer = Sniffer()
    sniffer.say(b"welcome\r\n" * 500 + b"S")
    sniffer.say(b"SH-2.0-x\r\n")
    assert sniffer.inner_ssh


def test_a_page_that_speaks_of_ssh_is_no_ssh() -> None:
    sniffer = Sniffer()
    sniffer.send(b"GET / HTTP/1.1\r\n\r\n")
    sniffer.say(b"HTTP/1.1 200 OK\r\n\r\nSSH-2.0 is a protocol\r\nSSH-1 was")
    assert not sniffer.inner_ssh and sniffer.protocol == "http"


def test_later_bytes_are_not_looked_at() -> None:
    sniffer = Sniffer()
    assert sniffer.send(b"x" * 100) and not sniffer.send(b"y")
    assert sniffer.sent == b"x" * 64
    assert sniffer.say(b"x" * 9000) and not sniffer.say(b"\nSSH-")
    assert not sniffer.inner_ssh
