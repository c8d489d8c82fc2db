"""Real programs recorded through the broker, our screen beside tmux's of the same bytes.

    python -m bench.beside_tmux [PROGRAM …]

Each program runs in a PTY on a real sshd behind the broker and is driven by keys. Its recorded
bytes are fed to our emulator and to a tmux pane of the same size; every differing row is printed
with both readings. Programs that are not installed are named and left out.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from psm_console.recording.reader import Tail
from psm_console.terminal import Screen
from psm_console.terminal.charsets import LINE_DRAWING
from tests.broker.stand import Stand
from tests.support.terminal import PtyProcess
from tests.support.waiting import eventually_sync

COLUMNS, ROWS = 100, 30
QUIET_S = 1.5


@dataclass(frozen=True)
class Act:
    """How a program is started, driven into an interesting state, and left."""

    name: str
    command: str
    keys: tuple[str, ...]
    leave: str


ACTS = [
    Act(
        "vim", "vim -n -u NONE -N /etc/services", (":set nu hls\r", "/tcp\r", ":vsplit\r"), ":qa!\r"
    ),
    Act("less", "less /etc/services", (" ", "/udp\r"), "q"),
    Act("top", "top -d 60", ("1",), "q"),
    Act("htop", "htop -d 100", ("\x1b[B", "t"), "q"),
    Act("nano", "nano /etc/services", ("\x0b\x0b", "typed here"), "\x18n"),
    Act("mc", "mc -a /etc", ("\x1b[B\x1b[B", "\t"), "\x1b[21~\r"),
    Act("mc in colour", "mc /usr", ("\x1b[B", "\x1b[20~"), "\x1b\x1b\x1b[21~\r"),
    Act("dialog", "dialog --menu Choose 15 60 5 a one b two c three", ("\x1b[B",), "\x1b\x1b"),
    Act(
        "tmux",
        "tmux -L inner -f /dev/null new 'sh -i'",
        ("ls /\r", '\x02"', "\x02%"),
        "\x02:kill-server\r",
    ),
    Act("bash", "bash --norc -i", ("ls --color /usr\r", "echo 日本語 é 👩‍👩‍👧 done\r"), "exit\r"),
]


def settle(tty: PtyProcess) -> None:
    """Read until nothing came for `QUIET_S`."""
    while tty.read(QUIET_S):
        pass


def recorded(path: Path) -> bytes:
    """Return the output in a cast, exactly."""
    tail = Tail(path)
    out = bytearray()
    while events := tail.read(1 << 24):
        out += b"".join(e.data for e in events if e.code == "o" and isinstance(e.data, bytes))
    tail.close()
    return bytes(out)


def ours(data: bytes) -> list[str]:
    """Return the rows of our screen."""
    screen = Screen(COLUMNS, ROWS)
    screen.feed(data)
    return [screen.row_text(y).rstrip() for y in range(ROWS)]


def theirs(data: bytes) -> list[str]:
    """Return the rows of a tmux pane that was given `data` raw."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "bytes").write_bytes(data)
        socket = f"{folder}/tmux"
        tmux = ["tmux", "-u", "-S", socket, "-f", "/dev/null"]
        shown = f"stty raw -echo; cat {folder}/bytes; touch {folder}/done; sleep 60"
        new = ["new-session", "-d", "-x", str(COLUMNS), "-y", str(ROWS), "sleep 60"]
        subprocess.run([*tmux, *new], check=True)
        try:
            subprocess.run([*tmux, "set", "-g", "status", "off"], check=True)
            subprocess.run([*tmux, "new-window", shown], check=True)
            eventually_sync((Path(folder) / "done").exists, what="tmux to have read")
            time.sleep(0.3)
            said = [*tmux, "capture-pane", "-p", "-e"]
            read = subprocess.run(said, capture_output=True, check=True).stdout
        finally:
            subprocess.run([*tmux, "kill-server"], check=False)
    rows = plain(read.decode("utf-8", "replace")).split("\n")
    return [row.rstrip() for row in (rows + [""] * ROWS)[:ROWS]]


def plain(captured: str) -> str:
    """Return captured text: its colours taken off, its line-drawing letters drawn."""
    text = re.sub(r"\x1b\[[0-9;:]*m", "", captured)
    text = re.sub("\x0e([^\x0f]*)", lambda drawn: drawn[1].translate(LINE_DRAWING), text)
    return text.replace("\x0f", "")


def record(stand: Stand, act: Act) -> list[bytes]:
    """Return the program's bytes when it was driven, and when it had been left."""
    with stand.client.terminal(stand.user, act.command, columns=COLUMNS, rows=ROWS) as tty:
        session = stand.session()
        settle(tty)
        for keys in act.keys:
            tty.type(keys)
            settle(tty)
        cast = stand.recording(session) / "1-exec.cast"
        driven = recorded(cast)
        tty.type(act.leave)
        settle(tty)
    return [driven, recorded(cast)]


def main(*names: str) -> int:
    differing = 0
    with Stand() as stand:
        for act in ACTS:
            if names and act.name not in names:
                continue
            if shutil.which(act.command.split()[0]) is None:
                print(f"{act.name:<14} not installed")
                continue
            for when, data in zip(("driven", "left"), record(stand, act), strict=True):
                pairs = list(zip(ours(data), theirs(data), strict=True))
                wrong = [(y, a, b) for y, (a, b) in enumerate(pairs) if a != b]
                differing += len(wrong)
                verdict = "same" if not wrong else f"{len(wrong)} rows differ"
                print(f"{act.name:<14} {when:<7} {len(data):>7} bytes  {verdict}")
                for y, a, b in wrong:
                    print(f"  row {y}: ours {a!r}\n          tmux {b!r}")
            stand.tidy()
    return differing


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) > 0)
