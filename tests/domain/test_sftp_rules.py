"""Which requests of an SFTP client a policy refuses."""

from __future__ import annotations

import pytest

from psm_console.domain.policy import SftpPolicy
from psm_console.domain.sftp import Asked, Forward, Refused, Side

from . import sftp_packets as p

READ, WRITE, CREATE = 1, 2, 8
NO_UPLOAD = SftpPolicy(upload=False)
NO_DOWNLOAD = SftpPolicy(download=False)
DENIED = SftpPolicy(denied_paths=("/etc/shadow*", "/home/*/.ssh"))


def _passes(talk: p.Talk, packet: bytes) -> bool:
    found = talk.ask(packet)
    passed = p.forwarded(found, Side.OPERATOR) == packet
    assert passed or isinstance(found[0], Refused)
    return passed


@pytest.mark.parametrize(
    ("policy", "flags", "passes"),
    [
        (NO_UPLOAD, READ, True),
        (NO_UPLOAD, WRITE | CREATE, False),
        (NO_UPLOAD, CREATE, False),
        (NO_UPLOAD, READ | WRITE, False),
        (NO_DOWNLOAD, READ, False),
        (NO_DOWNLOAD, WRITE | CREATE, True),
        (NO_DOWNLOAD, READ | WRITE, False),
    ],
)
def test_up_and_download_can_be_refused(policy: SftpPolicy, flags: int, passes: bool) -> None:
    assert _passes(p.Talk(policy), p.opening(1, b"/x", flags)) is passes


@pytest.mark.attack
def test_a_file_opened_to_be_written_can_not_be_read_where_that_is_refused() -> None:
    talk = p.Talk(NO_DOWNLOAD)
    talk.ask(p.opening(1, b"/x", WRITE))
    talk.say(p.handle(1, b"h"))
    assert _passes(talk, p.write(2, b"h", 0, b"a"))
    assert not _passes(talk, p.read(3, b"h", 0, 1))


@pytest.mark.attack
def test_a_file_opened_to_be_read_can_not_be_written_where_that_is_refused() -> None:
    talk = p.Talk(NO_UPLOAD)
    talk.ask(p.opening(1, b"/x", READ))
    talk.say(p.handle(1, b"h"))
    assert _passes(talk, p.read(2, b"h", 0, 1))
    assert not _passes(talk, p.write(3, b"h", 0, b"a"))
    copy = p.text(b"h") + p.u64(0) + p.u64(0) + p.text(b"h") + p.u64(0)
    assert not _passes(talk, p.extended(4, b"copy-data", copy))


def test_a_refused_request_is_answered_with_permission_denied_and_its_number() -> None:
    talk = p.Talk(NO_UPLOAD)
    answer = p.answers(talk.ask(p.opening(77, b"/x", WRITE)))[0]
    assert answer[4] == 101
    assert answer[5:13] == p.u32(77) + p.u32(3)
    assert b"allows no upload" in answer
    assert int.from_bytes(answer[:4], "big") == len(answer) - 4


def test_everything_else_goes_on_around_a_refusal() -> None:
    talk = p.Talk(NO_UPLOAD)
    before, after = p.of_path(17, 1, b"/a"), p.of_path(13, 3, b"/b")
    found = talk.ask(before + p.opening(2, b"/x", WRITE) + after)
    kinds = [type(event).__name__ for event in found]
    assert kinds == ["Forward", "Refused", "Answer", "Asked", "Forward"]
    assert p.forwarded(found, Side.OPERATOR) == before + after


@pytest.mark.parametrize(
    ("path", "passes"),
    [
        (b"/etc/passwd", True),
        (b"/etc/shadow", False),
        (b"/etc/shadow-", False),
        (b"//etc//./shadow", False),
        (b"/tmp/../etc/shadow", False),
        (b"/home/ana/.ssh", False),
        (b"/home/ana/.ssh/id_ed25519", False),
        (b"/home/ana/.sshrc", True),
        (b"/home/ana/x\xff\n.ssh", True),
        (b"/", True),
    ],
)
def test_a_denied_path_and_what_lies_below_is_refused_however_it_is_spelled(
    path: bytes, passes: bool
) -> None:
    assert _passes(p.Talk(DENIED), p.opening(1, path, READ)) is passes


@pytest.mark.attack
@pytest.mark.parametrize(
    "packet",
    [
        p.of_path(13, 1, b"/etc/shadow"),
        p.of_path(18, 1, b"/tmp/x", p.text(b"/etc/shadow")),
        p.of_path(18, 1, b"/etc/shadow", p.text(b"/tmp/x")),
        p.of_path(20, 1, b"/etc/shadow", p.text(b"/tmp/x")),
        p.of_path(20, 1, b"../etc/shadow", p.text(b"/tmp/x")),
        p.extended(1, b"hardlink@openssh.com", p.text(b"/etc/shadow") + p.text(b"/tmp/x")),
        p.extended(1, b"lsetstat@openssh.com", p.text(b"/etc/shadow") + p.u32(0)),
        p.of_path(17, 1, b"/etc/shadow"),
        p.of_path(11, 1, b"/home/bob/.ssh"),
    ],
)
def test_no_operation_reaches_a_denied_path(packet: bytes) -> None:
    assert not _passes(p.Talk(DENIED), packet)


def test_relative_paths_begin_where_the_target_said() -> None:
    talk = p.Talk(DENIED)
    assert not _passes(talk, p.opening(1, b"notes", READ)), "nobody knows yet where that is"
    talk.ask(p.of_path(16, 2, b"."))
    talk.say(p.names(2, b"/home/ana"))
    assert _passes(talk, p.opening(3, b"notes", READ))
    assert not _passes(talk, p.opening(4, b".ssh/id", READ))
    assert not _passes(talk, p.opening(5, b"../../etc/shadow", READ))


@pytest.mark.attack
def test_what_a_link_points_to_counts_from_where_it_lies() -> None:
    talk = p.Talk(DENIED)
    talk.ask(p.of_path(16, 2, b"."))
    talk.say(p.names(2, b"/srv/deep/down"))
    assert not _passes(talk, p.of_path(20, 3, b"../etc/shadow", p.text(b"/tmp/link")))
    assert _passes(talk, p.of_path(20, 4, b"../etc/shadow", p.text(b"/srv/deep/link")))


def test_without_denied_paths_a_relative_path_needs_no_beginning() -> None:
    packet = p.opening(1, b"notes", READ)
    found = p.Talk().ask(packet)
    assert isinstance(found[0], Asked) and found[1] == Forward(Side.OPERATOR, packet)
