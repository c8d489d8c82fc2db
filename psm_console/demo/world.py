"""The process that plays everybody else: the targets, and the operators who work on them.

It speaks with the demo's main process by lines of JSON: it prints one when the targets answer
and the inventory is written, reads one that says where the broker is, prints another when a
client can join, and sends the operators to work until SIGTERM or the end of its input.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

from psm_console.credentials import make_key

from . import edge, sandbox
from .cast import Folders, Place, make_password, write_client_files, write_inventory
from .host import Host, Machine
from .operators import Broker, desks, work

_HOSTS = (("db1", "root", False), ("web1", "deploy", True), ("build1", "ci", False))
_GRACE_S = 8.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class World:
    """The targets that run."""

    places: list[Place]
    hosts: list[Host]
    sshd: subprocess.Popen[bytes] | None


async def open_world(folders: Folders) -> World:
    """Make every key and home, start the targets, and write the inventory that declares them."""
    folders.create()
    places: list[Place] = []
    hosts: list[Host] = []
    host_keys: dict[str, str] = {}
    for name, account, by_password in _HOSTS:
        sock = socket.create_server(("127.0.0.1", 0))
        place = Place(name, account, sock.getsockname()[1], by_password)
        machine, host_keys[name] = _machine(place, folders)
        host = Host(machine)
        await host.listen(sock)
        hosts.append(host)
        places.append(place)
    sshd = None
    login = edge.account()
    if edge.program() is not None and login is not None:
        place = Place("edge1", login, edge.free_port())
        host_key = folders.secrets / "edge1.host_key"
        host_keys["edge1"] = make_key(host_key, place.name)
        client_key = make_key(folders.secrets / "edge1.credential", "broker")
        sshd = edge.start(folders.hosts, place.port, host_key, client_key)
        places.append(place)
    write_inventory(folders, places, host_keys)
    return World(places, hosts, sshd)


def _machine(place: Place, folders: Folders) -> tuple[Machine, str]:
    home = folders.hosts / place.name
    sandbox.furnish(place.name, place.account, home)
    host_key = folders.secrets / f"{place.name}.host_key"
    line = make_key(host_key, place.name)
    credential = folders.secrets / f"{place.name}.credential"
    machine = Machine(
        name=place.name,
        account=place.account,
        host_key=host_key,
        key="" if place.password else make_key(credential, "broker"),
        password=make_password(credential) if place.password else "",
        shell=sandbox.shell(home),
        environment=sandbox.environment(home),
        home=home,
    )
    return machine, line


async def run(work_folder: Path) -> None:
    """Play the world until SIGTERM, SIGINT or the end of the standard input."""
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, over.set)
    folders = Folders(work_folder)
    world = await open_world(folders)
    print(json.dumps([asdict(place) for place in world.places]), flush=True)
    try:
        working = asyncio.ensure_future(_until_told(folders, world, over))
        await over.wait()
        _leave_in_time()
        await _cancel(working)
    finally:
        await _close(world)


def _leave_in_time() -> None:
    """See to it that this process is gone soon, whatever hangs: programs lose their terminals."""
    timer = threading.Timer(_GRACE_S, os._exit, (1,))
    timer.daemon = True
    timer.start()


async def _cancel(working: asyncio.Task[None]) -> None:
    """Cancel the operators, and then everything: `wait_for` of Python 3.11 can lose the first."""
    working.cancel()
    await asyncio.wait([working], timeout=1.0)
    while not working.done():
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.wait([working], timeout=0.2)


async def _until_told(folders: Folders, world: World, over: asyncio.Event) -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    line = await reader.readline()
    if line:
        told = json.loads(line)
        write_client_files(folders, world.places, told["host"], told["port"], told["host_key"])
        print(json.dumps({"working": True}), flush=True)
        broker = Broker(told["host"], told["port"], folders.known_hosts, folders.keys)
        asyncio.get_running_loop().create_task(_watch_parent(reader, over))
        await _everybody(world, broker, folders)
    over.set()


async def _watch_parent(reader: asyncio.StreamReader, over: asyncio.Event) -> None:
    await reader.read()
    over.set()


async def _everybody(world: World, broker: Broker, folders: Folders) -> None:
    chance = random.Random()
    login = next((place.account for place in world.places if place.name == "edge1"), None)
    async with asyncio.TaskGroup() as group:
        group.create_task(_traffic(folders.hosts / "web1" / "log" / "access.log", chance))
        for desk in desks(login):
            group.create_task(work(desk, broker, random.Random(chance.random())))


async def _traffic(log: Path, chance: random.Random) -> None:
    """Let the web server's log grow for as long as the demo runs."""
    while True:
        sandbox.append_requests(log, chance)
        await asyncio.sleep(chance.uniform(0.1, 0.9))


async def _close(world: World) -> None:
    if world.sshd is not None:
        await asyncio.to_thread(edge.stop, world.sshd)
    await asyncio.gather(*(host.close() for host in world.hosts))


def main() -> None:
    """Run as `python -m psm_console.demo.world FOLDER`; talk goes to stderr."""
    logging.basicConfig(level=logging.WARNING, format="demo: %(message)s")
    asyncio.run(run(Path(sys.argv[1])))


if __name__ == "__main__":
    main()
