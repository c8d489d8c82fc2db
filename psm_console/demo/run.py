"""`psm demo`: one command that starts everything, shows it, and leaves nothing behind.

This process stays small: it starts the others, waits, and tidies up, however it is told to end.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from psm_console.store import Home

from . import library
from .cast import JOINER, Folders, Place
from .children import Children, NoAnswer, read_line

_START_S = 20.0
_INTERRUPTED = 130
_RESET = b"\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[?1049l\x1b[?25h\x1b[0m"
Say = Callable[[str], None]
Prepare = Callable[[Home], None]
Apply = Callable[[Home, Path], None]


class DemoError(Exception):
    """The demo can not start; the text says why and what to do."""


class _Told(BaseException):
    """A signal told us to end."""

    def __init__(self, number: int) -> None:
        self.number = number


@dataclass(frozen=True, slots=True)
class Ready:
    """Where the running demo can be joined."""

    home: Home
    host: str
    port: int
    folders: Folders
    places: list[Place]

    @property
    def line(self) -> str:
        """One line of JSON for programs."""
        return json.dumps(
            {
                "home": str(self.home.root),
                "host": self.host,
                "port": self.port,
                "identity_file": str(self.folders.keys / JOINER),
                "known_hosts": str(self.folders.known_hosts),
                "logins": [f"{JOINER}+{place.ref}" for place in self.places],
            }
        )


def run(
    *,
    explicit_home: Path | None,
    headless: bool,
    prepare: Prepare,
    apply: Apply,
    say: Say,
) -> int:
    """Run the demo until the console is left, or (headless) until a signal; return the status.

    `prepare` makes a home, `apply` makes its inventory equal to a file; both are operations that
    the caller performs on our behalf.
    """
    if not sys.platform.startswith("linux"):
        raise DemoError("the demo needs a broker, and the broker runs on Linux only")
    if not headless and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise DemoError("the console needs a terminal; `psm demo --headless` runs without one")
    kept = contextlib.nullcontext() if headless else _terminal_kept()
    with _signals(), kept, _work_folder() as work:
        home = Home(_fresh(explicit_home) if explicit_home is not None else work / "home")
        try:
            return _run(home, work, headless, prepare, apply, say)
        except _Told as told:
            return 0 if headless or told.number != signal.SIGINT else _INTERRUPTED


def _fresh(folder: Path) -> Path:
    """Return the named folder if nothing is in it; it stays when the demo is over."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DemoError(f"{folder} is in use; name a new or empty directory for the demo's home")
    return folder


@contextlib.contextmanager
def _work_folder() -> Iterator[Path]:
    work = Path(tempfile.mkdtemp(prefix="psm-demo-"))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)
        if work.exists():
            # A program that was just killed may have written once more.
            shutil.rmtree(work, ignore_errors=True)


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """Turn the first SIGTERM, SIGINT or SIGHUP into `_Told`; later ones wait for the tidying.

    Who ignores hang-ups (nohup) means it; an ignored SIGINT is only how shells start jobs.
    """

    def tell(number: int, frame: FrameType | None) -> None:
        for one in numbers:
            signal.signal(one, signal.SIG_IGN)
        raise _Told(number)

    numbers = [signal.SIGTERM, signal.SIGINT]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, tell) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _run(home: Home, work: Path, headless: bool, prepare: Prepare, apply: Apply, say: Say) -> int:
    children = Children()
    folders = Folders(work / "world")
    folders.work.mkdir(mode=0o700)
    log = None if headless else work / "demo.log"
    environment = _environment()
    say(f"Join from another terminal as an operator: {folders.join_command}")
    try:
        world = children.start(
            _python("psm_console.demo.world", str(folders.work)), env=environment, log=log
        )
        prepare(home)
        library.fill(home)
        cli = _python("psm_console.cli", "--home", str(home.root))
        broker = children.start(
            [*cli, "serve", "--listen", "127.0.0.1:0", "--ready-json"], env=environment, log=log
        )
        console = None
        if not headless:
            argv = [*cli, "console", "--invitation", folders.join_command]
            console = children.start(argv, env=environment, log=None, in_front=True)
        ready = _join(home, folders, world, broker, apply)
        if console is None:
            print(ready.line, flush=True)
            return _wait_headless(world, broker)
        return _wait_console(console)
    except NoAnswer as error:
        raise DemoError(f"a part of the demo did not start: {error}{_last_words(log)}") from None
    finally:
        children.close()


def _python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]


def _environment() -> dict[str, str]:
    """Return ours, less what would let a user's agent or settings play a part."""
    dropped = {"PSM_HOME", "SSH_AUTH_SOCK", "SSH_ASKPASS"}
    return {name: value for name, value in os.environ.items() if name not in dropped}


def _join(
    home: Home,
    folders: Folders,
    world: subprocess.Popen[bytes],
    broker: subprocess.Popen[bytes],
    apply: Apply,
) -> Ready:
    """Bring the parts together: the targets into the inventory, the operators to the broker."""
    places = [Place(**place) for place in json.loads(read_line(world, _START_S))]
    apply(home, folders.inventory)
    told = json.loads(read_line(broker, _START_S))
    host_key = home.host_key.with_name(home.host_key.name + ".pub").read_text().strip()
    message = {"host": told["host"], "port": told["port"], "host_key": host_key}
    assert world.stdin is not None
    world.stdin.write(json.dumps(message).encode() + b"\n")
    world.stdin.flush()
    read_line(world, _START_S)
    return Ready(home, told["host"], told["port"], folders, places)


def _wait_headless(world: subprocess.Popen[bytes], broker: subprocess.Popen[bytes]) -> int:
    while True:
        for name, process in (("broker", broker), ("world", world)):
            if process.poll() is not None:
                raise DemoError(f"the demo's {name} ended with status {process.returncode}")
        with contextlib.suppress(subprocess.TimeoutExpired):
            broker.wait(1.0)


@contextlib.contextmanager
def _terminal_kept() -> Iterator[None]:
    """Give the terminal back as it was, even after a console that was killed."""
    kept = termios.tcgetattr(sys.stdin)
    try:
        yield
    finally:
        # The terminal may be gone, which is one of the reasons to be here.
        with contextlib.suppress(OSError, termios.error):
            if termios.tcgetattr(sys.stdin) != kept:
                os.write(sys.stdout.fileno(), _RESET)
                termios.tcsetattr(sys.stdin, termios.TCSANOW, kept)


def _wait_console(console: subprocess.Popen[bytes]) -> int:
    return max(console.wait(), 0)


def _last_words(log: Path | None) -> str:
    if log is None or not log.exists():
        return ""
    lines = log.read_text("utf-8", "replace").strip().splitlines()[-3:]
    return "".join(f"\n  {line}" for line in lines)
