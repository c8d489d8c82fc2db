"""What a client of SFTP does to files, out of the bytes of its channel."""

from __future__ import annotations

import hashlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psm_console.domain.policy import SftpPolicy
from psm_console.domain.sftp import (
    Answered,
    Asked,
    Closed,
    Conversation,
    Fault,
    Forward,
    Refused,
    SftpEvent,
    Side,
    Summed,
    Transferred,
    conversation,
)
from psm_console.domain.sftp.conversation import HANDLE_LIMIT, OUTSTANDING_LIMIT
from psm_console.domain.sftp.wire import PACKET_LIMIT

from . import sftp_packets as p

READ, WRITE, APPEND, CREATE, TRUNCATE = 1, 2, 4, 8, 16


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _upload(talk: p.Talk, path: bytes, content: bytes) -> None:
    talk.ask(p.opening(1, path, WRITE | CREATE | TRUNCATE))
    talk.say(p.handle(1, b"h1"))
    half = len(content) // 2
    talk.ask(p.write(2, b"h1", 0, content[:half]), p.write(3, b"h1", half, content[half:]))
    talk.say(p.status(2), p.status(3))
    talk.ask(p.close(4, b"h1"))
    talk.say(p.status(4))


def test_an_upload_is_an_open_and_a_close_with_the_digest_of_what_was_written() -> None:
    talk = p.Talk()
    _upload(talk, b"/tmp/x", b"some content")
    assert talk.files() == [
        Asked(1, "open", b"/tmp/x", None, (("for", "write create truncate"), ("mode", "644"))),
        Answered(1, "open", "ok"),
        Closed(1, b"/tmp/x", "ok", None, Transferred(12, 0, _sha(b"some content")), None),
    ]


def test_a_download_has_the_digest_of_what_was_read() -> None:
    talk = p.Talk()
    talk.ask(p.opening(1, b"/etc/hosts", READ))
    talk.say(p.handle(1, b"\0\0\0\0"))
    talk.ask(p.read(2, b"\0\0\0\0", 0, 5), p.read(3, b"\0\0\0\0", 5, 5))
    talk.say(p.data(2, b"hello"), p.data(3, b"you"))
    talk.ask(p.read(4, b"\0\0\0\0", 8, 5), p.close(5, b"\0\0\0\0"))
    talk.say(p.status(4, 1), p.status(5))
    closed = talk.files()[-1]
    assert isinstance(closed, Closed)
    assert closed.read == Transferred(8, 0, _sha(b"helloyou"))
    assert closed.written is None


def test_bytes_that_do_not_follow_each_other_have_no_digest_and_say_so() -> None:
    talk = p.Talk()
    talk.ask(p.opening(1, b"/x", WRITE))
    talk.say(p.handle(1, b"h"))
    talk.ask(p.write(2, b"h", 100, b"b"), p.write(3, b"h", 0, b"a"), p.close(4, b"h"))
    talk.say(p.status(2), p.status(3), p.status(4))
    closed = talk.files()[-1]
    assert isinstance(closed, Closed)
    assert closed.written == Transferred(2, 0, None)


def test_a_transfer_that_resumes_says_where_it_began() -> None:
    talk = p.Talk()
    talk.ask(p.opening(1, b"/x", WRITE))
    talk.say(p.handle(1, b"h"))
    talk.ask(p.write(2, b"h", 100, b"rest"), p.close(4, b"h"))
    talk.say(p.status(2, 4), p.status(4))
    closed = talk.files()[-1]
    assert isinstance(closed, Closed)
    assert closed.written == Transferred(4, 100, _sha(b"rest"), failed=1)


def test_appended_bytes_follow_each_other_wherever_the_client_says_they_go() -> None:
    talk = p.Talk()
    talk.ask(p.opening(1, b"/x", WRITE | APPEND))
    talk.say(p.handle(1, b"h"))
    talk.ask(p.write(2, b"h", 0, b"one"), p.write(3, b"h", 0, b"two"), p.close(4, b"h"))
    talk.say(p.status(2), p.status(3), p.status(4))
    closed = talk.files()[-1]
    assert isinstance(closed, Closed) and closed.written is not None
    assert closed.written.sha256 == _sha(b"onetwo")


@pytest.mark.parametrize(
    ("packet", "asked"),
    [
        (p.of_path(13, 1, b"/a"), Asked(1, "remove", b"/a")),
        (
            p.of_path(14, 1, b"/a", p.u32(4) + p.u32(0o700)),
            Asked(1, "mkdir", b"/a", None, (("mode", "700"),)),
        ),
        (p.of_path(15, 1, b"/a"), Asked(1, "rmdir", b"/a")),
        (p.of_path(18, 1, b"/a", p.text(b"/b")), Asked(1, "rename", b"/a", b"/b")),
        (p.of_path(20, 1, b"/to", p.text(b"/link")), Asked(1, "symlink", b"/link", b"/to")),
        (
            p.of_path(9, 1, b"/a", p.u32(0xF) + p.u64(0) + p.u32(5) + p.u32(6) + p.u32(0o4755)
                      + p.u32(7) + p.u32(8)),
            Asked(1, "setstat", b"/a", None, (("size", 0), ("uid", 5), ("gid", 6),
                                              ("mode", "4755"), ("atime", 7), ("mtime", 8))),
        ),
        (
            p.extended(1, b"posix-rename@openssh.com", p.text(b"/a") + p.text(b"/b")),
            Asked(1, "rename", b"/a", b"/b"),
        ),
        (
            p.extended(1, b"hardlink@openssh.com", p.text(b"/a") + p.text(b"/b")),
            Asked(1, "link", b"/a", b"/b"),
        ),
        (
            p.extended(1, b"lsetstat@openssh.com", p.text(b"/a") + p.u32(4) + p.u32(0o600)),
            Asked(1, "setstat", b"/a", None, (("mode", "600"),)),
        ),
    ],
)  # fmt: skip
def test_each_operation_is_told_before_it_is_passed_on(packet: bytes, asked: Asked) -> None:
    talk = p.Talk()
    assert talk.ask(packet) == [asked, Forward(Side.OPERATOR, packet)]
    reply = p.status(1, 3)
    assert talk.say(reply) == [
        Answered(1, asked.op, "permission denied"),
        Forward(Side.TARGET, reply),
    ]


def test_a_copy_on_the_target_names_both_files() -> None:
    talk = p.Talk()
    talk.ask(p.opening(1, b"/from", READ), p.opening(2, b"/to", WRITE))
    talk.say(p.handle(1, b"a"), p.handle(2, b"b"))
    body = p.text(b"a") + p.u64(0) + p.u64(9) + p.text(b"b") + p.u64(0)
    talk.ask(p.write(3, b"b", 0, b"x"), p.extended(4, b"copy-data", body), p.close(5, b"b"))
    talk.say(p.status(3), p.status(4), p.status(5))
    facts = (("offset", 0), ("bytes", 9), ("into_offset", 0))
    assert Asked(3, "copy", b"/from", b"/to", facts) in talk.files()
    closed = talk.files()[-1]
    assert isinstance(closed, Closed) and closed.written is not None
    assert closed.written.sha256 is None, "what the target copied did not pass here"


def test_a_folder_that_is_listed_says_how_many_names_were_read() -> None:
    talk = p.Talk()
    talk.ask(p.of_path(11, 1, b"/etc"))
    talk.say(p.handle(1, b"d"))
    talk.ask(p.of_path(12, 2, b"d"), p.of_path(12, 3, b"d"))
    talk.say(p.names(2, b"a", b"b"), p.status(3, 1))
    talk.ask(p.close(4, b"d"))
    talk.say(p.status(4))
    assert talk.files()[-1] == Closed(1, b"/etc", "ok", None, None, 2)


def test_looking_at_files_is_counted() -> None:
    talk = p.Talk()
    for number, kind in enumerate((7, 17, 16)):
        talk.ask(p.of_path(kind, number, b"/a"))
    assert talk.files() == []
    talk.ask(p.INIT[:7])
    assert talk.conversation.finish() == [Summed((("realpath", 1), ("stat", 2)), held=7)]


def test_what_is_open_at_the_end_is_told_with_what_went_through_it() -> None:
    talk = p.Talk()
    talk.ask(p.opening(1, b"/x", WRITE))
    talk.say(p.handle(1, b"h"))
    talk.ask(p.write(2, b"h", 0, b"abc"))
    assert talk.conversation.finish() == [
        Closed(1, b"/x", "never closed", None, Transferred(3, 0, _sha(b"abc")), None),
        Summed((("open", 1), ("write", 1))),
    ]
    assert talk.ask(p.write(3, b"h", 3, b"d")) == []


def test_a_client_that_offers_a_newer_version_is_brought_to_the_one_that_is_understood() -> None:
    conversation = Conversation(SftpPolicy())
    found = conversation.feed(Side.OPERATOR, p.packet(1, p.u32(6)))
    assert found == [Forward(Side.OPERATOR, p.INIT)]


_FULL = [
    (Side.OPERATOR, p.INIT),
    (Side.TARGET, p.VERSION),
    (Side.OPERATOR, p.opening(1, b"/x", WRITE | READ) + p.of_path(17, 2, b"/y")),
    (Side.TARGET, p.handle(1, b"h") + p.status(2, 2)),
    (Side.OPERATOR, p.write(3, b"h", 0, b"abc" * 50) + p.read(4, b"h", 0, 99)),
    (Side.OPERATOR, p.extended(9, b"unheard-of", b"...") + p.of_path(13, 5, b"/z")),
    (Side.TARGET, p.status(3) + p.data(4, b"q" * 99) + p.status(5)),
    (Side.OPERATOR, p.close(6, b"h")),
    (Side.TARGET, p.status(6)),
]


def _merged(events: list[SftpEvent]) -> list[SftpEvent]:
    """Join what is passed on one after the other; where it is cut says nothing."""
    found: list[SftpEvent] = []
    for event in events:
        last = found[-1] if found else None
        if isinstance(event, Forward) and isinstance(last, Forward) and last.side is event.side:
            found[-1] = Forward(last.side, last.data + event.data)
        else:
            found.append(event)
    return found


@given(st.data())
def test_how_the_bytes_are_cut_makes_no_difference(data: st.DataObject) -> None:
    whole, cut = Conversation(SftpPolicy()), Conversation(SftpPolicy())
    for side, stream in _FULL:
        expected = whole.feed(side, stream)
        places = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=6)))
        found: list[SftpEvent] = []
        for start, end in zip([0, *places], [*places, len(stream)], strict=True):
            found += cut.feed(side, stream[start:end])
        assert _merged(found) == _merged(expected)
    assert whole.operations == cut.operations == 3


_KINDS = st.sampled_from([*range(1, 24), *range(100, 107), 200, 201, 255])
_BODY = st.one_of(
    st.binary(max_size=60),
    st.builds(
        lambda number, parts: p.u32(number) + b"".join(p.text(part) for part in parts),
        st.integers(0, 3),
        st.lists(st.binary(max_size=12), max_size=4),
    ),
)
_HOSTILE = st.lists(
    st.tuples(
        st.sampled_from(list(Side)),
        st.one_of(st.binary(max_size=40), st.builds(p.packet, _KINDS, _BODY)),
    ),
    max_size=30,
)


@pytest.mark.attack
@given(_HOSTILE, st.booleans())
def test_hostile_bytes_never_raise_and_nothing_passes_after_a_fault(
    stream: list[tuple[Side, bytes]], begun: bool
) -> None:
    conversation = Conversation(SftpPolicy(denied_paths=("/etc/*",)))
    if begun:
        conversation.feed(Side.OPERATOR, p.INIT)
        conversation.feed(Side.TARGET, p.VERSION)
    faulted = False
    for side, data in stream:
        found = conversation.feed(side, data)
        assert not (faulted and found)
        faults = [event for event in found if isinstance(event, Fault)]
        assert len(faults) <= 1 and (not faults or found[-1] is faults[0])
        faulted = faulted or bool(faults)
    conversation.finish()


@pytest.mark.attack
@pytest.mark.parametrize(
    ("side", "stream", "why"),
    [
        (Side.OPERATOR, b"SSH-2.0-x\r\n", "a packet says that it has"),
        (Side.OPERATOR, p.u32(0), "a packet says that it has 0"),
        (Side.OPERATOR, p.u32(PACKET_LIMIT + 1), "a packet says that it has"),
        (Side.OPERATOR, p.packet(99, p.u32(1)), "type 99"),
        (Side.OPERATOR, p.INIT, "type 1"),
        (Side.OPERATOR, p.opening(1, b"/x", 1)[:9] + b"\xff" * 20, "ends too early"),
        (Side.OPERATOR, p.of_path(17, 7, b"/x"), "the same number"),
        (Side.TARGET, p.status(99), "belongs to no request"),
        (Side.TARGET, p.handle(7, b"h"), "is no answer to stat"),
        (Side.TARGET, p.VERSION, "belongs to no request"),
        (Side.TARGET, b"Welcome to db1!\n", "a packet says that it has"),
    ],
)
def test_a_stream_that_can_not_be_followed_is_a_fault(side: Side, stream: bytes, why: str) -> None:
    talk = p.Talk()
    talk.ask(p.of_path(17, 7, b"/x"))
    found = talk.ask(stream) if side is Side.OPERATOR else talk.say(stream)
    assert isinstance(found[-1], Fault)
    assert found[-1].side is side and why in found[-1].sentence
    assert not any(isinstance(event, Forward) for event in found)
    assert talk.ask(p.of_path(17, 8, b"/x")) == [], "it is over"


@pytest.mark.attack
@pytest.mark.parametrize("version", [0, 2, 4, 6])
def test_a_target_with_another_version_is_a_fault(version: int) -> None:
    conversation = Conversation(SftpPolicy())
    conversation.feed(Side.OPERATOR, p.INIT)
    found = conversation.feed(Side.TARGET, p.packet(2, p.u32(version)))
    assert isinstance(found[-1], Fault)


@pytest.mark.attack
def test_a_target_that_gives_more_than_was_asked_for_is_a_fault() -> None:
    talk = p.Talk()
    talk.ask(p.opening(1, b"/x", READ))
    talk.say(p.handle(1, b"h"))
    talk.ask(p.read(2, b"h", 0, 4))
    assert isinstance(talk.say(p.data(2, b"12345"))[-1], Fault)


@pytest.mark.attack
@pytest.mark.parametrize("handle", [b"h", b"", b"x" * 257])
def test_a_handle_that_is_taken_or_is_none_is_a_fault(handle: bytes) -> None:
    talk = p.Talk()
    talk.ask(p.opening(1, b"/x", READ), p.opening(2, b"/y", READ))
    talk.say(p.handle(1, b"h"))
    assert isinstance(talk.say(p.handle(2, handle))[-1], Fault)


def test_a_handle_may_be_given_again_once_its_file_is_being_closed() -> None:
    talk = p.Talk()
    talk.ask(p.opening(1, b"/x", READ))
    talk.say(p.handle(1, b"h"))
    talk.ask(p.close(2, b"h"), p.opening(3, b"/y", WRITE))
    talk.say(p.handle(3, b"h"), p.status(2))
    talk.ask(p.write(4, b"h", 0, b"abc"), p.close(5, b"h"))
    talk.say(p.status(4), p.status(5))
    ends = [event for event in talk.files() if isinstance(event, Closed)]
    assert [(end.number, end.path) for end in ends] == [(1, b"/x"), (2, b"/y")]
    assert ends[1].written == Transferred(3, 0, _sha(b"abc"))


@pytest.mark.attack
def test_nothing_is_written_through_a_handle_that_was_given_up() -> None:
    talk = p.Talk()
    talk.ask(p.opening(1, b"/x", WRITE))
    talk.say(p.handle(1, b"h"))
    talk.ask(p.close(2, b"h"))
    assert p.forwarded(talk.ask(p.write(3, b"h", 0, b"late")), Side.OPERATOR) == b""


@pytest.mark.attack
def test_a_side_that_does_not_begin_as_it_must_is_a_fault() -> None:
    for side, stream in (
        (Side.TARGET, p.VERSION),
        (Side.OPERATOR, p.packet(1, p.u32(2))),
        (Side.OPERATOR, p.of_path(13, 1, b"/x")),
    ):
        (found,) = Conversation(SftpPolicy()).feed(side, stream)
        assert isinstance(found, Fault)


@pytest.mark.attack
def test_requests_that_pile_up_are_a_fault() -> None:
    talk = p.Talk()
    stream = b"".join(p.of_path(17, number, b"/x") for number in range(OUTSTANDING_LIMIT))
    assert not any(isinstance(event, Fault) for event in talk.ask(stream))
    found = talk.ask(p.of_path(17, OUTSTANDING_LIMIT, b"/x"))
    assert isinstance(found[-1], Fault)


@pytest.mark.attack
def test_refusals_without_end_are_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "REFUSED_LIMIT", 20)
    talk = p.Talk()
    found = talk.ask(*(p.extended(number, b"?") for number in range(40)))
    assert sum(isinstance(event, Refused) for event in found) == 20
    assert found[-1] == Fault(Side.OPERATOR, "more than 20 requests were refused")


@pytest.mark.attack
@pytest.mark.parametrize("paths", [(b"/a\0b", b"/c"), (b"/a", b"/c\0")])
def test_a_path_with_a_nul_does_not_pass(paths: tuple[bytes, bytes]) -> None:
    found = p.Talk().ask(p.of_path(18, 1, paths[0], p.text(paths[1])))
    assert isinstance(found[0], Refused) and "NUL" in found[0].why
    assert p.forwarded(found, Side.OPERATOR) == b""


@pytest.mark.attack
def test_one_file_too_many_is_refused_also_while_the_target_has_not_answered() -> None:
    talk = p.Talk()
    for number in range(HANDLE_LIMIT):
        talk.ask(p.opening(number, b"/x", READ))
        if number % 2:
            talk.say(p.handle(number, struct.pack(">I", number)))
    found = talk.ask(p.opening(HANDLE_LIMIT, b"/x", READ))
    assert isinstance(found[0], Refused)
    assert not any(isinstance(event, Forward) for event in found)


@pytest.mark.attack
def test_bytes_for_a_handle_that_was_only_guessed_do_not_pass() -> None:
    talk = p.Talk()
    talk.ask(p.opening(1, b"/x", WRITE))
    found = talk.ask(p.write(2, b"\0\0\0\0", 0, b"unseen"))
    assert isinstance(found[0], Refused)
    assert p.forwarded(found, Side.OPERATOR) == b""
    assert p.answers(found)[0][4] == 101


@pytest.mark.attack
def test_an_extension_that_nobody_knows_is_answered_and_not_passed_on() -> None:
    talk = p.Talk()
    found = talk.ask(p.extended(5, b"version-select", p.text(b"6")))
    assert isinstance(found[0], Refused) and found[0].facts == (("extension", "version-select"),)
    assert p.answers(found)[0][5:13] == p.u32(5) + p.u32(8)
    assert p.forwarded(found, Side.OPERATOR) == b""


@pytest.mark.attack
def test_a_path_that_no_system_has_is_refused_and_kept_short() -> None:
    talk = p.Talk()
    found = talk.ask(p.of_path(13, 1, b"/" + b"x" * 5000))
    assert isinstance(found[0], Refused) and len(found[0].path) == 4096
