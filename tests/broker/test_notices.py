"""A notice in real programs: read by the operator, and then as if it had never been.

The client's terminal is compared with what is recorded, which never has a notice in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from psm_console.broker.notice import announcer
from psm_console.domain import live
from psm_console.domain.session import Outcome, Session, Verb
from psm_console.recording.live import screen_now
from psm_console.terminal import Screen
from tests.support.terminal import PtyProcess
from tests.support.tools import VIM, need
from tests.support.waiting import eventually_sync

from .stand import Stand

_BANNER = "This session is recorded and may be watched."
_BASH = "exec env PS1='db1$ ' HISTFILE=/dev/null bash --norc -i"
_HOSTILE = "stop \x1b]52;c;cm0=\x07\x1b[2J\x9b31m\u202enow\r\n\x1b[?1049h 本番"


@pytest.fixture(autouse=True)
def _short_bar(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(announcer, "_BAR_S", 1.0)
    monkeypatch.setattr(announcer, "_ROW_S", 0.0)
    yield


@dataclass
class Client:
    """What an operator sees, and what is recorded of it."""

    stand: Stand
    tty: PtyProcess
    session: Session
    screen: Screen = field(default_factory=lambda: Screen(80, 24, history=100))
    _fed: int = 0
    _read: int = 0

    def look(self) -> Screen:
        """Return the client's terminal as it is now."""
        while self.tty.read(0.0):
            pass
        new = bytes(self.tty.output[self._fed :])
        self._fed += len(new)
        self.screen.feed(new)
        return self.screen

    def shows(self, text: str) -> bool:
        return text in self.look().screen_text()

    def wait_for(self, text: str) -> None:
        eventually_sync(lambda: self.shows(text), what=f"{text!r} on the operator's screen")

    def reads(self, text: str) -> None:
        """Wait until the client was sent `text` after what it read before.

        A bar may come and go between two looks at the screen.
        """
        self._read = self.tty.wait_for(text, after=self._read)

    def recorded(self) -> Screen:
        cast = next(self.stand.recording(self.session).glob("1-*.cast"))
        shown = screen_now(cast)
        assert shown is not None
        return shown

    def is_as_recorded(self) -> bool:
        """Whether the terminal is in every cell, mode and the cursor what is recorded."""
        return _picture(self.look()) == _picture(self.recorded())

    def own_text(self) -> tuple[list[str], int, str]:
        """Return the program's lines on a normal screen, the cursor's column and its line."""
        return _own(self.look())

    def order(self, verb: Verb, text: str = "") -> None:
        answer = self.stand.order(self.session, verb, reason="look", text=text)
        assert answer.outcome is Outcome.DONE


Begin = Callable[[str, str], Client]


def _picture(screen: Screen) -> object:
    rows = [screen.row_runs(y) for y in range(screen.lines)]
    # Some terminals forget with a restored cursor that the next character wraps; `top` rests there.
    x = min(screen.cursor.x, screen.columns - 1)
    cursor = (x, screen.cursor.y, screen.cursor_visible, screen.cursor.attrs)
    return rows, cursor, screen.alternate, screen.application_cursor, screen.margins, screen.mode


def _own(screen: Screen) -> tuple[list[str], int, str]:
    lines = []
    for y in range(screen.lines):
        text, look = screen.row_runs(y)[0]
        notice = look.reverse and text.startswith((" [psm] ", "       "))
        if not notice and screen.row_text(y) not in ("", _BANNER):
            lines.append(screen.row_text(y))
    return lines, screen.cursor.x, screen.row_text(screen.cursor.y)


@pytest.fixture
def at(stand: Stand) -> Iterator[Begin]:
    """Call it with a command to have a client at work in it."""
    open_ones: list[PtyProcess] = []

    def begin(command: str, ready: str) -> Client:
        program = command.split()[0]
        if program != "exec" and program not in ("stty", "printf"):
            need(program)
        tty = stand.client.terminal(stand.user, command)
        open_ones.append(tty)
        tty.wait_for(ready)
        client = Client(stand, tty, stand.session())
        eventually_sync(lambda: list(stand.recording(client.session).glob("1-*.cast")))
        return client

    yield begin
    for tty in open_ones:
        tty.close()


FULL_SCREEN = {
    "vim": (f"{VIM} /etc/services", "Internet", ":set nu\r", "  1 "),
    "less": ("less /etc/services", "Internet", "G", "(END)"),
    "top": ("top -d 100", "load average", "h", "Help for"),
}


@pytest.mark.parametrize("program", FULL_SCREEN)
def test_a_full_screen_program_is_shown_as_if_there_had_been_no_notice(
    at: Begin, program: str
) -> None:
    command, ready, keys, answer = FULL_SCREEN[program]
    client = at(command, ready)
    eventually_sync(client.is_as_recorded, what="the program's screen")
    sizes_before = client.recorded().lines

    client.order(Verb.WARN, "please stop")
    client.reads("[psm] message from sue: please stop")
    eventually_sync(client.is_as_recorded, what="the bar to be gone")
    client.order(Verb.PAUSE)
    client.reads("[psm] session paused by sue: look")
    client.order(Verb.RESUME)
    client.reads("[psm] session resumed by sue: look")
    eventually_sync(client.is_as_recorded, what="the bar to be gone")

    assert "[psm]" not in client.screen.screen_text()
    assert client.recorded().lines == sizes_before
    client.tty.type(keys)
    client.wait_for(answer)
    eventually_sync(client.is_as_recorded, what="the program's answer")


LINES = {
    "half a command": (_BASH, "db1$ ", "echo half", "way\r", "\nhalfway"),
    "a command over rows": (_BASH, "db1$ ", "echo " + "12345678 " * 12 + "\x1b[D" * 50, "X", "X"),
    "a prompt for a secret": (
        "stty -echo; printf 'Secret: '; read x; echo got $x; sleep 60",
        "Secret: ", "hun", "ter\n", "got hunter",
    ),
    "a raw terminal": ("stty raw -echo; printf 'raw: '; exec cat", "raw: ", "abc", "def", "abcdef"),
}  # fmt: skip


@pytest.mark.parametrize("line", LINES)
def test_a_line_that_is_being_typed_stays_and_goes_on(at: Begin, line: str) -> None:
    command, ready, typed, more, answer = LINES[line]
    client = at(command, ready)
    client.tty.type(typed)
    echoed = "half" if "echo half" in typed else typed[:3]
    if "secret" not in line:
        client.wait_for(echoed)
    eventually_sync(lambda: client.own_text() == _own(client.recorded()), what="what was typed")

    for verb in (Verb.WARN, Verb.PAUSE, Verb.RESUME):
        client.order(verb, "please stop")
    client.wait_for("[psm] session resumed by sue: look")

    assert client.shows("message from sue: please stop")
    eventually_sync(lambda: client.own_text() == _own(client.recorded()), what="the line as it was")
    client.tty.type(more)
    client.wait_for(answer)
    eventually_sync(lambda: client.own_text() == _own(client.recorded()), what="the line's end")


@pytest.mark.attack
@pytest.mark.parametrize("command", [_BASH, VIM])
def test_a_supervisors_text_can_do_nothing_to_the_operators_terminal(
    at: Begin, command: str
) -> None:
    client = at(command, "db1$ " if command == _BASH else "VIM")
    seen = len(client.tty.output)

    client.order(Verb.WARN, _HOSTILE)
    client.reads("message from sue: stop \\x1b]52;c;cm0=\\x07\\x1b[2J")

    client.reads("本番")
    new = bytes(client.tty.output[seen:])
    assert b"\x1b]52" not in new and b"\x07" not in new and b"\x1b[2J" not in new
    assert "\u202e" not in new.decode()
    assert client.look().alternate is (command != _BASH)


def test_the_operator_reads_a_warning_while_the_session_is_paused(at: Begin) -> None:
    client = at(f"{VIM} /etc/services", "Internet")
    client.order(Verb.PAUSE)
    client.wait_for("session paused by sue")

    client.order(Verb.WARN, "wait for kim")

    client.reads("message from sue: wait for kim")
    eventually_sync(lambda: not client.shows("wait for kim"), what="the warning to be over")
    assert client.shows("session paused by sue")  # which still holds
    client.order(Verb.RESUME)
    eventually_sync(client.is_as_recorded, what="the bar to be gone")


@pytest.mark.attack
def test_the_sixth_warning_in_a_row_is_refused(at: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "WARNINGS_S", 600.0)  # however slow this machine is
    client = at(_BASH, "db1$ ")
    for number in range(5):
        client.order(Verb.WARN, f"number {number}")

    answer = client.stand.order(client.session, Verb.WARN, text="number 5")

    assert answer.outcome is Outcome.REFUSED and "5 messages in 600 s" in answer.receipt.detail
    client.wait_for("number 4")
    assert not client.shows("number 5")


def test_a_terminal_that_changes_its_size_in_a_pause_has_the_bar_in_its_width(at: Begin) -> None:
    client = at(f"{VIM} /etc/services", "Internet")
    client.order(Verb.PAUSE)
    client.wait_for("session paused by sue")
    client.look()

    client.tty.resize(60, 20)
    client.screen.resize(20, 60)

    def in_width() -> bool:
        runs = client.look().row_runs(0)
        return len(runs) == 1 and runs[0][1].reverse and "paused by sue" in runs[0][0]

    eventually_sync(in_width, what="a bar of the new width")
    client.order(Verb.RESUME)
    eventually_sync(client.is_as_recorded, what="the program in the new size")


@pytest.mark.parametrize("command", [_BASH, f"{VIM} /etc/services"])
def test_the_last_words_stand_below_what_was_on_the_screen(at: Begin, command: str) -> None:
    client = at(command, "db1$ " if command == _BASH else "Internet")
    client.tty.type("echo half")
    if command == _BASH:
        client.wait_for("echo half")

    client.stand.order(client.session, Verb.TERMINATE, reason="wrong host")
    client.wait_for("[psm] session ended by sue: wrong host")

    screen = client.look()
    rows = [y for y in range(screen.lines) if screen.row_text(y)]
    ended = next(y for y in rows if "session ended by sue" in screen.row_text(y))
    assert not screen.alternate
    assert _BANNER in screen.row_text(0) and "[psm]" not in screen.row_text(0)
    if command == _BASH:
        assert "echo half" in screen.row_text(ended - 1)
