"""Makes sample_sessions/ anew: real programs, typed into by real operators, through a real broker.

    python bench/make_samples.py        # takes about two minutes, needs vim, less and make

The broker's recording key is thrown away afterwards; its public half stands beside the samples.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncssh
import msgspec

from psm_console.demo import errands
from psm_console.demo.cast import Folders, write_client_files
from psm_console.demo.children import Children, read_line
from psm_console.demo.library import INDEX, PUBLIC_KEY
from psm_console.demo.typist import SessionOver, Typist
from psm_console.demo.world import World, open_world
from psm_console.domain.inventory import Identity
from psm_console.domain.session import Directive
from psm_console.operations import (
    apply,
    init,
    local_identity,
    open_store,
    pause,
    read_inventory_file,
    resume,
    terminate,
    warn,
)
from psm_console.recording.recording import Recording
from psm_console.store import Home, RecordingInfo, Store, utc_now

SAMPLES = Path(__file__).resolve().parent.parent / "sample_sessions"
LARGEST = 200 << 10


@dataclass
class Stage:
    """A broker, its targets, and where to connect."""

    home: Home
    folders: Folders
    children: Children
    world: World
    port: int = 0
    broker: int = 0
    """The broker's process id."""

    def start_broker(self) -> None:
        argv = [sys.executable, "-m", "psm_console.cli", "--home", str(self.home.root), "serve"]
        process = self.children.start(
            [*argv, "--listen", "127.0.0.1:0", "--ready-json"],
            env=os.environ,
            log=self.folders.work / "broker.log",
        )
        told = msgspec.json.decode(read_line(process, 20))
        self.port, self.broker = told["port"], process.pid
        host_key = self.home.host_key.with_name("host_key.pub").read_text().strip()
        write_client_files(self.folders, self.world.places, "127.0.0.1", self.port, host_key)

    def connect(self, operator: str, account: str) -> Awaitable[asyncssh.SSHClientConnection]:
        connecting: Awaitable[asyncssh.SSHClientConnection] = asyncssh.connect(
            "127.0.0.1",
            self.port,
            username=f"{operator}+{account}",
            client_keys=[str(self.folders.keys / operator)],
            known_hosts=str(self.folders.known_hosts),
            config=None,
            agent_path=None,
        )
        return connecting

    def order(self, operator: str, give: Callable[[Store, Identity, str], Directive]) -> None:
        with open_store(self.home) as store:
            actor = local_identity(store, self.home)
            found = [one for one in store.sessions.list() if one.operator == operator]
            give(store, actor, found[-1].id)


Play = Callable[[Typist, asyncssh.SSHClientProcess[bytes]], Awaitable[None]]


async def sit(stage: Stage, who: str, account: str, size: tuple[int, int], play: Play) -> None:
    """Let one operator play one part in a shell, and log out."""
    async with await stage.connect(who, account) as connection:
        process = await connection.create_process(
            term_type="xterm-256color", term_size=size, encoding=None
        )
        typist = Typist(process, random.Random(who))
        try:
            await play(typist, process)
            await typist.line("exit")
            await process.wait()
        except SessionOver:
            pass
        finally:
            typist.close()


async def edit(typist: Typist, process: asyncssh.SSHClientProcess[bytes]) -> None:
    await errands.look_around(typist)
    await errands.edit_configuration(typist)


async def build(typist: Typist, process: asyncssh.SSHClientProcess[bytes]) -> None:
    await errands.build(typist)
    await typist.line("sed -i 's/total = 0;/total = 0/' parse.c && make")
    await typist.rest(2, 4)
    await typist.line("sed -i 's/total = 0$/total = 0;/' parse.c && make && make test")
    await typist.rest(1, 2)


async def follow(typist: Typist, process: asyncssh.SSHClientProcess[bytes]) -> None:
    await typist.start("for n in 3 4 5 6 7 8 9; do tail -n $n log/access.log; sleep 0.7; done")
    await typist.rest(3, 4)
    process.change_terminal_size(72, 20)
    await typist.line("awk '{print $5}' log/access.log | cut -d'?' -f1 | sort | uniq -c | sort -rn")
    process.change_terminal_size(120, 34)
    await typist.rest(1, 2)
    await typist.line("tput cols; tput lines; grep -c ' 500 ' log/access.log")


async def page(typist: Typist, process: asyncssh.SSHClientProcess[bytes]) -> None:
    await errands.read_notes(typist)


async def odd(typist: Typist, process: asyncssh.SSHClientProcess[bytes]) -> None:
    for line in (
        "printf '\\033]0;a title that nobody should believe\\007'",
        "printf '\\033[1;31mred\\033[0m \\033[38;5;208morange\\033[0m \\033[7mreverse\\033[0m\\n'",
        "printf 'wide: 日本語 한국어  two: e\\314\\201 n\\314\\203  no: a\\342\\200\\213b\\n'",
        "printf 'turned round: \\342\\200\\256txt.exe\\342\\200\\254 end\\n'",
        "printf 'not UTF-8: \\377\\376\\300 end\\n'",
        "printf '\\033]52;c;cm0gLXJmIC8=\\007the clipboard stays as it was\\n'",
        "printf '\\033(0lqqqk\\nx   x\\nmqqqj\\033(B\\n'",
    ):
        await typist.line(line)
        await typist.rest(0.8, 1.6)


async def misbehave(stage: Stage) -> None:
    """tom helps himself, and a supervisor steps in: warned, paused, resumed, ended."""

    async def play(typist: Typist, process: asyncssh.SSHClientProcess[bytes]) -> None:
        await typist.line("unset HISTFILE")
        await typist.line("cat backup/shadow.bak")
        await typist.rest(2, 3)
        words = "That file is not part of your task. Please stop."
        stage.order("tom", lambda store, me, one: warn(store, me, one, words, utc_now()))
        await typist.rest(2, 3)
        await typist.line("base64 customers.csv | head -n 20")
        stage.order("tom", lambda store, me, one: pause(store, me, one, "looking", utc_now()))
        await typist.rest(2, 3)
        await typist.say("rm -f .bash_history")
        await typist.rest(2, 3)
        stage.order("tom", lambda store, me, one: resume(store, me, one, "asked", utc_now()))
        await typist.rest(1, 2)
        await typist.line("history -c")
        await typist.rest(1, 2)
        why = "customer data left the database"
        stage.order("tom", lambda store, me, one: terminate(store, me, one, why, utc_now()))
        await typist.rest(3, 4)

    await sit(stage, "tom", "root@db1", (90, 28), play)


async def run_jobs(stage: Stage) -> None:
    """A service sends and fetches what is not text, without a terminal."""
    async with await stage.connect("nightly", "deploy@web1") as connection:
        await connection.run("tar cf - site | gzip -n", encoding=None)
        await connection.run(
            "cat > upload.bin; sha256sum upload.bin", input=bytes(range(256)) * 8, encoding=None
        )
        await connection.run("echo the disk is nearly full >&2; exit 3", encoding=None)


async def be_cut_off(stage: Stage) -> None:
    """The broker is killed in the middle: the recording has no end, and says so."""

    async def play(typist: Typist, process: asyncssh.SSHClientProcess[bytes]) -> None:
        await typist.line("ls -l log")
        await typist.rest(1, 2)
        await typist.start("less log/postgresql.log")
        await typist.rest(11, 12)
        os.kill(stage.broker, signal.SIGKILL)
        await typist.rest(3, 4)

    await sit(stage, "jon", "root@db1", (80, 24), play)


async def play_all(stage: Stage) -> None:
    parts = [
        sit(stage, "mira", "root@db1", (100, 30), edit),
        sit(stage, "kai", "ci@build1", (110, 32), build),
        sit(stage, "dev", "deploy@web1", (100, 30), follow),
        sit(stage, "ana", "root@db1", (80, 24), odd),
        misbehave(stage),
        run_jobs(stage),
    ]
    for place in stage.world.places:
        if place.name == "edge1":
            parts.append(sit(stage, "lena", place.ref, (80, 24), page))
    await asyncio.gather(*parts)
    await be_cut_off(stage)
    await asyncio.sleep(6)  # until the dead broker's lease has run out
    stage.start_broker()


SHOWS = {
    "mira": "looks around and changes a setting in vi: a full-screen program, colours",
    "kai": "builds with make and gcc, breaks the build and mends it",
    "dev": "reads a noisy log, changes the terminal's size twice on the way",
    "ana": "output that means no good: titles, clipboard, bidi, hidden and broken characters",
    "tom": "helps himself to data, is warned, paused, resumed and ended by a supervisor",
    "nightly": "a service without a terminal: a pipe, 2 KiB that are no text, exit status 3",
    "lena": "pages through a text on a real OpenSSH sshd",
    "jon": "reads a log while his broker is killed: no end, so it verifies as INCOMPLETE",
}
_README = """\
# Sample sessions

Real programs, typed into through a real broker by `python bench/make_samples.py`; `psm demo` puts
them into its Library. Nothing was edited afterwards: `psm recording verify` says OK to all but one,
which was cut off on purpose. The key that signed them was thrown away; `recording_key.pub` is its
public half, `index.json` what the store knew of them.

| recording | operator | on | seconds | shows |
|---|---|---|---|---|
{rows}

Look at one without installing anything but this: `psm recording play sample_sessions/{first}`,
`psm recording screen sample_sessions/{first} --at 10`. They are asciicast v3: any player that knows
that version plays the `.cast` files.
"""


def write_readme(infos: Sequence[RecordingInfo]) -> None:
    """Say what each sample shows."""
    rows = []
    for info in infos:
        with Recording.open(SAMPLES / info.id) as recording:
            length = round(recording.duration)
        session = info.session
        rows.append(
            f"| `{info.id}` | {session.operator} | {session.account} | {length} "
            f"| {SHOWS[session.operator]} |"
        )
    text = _README.format(rows="\n".join(rows), first=infos[0].id)
    (SAMPLES / "README.md").write_text(text)


def collect(home: Home) -> None:
    """Replace the samples by what `home` recorded."""
    for old in SAMPLES.iterdir():
        if old.is_dir():
            shutil.rmtree(old)
    with open_store(home) as store:
        infos = store.recordings.list()
    for info in infos:
        folder = SAMPLES / info.id
        shutil.copytree(home.recording(info.id), folder, ignore=shutil.ignore_patterns("*.keys"))
        size = sum(file.stat().st_size for file in folder.iterdir())
        assert size <= LARGEST, (info.session.operator, size)
        print(f"{info.id}  {info.session.operator:8} {size:7} bytes")
    index = msgspec.json.format(msgspec.json.encode(infos), indent=1)
    write_readme(infos)
    (SAMPLES / INDEX).write_bytes(index + b"\n")
    shutil.copyfile(home.recording_key.with_name("recording_key.pub"), SAMPLES / PUBLIC_KEY)


async def main() -> None:
    work = Path(tempfile.mkdtemp(prefix="psm-samples-"))
    children = Children()
    try:
        home = Home(work / "home")
        init(home, utc_now())
        folders = Folders(work / "world")
        folders.work.mkdir()
        world = await open_world(folders)
        with open_store(home) as store:
            me = local_identity(store, home)
            apply(store, me, read_inventory_file(folders.inventory), utc_now())
        stage = Stage(home, folders, children, world)
        stage.start_broker()
        await play_all(stage)
        collect(home)
    finally:
        await asyncio.to_thread(children.close)
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    asyncio.run(main())
