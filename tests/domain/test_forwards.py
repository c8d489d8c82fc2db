from __future__ import annotations

import pytest

from psm_console.domain.forwards import (
    ForwardRules,
    TcpDestination,
    listed,
    socket_destination,
    tcp_destination,
)
from psm_console.domain.policy import InnerSsh


def allows(rules: ForwardRules, host: str, port: int) -> bool:
    asked = tcp_destination(host, port)
    return asked is not None and rules.refusal(asked) is None


@pytest.mark.parametrize(
    ("entry", "spelled"),
    [
        ("127.0.0.1:5432", "127.0.0.1:5432"),
        ("DB.Example.com:80", "db.example.com:80"),
        ("10.0.0.7:*", "10.0.0.7:*"),
        ("[::1]:443", "[::1]:443"),
        ("[0:0::1]:*", "[::1]:*"),
        ("unix:/run/x.sock", "unix:/run/x.sock"),
    ],
)
def test_an_entry_has_one_spelling(entry: str, spelled: str) -> None:
    assert listed(entry) == spelled


@pytest.mark.parametrize(
    "entry",
    [
        *("", "*", "*:*", "*:80", "h", "h:", "h:0", "h:65536", "h:080", "h:+8", "h: 80", "::1:80"),
        *("[::1%eth0]:80", "127.1:80", "0x7f000001:80", "2130706433:80", "h\n:80", "-o:80", "é:80"),
        *(
            "unix:",
            "unix:run/x",
            "unix:/run/../x",
            "unix://x",
            "unix:/a\x1bb",
            "unix:/" + "x" * 200,
        ),
    ],
)
def test_what_is_no_destination_is_refused_with_a_sentence(entry: str) -> None:
    with pytest.raises(ValueError, match=r"'.*' (is not|names no|has no)"):
        listed(entry)


@pytest.mark.attack
def test_only_what_is_listed_is_reached_however_it_is_spelled() -> None:
    rules = ForwardRules((listed("127.0.0.1:5432"), listed("10.0.0.7:*"), listed("[::1]:80")))

    assert allows(rules, "127.0.0.1", 5432) and allows(rules, "10.0.0.7", 9)
    assert allows(rules, "0:0:0:0:0:0:0:1", 80)
    for host, port in [
        ("127.0.0.1", 5433),
        ("127.1", 5432),
        ("localhost", 5432),
        ("127.0.0.1 ", 5432),
        ("127.0.0.1\0", 5432),
        ("::ffff:127.0.0.1", 5432),
        ("10.0.0.7", 0),
        ("10.0.0.7", 1 << 16),
        ("10.0.0.70", 9),
        ("", 80),
        ("*", 80),
    ]:
        assert not allows(rules, host, port), (host, port)


@pytest.mark.attack
def test_ssh_is_never_meant_by_a_star_nor_reached_without_policy() -> None:
    entries = tuple(map(listed, ("10.0.0.7:*", "10.0.0.8:22", "127.0.0.1:2022")))
    shut = ForwardRules(entries, "10.0.0.5", 2022)
    flagged = ForwardRules(entries, "10.0.0.5", 2022, InnerSsh.FLAG)

    for rules, exactly in ((shut, False), (flagged, True)):
        assert allows(rules, "10.0.0.8", 22) is exactly
        assert allows(rules, "127.0.0.1", 2022) is exactly
        assert not allows(rules, "10.0.0.7", 22)
    assert "SSH" in (shut.refusal(TcpDestination("10.0.0.8", 22)) or "")
    everything = ForwardRules((listed("10.0.0.5:*"),), "10.0.0.5", 2022, InnerSsh.FLAG)
    assert not allows(everything, "10.0.0.5", 2022) and allows(everything, "10.0.0.5", 2023)


def test_a_socket_is_reached_by_the_listed_path_alone() -> None:
    rules = ForwardRules((listed("unix:/run/x.sock"),))

    asked = socket_destination("/run/x.sock")
    assert asked is not None and rules.refusal(asked) is None
    for path in ("/run/y.sock", "/run/x.sock2"):
        other = socket_destination(path)
        assert other is not None and rules.refusal(other) is not None
    for path in (
        "/run/./x.sock",
        "/run//x.sock",
        "/run/a/../x.sock",
        "run/x.sock",
        "/run/x.sock\0",
    ):
        assert socket_destination(path) is None
