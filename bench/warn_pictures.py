"""Draws what an operator sees of a supervisor's orders, in real programs through a real broker.

    python -m bench.warn_pictures FOLDER [PROGRAM…]

Each program runs under a real sshd; a real ssh client in a terminal of 80×24 and of 120×40 works in
it, and our emulator shows what the client drew: before the warning, with it, after it; paused,
resumed, after that. A picture of the six (SVG, and PNG where there is a chromium) and the screens
as text go to FOLDER. Prints whether the screen after each notice is the one before it, but for
the notice's own lines on a normal screen.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from psm_console.domain.session import Session, Verb
from psm_console.terminal import Screen
from tests.broker.stand import Stand
from tests.support.terminal import PtyProcess
from tests.support.tools import VIM
from tests.support.waiting import eventually_sync

from .make_screenshot import HEIGHT, WIDTH, picture

SIZES = ((80, 24), (120, 40))
TEXT = "please stop: this is the production database — 本番です"
LONG = "please read this to its end before you type anything else. " * 8
STEPS = ("before", "warned", "after the warning", "paused", "resumed", "after the resume")
_SOURCE = Path("/etc/services")
_FOLDER = Path(tempfile.gettempdir()) / f"psm-warn-{os.getpid()}"
_TEXT_FILE = "services"
# A line editor's prompt that does not change, and no history to look at.
_BASH = "exec env PS1='ana@db1:~$ ' HISTFILE=/dev/null bash --norc -i"


@dataclass(frozen=True)
class Program:
    """What is run, what it shows when it is ready, what is typed first and what at the end."""

    command: str
    ready: str
    keys: tuple[str, ...] = ()
    after: str = ""
    """Typed at the end: it must do what it always does."""
    shows: str = ""
    """What the screen holds then."""
    text: str = TEXT
    pty: bool = True
    varies: bool = False
    """It shows the time or what runs: its screen is never twice the same."""


PROGRAMS = {
    "bash": Program(_BASH, "$ ", ("ls /usr\n",), "echo still here\n", "still here"),
    "bash half a command": Program(
        _BASH, "$ ", ("ls /usr\n", "rm -rf /srv/app", "\x1b[D" * 4), "data/\n", "/srvdata//app"
    ),
    "bash long command": Program(
        _BASH, "$ ", ("ls /usr\n", "echo " + "0123456789 " * 16, "\x1b[D" * 60), "X", "X"
    ),
    "bash full screen": Program(
        _BASH, "$ ", ("seq 100\n", "echo wait"), "ing\n", "waiting", text=LONG
    ),
    "bash asking for keys": Program(
        "printf 'set enable-keypad on\\n' >inputrc; "
        "INPUTRC=inputrc " + _BASH,
        "$ ",
        ("ls /usr\n", "rm -rf /srv"),
        "/x\n",
        "/srv/x",
    ),
    "python": Program(
        "exec python3 -q", ">>> ", ("for n in range(3):\n", "    print(n"), ")\n\n", "2"
    ),
    "read a password": Program(
        "printf 'Password: '; stty -echo; read x; stty echo; echo; echo got $x; sleep 60",
        "Password: ", ("hun",), "ter\n", "got hunter",
    ),
    "raw terminal": Program(
        "stty raw -echo; printf 'raw\\r\\ntyped: '; exec cat", "typed: ", ("abc",), "def", "abcdef"
    ),
    "progress bar": Program(
        "printf '\\033[?25l'; for n in $(seq 900); do printf '\\r%d of 900' $n; sleep 0.1; done",
        "of 900", varies=True,
    ),
    "vim": Program(
        f"{VIM} {_TEXT_FILE}", "Internet", ("5Gix", "\x1b"), ":set nu\r", " 1 "
    ),
    "vim inserting": Program(
        f"{VIM} -c 'set showmode ruler'", "All", ("iline one\rline two",), "XY", "twoXY",
        text=LONG,
    ),
    "less": Program(f"less {_TEXT_FILE}", "Internet", (" ",), "G", "(END)"),
    "top": Program("top -d 2", "load average", (), "c", "", varies=True),
    "htop": Program("htop -d 20", "PID", ("\x1b[B\x1b[B",), "", "", varies=True),
    "nano": Program(
        f"nano -R {_TEXT_FILE}", "Internet", ("\x1b[B" * 3,), "\x17udp\r", "udp"
    ),
    "mc": Program("env -u DISPLAY mc -x /etc /usr", "Quit", ("\x1b[B" * 3,), "\x1b[B", "etc"),
    "dialog": Program(
        "dialog --menu 'What now?' 12 50 4 1 Restart 2 Stop 3 Nothing", "Restart",
        ("\x1bOB",), "\x1bOB", "Nothing",
    ),
    "tmux": Program(
        "tmux -L psm-warn-COLUMNS -f /dev/null new-session 'env PS1=\"in tmux$ \" bash --norc -i'",
        "in tmux", ("ls /usr\n", "echo half"), " done\n", "half done", varies=True,
    ),
    "tmux split": Program(
        "tmux -L psm-two-COLUMNS -f /dev/null new-session 'env PS1=\"left$ \" bash --norc -i' \\; "
        "split-window -h 'env PS1=\"right$ \" bash --norc -i' \\; split-window -v less "
        f"{_TEXT_FILE}",
        "Internet", (), "", "right$", varies=True,
    ),
    "no terminal": Program(
        "echo out; echo err >&2; exec cat", "out", ("piped\n",), "more\n", "more", pty=False
    ),
}  # fmt: skip


@dataclass
class Run:
    """One program at work in one terminal, and what it showed at each step."""

    name: str
    program: Program
    tty: PtyProcess
    screen: Screen
    session: Session
    fed: int = 0
    shown: list[Screen] = field(default_factory=list)

    def read(self) -> bool:
        """Take what was drawn meanwhile; whether there was anything."""
        while self.tty.read(0):
            pass
        new = bytes(self.tty.output[self.fed :])
        self.fed += len(new)
        self.screen.feed(new)
        return bool(new)

    def keep(self) -> None:
        """Remember the screen as it is now."""
        self.shown.append(Screen.restore(self.screen.snapshot(), history=0))


def settle(runs: list[Run], quiet_s: float = 0.6, most_s: float = 4.0) -> None:
    """Read all terminals until none has drawn for a while."""
    last, end = time.monotonic(), time.monotonic() + most_s
    while time.monotonic() < min(last + quiet_s, end):
        if any([run.read() for run in runs]):
            last = time.monotonic()
        time.sleep(0.02)


def start(stand: Stand, name: str, columns: int, rows: int) -> Run:
    """Start a program and wait until it can be used."""
    program = PROGRAMS[name]
    command = f"cd {_FOLDER}; {program.command.replace('COLUMNS', str(columns))}"
    before = {session.id for session in stand.sessions()}
    tty = (
        stand.client.terminal(stand.user, command, columns=columns, rows=rows)
        if program.pty
        else PtyProcess(
            stand.client.argv(stand.user, command, options=["-T"]),
            columns=columns,
            rows=rows,
            env={"PATH": "/usr/bin:/bin", "TERM": "xterm-256color"},
        )
    )
    at = tty.wait_for(program.ready)
    session = eventually_sync(
        lambda: next((one for one in stand.sessions() if one.id not in before), None)
    )
    assert session is not None
    run = Run(name, program, tty, Screen(columns, rows, history=200), session)
    for keys in program.keys:
        tty.type(keys)
        settle([run], 0.2, 1.5)
    assert at
    return run


def text_of(screen: Screen) -> list[str]:
    return [screen.row_text(y) for y in range(screen.lines)]


def own_rows(screen: Screen) -> list[str]:
    """Return the program's rows: those of notices on a normal screen are left out."""
    rows = []
    for y in range(screen.lines):
        text, look = screen.row_runs(y)[0]
        if not (look.reverse and text.startswith((" [psm]", "       "))):
            rows.append(screen.row_text(y))
    return rows


def same(before: Screen, after: Screen) -> str:
    """Say whether a screen is the one before, but for a notice's lines on a normal screen."""
    if text_of(before) == text_of(after):
        place = (before.cursor.x, before.cursor.y) == (after.cursor.x, after.cursor.y)
        return "the same" if place else "the same, but the cursor moved"
    was, now = "\n".join(own_rows(before)).rstrip(), "\n".join(own_rows(after)).rstrip()
    if was.endswith(now):
        row = before.row_text(before.cursor.y) == after.row_text(after.cursor.y)
        place = row and before.cursor.x == after.cursor.x
        return "the same beside it" if place else "the same beside it, but the cursor moved"
    pairs = enumerate(zip(text_of(before), text_of(after), strict=True))
    changed = [y for y, (one, other) in pairs if one != other]
    return f"DIFFERENT in rows {changed[:8]}{'…' if len(changed) > 8 else ''}"


def give(stand: Stand, runs: list[Run], verb: Verb) -> None:
    orders = [stand.give(run.session, verb, reason="look", text=run.program.text) for run in runs]
    for order in orders:
        stand.answer(order)


def noticed(runs: list[Run], most_s: float = 4.0) -> None:
    """Remember each screen as soon as it shows a notice that it did not show before."""
    end = time.monotonic() + most_s
    waiting = {run.name: run for run in runs}
    before = {run.name: text_of(run.screen) for run in runs}
    kept: dict[str, Screen] = {}
    while waiting and time.monotonic() < end:
        settle(runs, 0.3, 0.3)
        for name, run in list(waiting.items()):
            if "[psm]" in run.screen.screen_text() and text_of(run.screen) != before[name]:
                del waiting[name]
                kept[name] = Screen.restore(run.screen.snapshot(), history=0)
    for run in runs:
        run.shown.append(kept.get(run.name, run.screen))


def watch(stand: Stand, runs: list[Run]) -> None:
    """Take every run through all steps."""
    settle(runs)
    step(runs)
    give(stand, runs, Verb.WARN)
    noticed(runs)
    settle(runs, 18.0, 18.0)
    step(runs)
    give(stand, runs, Verb.PAUSE)
    noticed(runs)
    give(stand, runs, Verb.RESUME)
    noticed(runs)
    settle(runs, 8.0, 8.0)
    step(runs)
    for run in runs:
        run.tty.type(run.program.after)
    settle(runs, 1.0, 3.0)


def step(runs: list[Run]) -> None:
    for run in runs:
        run.keep()


def six(run: Run) -> str:
    """Return the six screens as one SVG, three in a row."""
    width = run.screen.columns * WIDTH + 24
    height = run.screen.lines * HEIGHT + 24
    parts = []
    for place, (step_name, screen) in enumerate(zip(STEPS, run.shown, strict=True)):
        x, y = place % 3 * (width + 16), place // 3 * (height + 40) + 24
        inner = picture(screen).replace(
            "<svg ", f'<svg x="{x}" y="{y}" width="{width}" height="{height}" '
        )
        title = f'<text x="{x + 8}" y="{y - 7}" fill="#222" font-size="15">{step_name}</text>'
        parts.append(title + inner + cursor(screen, x + 12, y + 12))
    total_width, total_height = 3 * width + 32, 2 * (height + 40)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{total_width:.0f}" '
        f'height="{total_height:.0f}" font-family="sans-serif" '
        f'viewBox="0 0 {total_width:.0f} {total_height:.0f}">'
        f'<rect width="100%" height="100%" fill="#ddd"/>{"".join(parts)}</svg>'
    )


def cursor(screen: Screen, x: float, y: float) -> str:
    if not screen.cursor_visible:
        return ""
    left, top = x + min(screen.cursor.x, screen.columns - 1) * WIDTH, y + screen.cursor.y * HEIGHT
    return (
        f'<rect x="{left}" y="{top}" width="{WIDTH}" height="{HEIGHT}" fill="none" '
        f'stroke="#F9ED68" stroke-width="2"/>'
    )


def save(run: Run, folder: Path) -> None:
    """Write a run's screens as text, SVG and PNG."""
    stem = f"{run.name.replace(' ', '-')}-{run.screen.columns}x{run.screen.lines}"
    pages = [
        f"== {name}\n{screen.screen_text()}" for name, screen in zip(STEPS, run.shown, strict=True)
    ]
    pages.append(f"== after typing {run.program.after!r}\n{run.screen.screen_text()}")
    (folder / f"{stem}.txt").write_text("\n".join(pages) + "\n")
    svg = folder / f"{stem}.svg"
    svg.write_text(six(run))
    chromium = shutil.which("chromium")
    if chromium is not None:
        size = re.search(r'width="(\d+)" height="(\d+)" font-family="sans', svg.read_text())
        assert size is not None
        subprocess.run(
            [chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             f"--window-size={size[1]},{size[2]}", f"--screenshot={svg.with_suffix('.png')}",
             svg.resolve().as_uri()],
            capture_output=True,
            timeout=60,
        )  # fmt: skip


def report(run: Run) -> None:
    warned, resumed = same(run.shown[0], run.shown[2]), same(run.shown[2], run.shown[5])
    found = run.program.shows in run.screen.screen_text()
    keys = "keys work" if found else f"NOT FOUND: {run.program.shows!r}"
    note = " (varies by itself)" if run.program.varies else ""
    size = f"{run.screen.columns}x{run.screen.lines}"
    print(f"{run.name:<22} {size:<7} warned: {warned}; resumed: {resumed}; {keys}{note}")


def main(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with Stand() as stand:
        for columns, rows in SIZES:
            # A new one each time: an editor that was cut off leaves its lock beside the file.
            _FOLDER.mkdir()
            (_FOLDER / _TEXT_FILE).write_text(_SOURCE.read_text())
            runs = [start(stand, name, columns, rows) for name in names or PROGRAMS]
            try:
                watch(stand, runs)
                for run in runs:
                    report(run)
                for run in runs:
                    save(run, folder)
            finally:
                for run in runs:
                    run.tty.close()
                shutil.rmtree(_FOLDER, ignore_errors=True)
                for kind in ("warn", "two"):
                    subprocess.run(
                        ["tmux", "-L", f"psm-{kind}-{columns}", "kill-server"],
                        capture_output=True,
                    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
