"""What an authority signed is still held against time, place and purpose."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from psm_console.domain.certificate import FOREVER, HOST, USER, Certificate, certificate_fault

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
GOOD = Certificate(
    key_type="ssh-ed25519",
    key=b"",
    authority=b"",
    kind=USER,
    serial=7,
    key_id="ana",
    principals=("ana",),
    valid_after=int(NOON.timestamp()),
    valid_before=int(NOON.timestamp()) + 60,
)


def test_a_good_one_has_no_fault_from_its_first_second_to_its_last() -> None:
    assert certificate_fault(GOOD, "10.0.0.1", NOON) is None
    assert certificate_fault(GOOD, "10.0.0.1", NOON + timedelta(seconds=59.9)) is None
    assert certificate_fault(replace(GOOD, valid_before=FOREVER), "::1", NOON) is None


@pytest.mark.attack
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": HOST}, "for hosts"),
        ({"kind": 0}, "for hosts"),
        ({"kind": 3}, "for hosts"),
        ({"principals": ()}, "names no principal"),
        ({"valid_after": GOOD.valid_after + 1}, "not valid yet"),
        ({"valid_before": GOOD.valid_after}, "has expired"),
        ({"refused_options": ("force-command",)}, "demands force-command"),
        ({"refused_options": ("\x1b[2J",)}, "\\x1b[2J"),
        ({"source_addresses": ()}, "source-address"),
        ({"source_addresses": ("10.1.0.0/16",)}, "source-address"),
        ({"source_addresses": ("::/0",)}, "source-address"),
        ({"key_id": "\x1b]0;x\x07", "kind": HOST}, "\\x1b]0;x\\x07"),
    ],
)
def test_a_fault_is_a_sentence(changes: dict[str, object], said: str) -> None:
    fault = certificate_fault(replace(GOOD, **changes), "10.0.0.1", NOON)  # type: ignore[arg-type]

    assert fault is not None and said in fault
    assert fault.isprintable()


@pytest.mark.parametrize(
    ("network", "peer", "covered"),
    [
        ("10.0.0.0/8", "10.255.0.1", True),
        ("10.0.0.0/8", "::ffff:10.0.0.1", True),
        ("10.0.0.0/8", "11.0.0.1", False),
        ("fe80::/10", "fe80::1%eth0", True),
        ("0.0.0.0/0", "?", False),
    ],
)
def test_the_source_address_is_a_network(network: str, peer: str, covered: bool) -> None:
    fault = certificate_fault(replace(GOOD, source_addresses=(network,)), peer, NOON)

    assert (fault is None) is covered
