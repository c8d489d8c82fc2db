"""The blind-spot ledger where sessions and recordings are looked at."""

from __future__ import annotations

from dataclasses import replace

import pytest

from psm_console.console import glyphs
from psm_console.console.ledger import LATEST, ledger_facts, standing
from psm_console.domain.blind_spots import Coverage
from psm_console.domain.names import SessionId
from psm_console.domain.session import Channel, ChannelKind, Ledger, SessionState
from psm_console.domain.text import HIDDEN
from tests.console.driving import console
from tests.console.stage import Stage, now

TYPED = Ledger(output_bytes=2048, input_bytes=300)
SHELL = Channel(SessionId("s"), 1, ChannelKind.SHELL, True, None, "1", now(), ledger=TYPED)
FILES = Channel(
    SessionId("s"), 2, ChannelKind.SFTP, False, None, "2", now(), closed_at=now(), exit="0",
    ledger=Ledger(5000, 100, "digest", 0, 5100, 0, 3),
)  # fmt: skip


def told(*channels: Channel) -> list[tuple[str, str]]:
    facts = ledger_facts(channels, channels[0] if channels else None)
    return [(label, value.replace("\N{NO-BREAK SPACE}", " ")) for label, value, _ in facts]


def test_each_channel_tells_what_went_by_and_how_much_of_it_can_be_seen() -> None:
    assert told(SHELL, FILES) == [
        ("Shown", "1 shell · 2.0 kB out, 300 B in"),
        ("", "◑ in part · screen as bytes, typing counted"),
        ("Channel", "2 sftp (no terminal) · 5.0 kB out, 100 B in, 3 file operations → 0"),
        ("", "○ digest · file operations, contents as SHA-256"),
        (
            "Unseen",
            "300 B typed (counted, as the policy keeps it out); "
            "5.1 kB of file transfer (operations, sizes and SHA-256 are kept)",
        ),
    ]


def test_the_sentence_is_about_all_channels_also_those_without_a_line() -> None:
    many = [replace(SHELL, number=number) for number in range(1, 21)]

    facts = told(*many)

    assert len(facts) == 2 * LATEST + 2 and ("Earlier", "12 more channels") in facts
    assert facts[-1][1].startswith("6.0 kB typed")


def test_nothing_unseen_is_said_too() -> None:
    whole = replace(SHELL, ledger=Ledger(output_bytes=5, input_recorded="bytes"))

    assert told(whole)[-2:] == [("", "✔ whole · all as bytes"), ("Unseen", "nothing")]
    assert (standing([whole]), standing([])) == ("✔ all to be seen", "")


@pytest.mark.attack
def test_a_hostile_command_and_exit_are_spelled_out() -> None:
    hostile = replace(FILES, command="\x1b]52;c;x\x07\u202e", exit="\x1b[2J")

    assert HIDDEN.search("".join(value for _, value in told(hostile))) is None


def test_each_coverage_has_a_sign_of_its_own_also_in_ascii() -> None:
    signs = [glyphs.COVERAGES[coverage] for coverage in Coverage]

    assert len(set(signs)) == len({sign.translate(glyphs.TO_ASCII) for sign in signs}) == 3


@pytest.mark.parametrize("size", [(120, 40), (190, 48)])
async def test_the_ledger_of_a_watched_session_follows_its_counts(
    stage: Stage, size: tuple[int, int]
) -> None:
    session = stage.session("s-1")
    async with console(stage, size, link="psm://session/s-1") as seen:
        await seen.shows("✔ whole")

        stage.store.sessions.set_ledgers(session.id, {1: TYPED})

        await seen.shows("◑ in part")
        await seen.shows("Unseen")
        await seen.shows("300\N{NO-BREAK SPACE}B typed")


async def test_where_there_is_no_room_a_word_stands_above_the_screen(stage: Stage) -> None:
    session = stage.session("s-1")
    stage.store.sessions.set_ledgers(session.id, {1: TYPED})
    async with console(stage, (80, 24), link="psm://session/s-1") as seen:
        await seen.shows("◑ 300\N{NO-BREAK SPACE}B not to be seen")


async def test_a_recording_tells_what_its_channels_do_not_show(stage: Stage) -> None:
    session = stage.session("s-1")
    session.prints(b"$ make\r\n")
    session.channel.input(0.2, b"make\n")
    session.ends()
    async with console(stage, link="psm://session/s-1@0") as seen:
        await seen.shows("◑ in part")
        await seen.shows("5\N{NO-BREAK SPACE}B typed")


async def test_the_state_of_the_session_is_told_apart_from_it(stage: Stage) -> None:
    session = stage.session("s-1")
    session.becomes(SessionState.PAUSED, paused_by="sue")
    async with console(stage, link="psm://session/s-1") as seen:
        await seen.shows("Ⅱ PAUSED by sue")
        await seen.shows("✔ whole")
