"""`ssh sue@broker`: an identity alone gets the console, or a command, with her own rights."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import asyncssh
import pytest

from psm_console.broker.visit.visit import Visit
from psm_console.domain.names import SessionId
from psm_console.domain.policy import ConsolePolicy
from psm_console.domain.session import SessionState, Verb
from psm_console.store import Store
from tests.support.broker import Broker, InventoryText
from tests.support.openssh import OpenSsh
from tests.support.processes import is_gone
from tests.support.terminal import PtyProcess
from tests.support.waiting import eventually_sync

from .visiting import House

LIVE = "Live"


@pytest.fixture(scope="module")
def shared_house() -> Iterator[House]:
    """A broker, started once for the module."""
    with House() as running:
        yield running


@pytest.fixture
def house(shared_house: House) -> Iterator[House]:
    """The module's broker, with nobody in it and the inventory of the start."""
    yield shared_house
    shared_house.tidy()
    shared_house.nobody_left()
    shared_house.apply(shared_house.inventory())


@contextmanager
def console(house: House, *, columns: int = 100, rows: int = 30) -> Iterator[PtyProcess]:
    """Hold a console of sue's that has drawn its first picture."""
    with house.client.terminal("sue", columns=columns, rows=rows) as terminal:
        terminal.wait_for(LIVE)
        yield terminal


def test_an_identity_alone_gets_the_console_and_leaves_it_with_a_key(house: House) -> None:
    with console(house) as terminal:
        terminal.wait_for("sue")
        terminal.type("q")

        assert terminal.wait_exit() == 0
    assert "\x1b[?1049l" in terminal.text


def test_a_command_answers_on_stdout_talks_on_stderr_and_has_its_status(house: House) -> None:
    listed = house.visit("session ls --json")
    unknown = house.visit("session show nope")

    assert (listed.returncode, json.loads(listed.stdout)) == (0, [])
    assert (unknown.returncode, unknown.stdout) == (3, b"")
    assert b"no session has the id nope" in unknown.stderr


def test_a_command_works_at_a_terminal_too(house: House) -> None:
    with house.client.terminal("sue", "psm identity ls") as terminal:
        assert terminal.wait_exit() == 0

    assert "supervisor" in terminal.text and "\r\n" in terminal.text


def test_without_a_terminal_the_console_is_refused_in_a_sentence(house: House) -> None:
    done = house.visit(None)

    assert done.returncode == 1
    assert b"the console needs a terminal; scripts use `psm session ls`" in done.stderr


def test_orders_are_given_in_the_visitors_name(house: House) -> None:
    house.popen("cat")
    session = house.session()

    listed = json.loads(house.visit("session ls --json").stdout)
    done = house.visit(f"session terminate {session.id} --reason 'not now, ana'")

    assert [one["id"] for one in listed] == [session.id]
    assert done.returncode == 0, done.stderr
    ended = house.last()
    assert (ended.ended_by, ended.end_reason) == ("sue", "not now, ana")
    assert [entry.actor for entry in house.noted("session.terminate")] == ["sue"]


@pytest.mark.attack
def test_who_works_in_a_session_can_not_resume_it_by_a_visit(house: House) -> None:
    process = house.client.popen(f"pat+{house.ref}", "cat")
    house._processes.append(process)
    session = house.session()
    house.order(session, Verb.PAUSE)

    done = house.visit(f"session resume {session.id}", user="pat")

    assert done.returncode == 4
    assert b"pat works in this session; somebody else must resume it" in done.stderr
    assert house.session().state is SessionState.PAUSED


@pytest.mark.attack
def test_who_has_no_role_for_the_console_is_told_what_to_log_in_as(house: House) -> None:
    done = house.visit("session ls", user="ana")

    assert done.returncode == 255
    assert b"ana has no role for the console, only for work on targets: log in as" in done.stderr
    eventually_sync(lambda: house.noted("console.refuse", "ana"), what="the refusal in the log")
    assert house.noted("console.open", "ana") == []


def test_each_visit_is_in_the_audit_log_before_it_shows_anything_and_when_it_ends(
    house: House,
) -> None:
    with console(house) as terminal:
        opened = house.noted("console.open", "sue")[-1]
        terminal.type("q")
        terminal.wait_exit()
    house.visit("session show nope")
    house.nobody_left()

    assert isinstance(opened.detail, dict)
    assert opened.detail["command"] == "console"
    assert str(opened.detail["from"]).startswith("127.0.0.1:")

    def ends() -> list[str]:
        closed = [entry.detail for entry in house.noted("console.close", "sue")[-2:]]
        return [str(detail["end"]) for detail in closed if isinstance(detail, dict)]

    eventually_sync(lambda: ends() == ["exit 0", "exit 3"], what="both ends in the audit log")


def test_a_watched_session_is_left_in_order_when_the_visit_is_ended(house: House) -> None:
    house.popen("cat")
    session = house.session()
    with console(house) as terminal:
        terminal.wait_for("active")
        terminal.type("\r")
        eventually_sync(lambda: house.noted("session.shadow", "sue"), what="the shadow")
        house.make_of("sue", frozenset())
        terminal.wait_exit()

    eventually_sync(
        lambda: len(house.noted("session.unshadow", "sue")) == len(house.noted("session.shadow")),
        what="the end of all watching",
    )
    assert house.session().id == session.id


def test_a_recording_is_replayed_from_inside_the_confinement(house: House) -> None:
    process = house.popen("printf 'the %s' evidence; cat", options=["-tt"])
    assert process.stdout is not None
    session = house.session()
    eventually_sync(lambda: "the evidence" in house.recorded(session), what="the output")
    shadowed = house.visit(f"session shadow {session.id}")
    process.kill()
    house.last()

    screen = house.visit(f"recording screen {session.id} --at 3600")
    verified = house.visit(f"recording verify {session.id}")

    assert b"the evidence" in shadowed.stdout, shadowed.stderr
    assert b"the evidence" in screen.stdout, screen.stderr
    assert verified.stdout.strip() == b"OK", verified.stdout + verified.stderr


@pytest.mark.fault
def test_a_console_that_is_killed_leaves_a_sentence_and_a_broker_that_goes_on(house: House) -> None:
    with console(house) as terminal:
        os.kill(house.child(), signal.SIGKILL)
        status = terminal.wait_exit()

    assert status == 1
    assert "the console was ended by signal KILL" in terminal.text
    assert _modes(terminal.text.rpartition("[psm]")[0]) == {"7": "h", "25": "h"}
    assert house.visit("session ls").returncode == 0


def _modes(output: str) -> dict[str, str]:
    """Return the private modes that `output` leaves switched on, and the two that always are."""
    modes = {"7": "h", "25": "h"}
    for number, to in re.findall(r"\x1b\[\?(\d+)([hl])", output):
        modes[number] = to
    return {number: to for number, to in modes.items() if to == "h" or number in ("7", "25")}


@pytest.mark.fault
def test_the_process_ends_when_the_client_is_gone(house: House) -> None:
    with console(house) as terminal:
        child = house.child()
        terminal.process.kill()
        eventually_sync(lambda: is_gone(child), what="the child's end")

    house.nobody_left()


@pytest.mark.fault
def test_a_process_that_will_not_leave_is_killed(house: House) -> None:
    with console(house) as terminal:
        child = house.child()
        os.kill(child, signal.SIGSTOP)
        terminal.process.kill()
        eventually_sync(lambda: is_gone(child), what="the child's end")


def test_a_command_that_waits_hears_the_end_of_its_input(house: House) -> None:
    house.popen("cat")
    session = house.session()

    command = f"session terminate {session.id}"

    at_once = house.client.run("sue", command, options=["-tt"])
    later = house.client.popen("sue", command, options=["-tt"])
    house._processes.append(later)
    assert isinstance(later.stdout, io.BufferedReader) and later.stdin is not None
    asked = more = later.stdout.read1()
    while more and b"reads" not in asked:
        asked += (more := later.stdout.read1())
    later.stdin.close()
    later.stdin = None
    rest, _ = later.communicate(timeout=30)

    assert (at_once.returncode, later.returncode) == (130, 130)
    assert b"Interrupted." in at_once.stdout and b"Interrupted." in rest
    assert house.session().id == session.id


def test_signals_reach_the_command(house: House) -> None:
    house.popen("cat")
    session = house.session()

    async def told_to_end() -> tuple[int | None, str]:
        connection = await asyncssh.connect(
            "127.0.0.1",
            house.client.port,
            username="sue",
            client_keys=[str(house.client.key)],
            known_hosts=str(house.client.known_hosts),
            config=None,
            agent_path=None,
        )
        async with connection:
            process = await connection.create_process(
                f"session terminate {session.id}", term_type="xterm"
            )
            await process.stdout.readuntil("reads")
            process.send_signal("TERM")
            done = await asyncio.wait_for(process.wait(), 30)
        return done.exit_status, str(done.stdout)

    status, said = asyncio.run(told_to_end())

    assert (status, "was ended by signal TERM" in said) == (1, True), said


def test_the_console_follows_the_size_of_the_window(house: House) -> None:
    with console(house, columns=80, rows=24) as terminal:
        drawn = len(terminal.output)
        terminal.resize(120, 40)

        # The cursor goes where there was no row before.
        terminal.wait_for("\x1b[40;", after=drawn)


def _stalled(house: House) -> tuple[subprocess.Popen[bytes], Visit]:
    """Have sue ask for 6 MB that nobody reads, until the window and the channel are full."""
    if not house.noted("test.flood"):
        with Store.open(house.home) as store, store.relaxed(), store.transaction():
            for _ in range(1500):
                store.audit.append(store.clock(), "test.flood", "sue", detail="x" * 4000)
    process = house.client.popen("sue", "audit ls -o jsonl --action test.flood")
    house._processes.append(process)
    assert process.stdin is not None
    process.stdin.close()
    process.stdin = None
    visit = eventually_sync(lambda: next(iter(house.visits()), None), what="the visit")
    assert visit is not None
    eventually_sync(lambda: "client slow" in visit._holds, what="a full channel")
    return process, visit


@pytest.mark.attack
def test_a_client_that_does_not_read_can_not_keep_its_visit(house: House) -> None:
    _, visit = _stalled(house)
    child = house.child()

    house.make_of("sue", frozenset())

    eventually_sync(lambda: is_gone(child), what="the child's end")
    eventually_sync(lambda: visit not in house.visits(), what="the visit's end")


@pytest.mark.fault
def test_a_client_that_does_not_read_makes_the_command_wait_and_gets_all_of_it(
    house: House,
) -> None:
    process, visit = _stalled(house)
    # Nobody reads: the window fills, then the channel, and the command is read no more.
    waiting = house.broker.ask(lambda: visit._channel._send_buf_len if visit._channel else 0)
    assert waiting < 1 << 20
    output, _ = process.communicate(timeout=60)

    assert len(output.splitlines()) == 1500
    assert process.returncode == 0


def test_only_so_many_visits_are_open_at_once(house: House) -> None:
    with house.console_policy(ConsolePolicy(visits_per_identity=1)), console(house):
        crowded = house.visit("session ls")
        other = house.visit("session ls", user="pat")

    assert crowded.returncode == 1
    assert b"sue has 1 consoles and commands open over ssh; close one, try again" in crowded.stderr
    assert other.returncode == 0
    house.nobody_left()
    with house.console_policy(ConsolePolicy(visits=1, visits_per_identity=1)):
        assert house.visit("session ls").returncode == 0
        with console(house):
            full = house.visit("session ls", user="pat")
    assert b"there are 1 consoles and commands open over ssh" in full.stderr


def test_a_console_without_a_key_press_is_closed(house: House) -> None:
    policy = ConsolePolicy(idle_s=0.3)
    with house.console_policy(policy), house.client.terminal("sue") as terminal:
        assert terminal.wait_exit() == 254

    assert "closed by the broker: no key was pressed for 0.3 s" in terminal.text


@pytest.mark.attack
@pytest.mark.parametrize("roles", [frozenset(), None])
def test_a_visit_ends_with_the_right_to_it(house: House, roles: frozenset[str] | None) -> None:
    with console(house) as terminal:
        child = house.child()
        house.make_of("sue", roles)  # type: ignore[arg-type]

        assert terminal.wait_exit() == 254
        eventually_sync(lambda: is_gone(child), what="the child's end")

    assert "closed by the broker: " in terminal.text
    refused = house.visit("session ls")
    assert refused.returncode == 255


@pytest.mark.attack
def test_a_shared_connection_is_asked_again_for_each_visit(house: House) -> None:
    with house.client.master("sue") as through:
        assert house.visit("session ls", *through).returncode == 0
        house.make_of("sue", frozenset())

        late = house.visit("session ls", *through, "-o", "ControlMaster=no")

    assert late.returncode == 255


def test_a_broker_that_stops_closes_the_consoles_with_a_sentence() -> None:
    with House() as house, house.client.terminal("sue") as terminal:
        terminal.wait_for(LIVE)
        child = house.child()
        house.broker.loop.call_soon_threadsafe(house.broker.stopping.set)

        assert terminal.wait_exit() == 254
        eventually_sync(lambda: is_gone(child), what="the child's end")
    assert "closed by the broker: the broker is stopping" in terminal.text


@pytest.mark.fault
def test_no_process_outlives_a_broker_that_is_killed() -> None:
    inventory = InventoryText()
    with OpenSsh("127.0.0.1", 0, "") as client:
        inventory.identity("sue", client.public_line, ("supervisor",))
        with Broker(inventory=inventory.text()) as broker:
            client.port = broker.port
            client.trust(broker.host_key_line)
            with client.terminal("sue") as terminal:
                terminal.wait_for(LIVE)
                children = _visits_below(broker)
                assert children
                for child in children:
                    # Stopped, so that no hang-up of its terminal can end it.
                    os.kill(child, signal.SIGSTOP)
                broker.kill()

                eventually_sync(lambda: all(map(is_gone, children)), what="the child's end")
                assert terminal.wait_exit() == 255


def _visits_below(broker: Broker) -> list[int]:
    from psm_console.demo.children import descendants

    assert broker.process is not None
    found = []
    for process in descendants(broker.process.pid):
        try:
            with open(f"/proc/{process}/cmdline", "rb") as file:
                if b"psm_console.cli.visitor" in file.read():
                    found.append(process)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def test_a_word_is_a_word_whatever_is_in_it(house: House) -> None:
    said = '$(touch /tmp/x); `id` & "quoted" ä\\'
    house.popen("cat")
    session = house.session()

    done = house.visit(f"session warn {session.id} {shlex.quote(said)}")

    assert done.returncode == 0, done.stderr
    orders = house.read(lambda store: store.directives.for_session(SessionId(session.id)))
    assert [order.text for order in orders] == [said]
