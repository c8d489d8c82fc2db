"""After the key some are asked for more; without it nobody is in, and no channel opens."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import struct
from pathlib import Path

import asyncssh
import pytest

from psm_console.domain.inventory import Group, Role
from psm_console.domain.second_step import Step
from psm_console.store import StoreError
from tests.support.sshd import write_key

from .asking import SECRET, Answering, asked, code, connect, forgive, terminal
from .stand import Stand


@pytest.fixture(autouse=True)
def fresh_inventory(stand: Stand) -> None:
    stand.apply(stand.inventory())
    forgive(stand)
    _forget_codes(stand)


def _forget_codes(stand: Stand) -> None:
    def forget(store: object) -> None:
        store.used_codes._db.run("DELETE FROM used_codes")  # type: ignore[attr-defined]

    stand.read(forget)


def test_ssh_in_a_terminal_is_asked_and_let_in(stand: Stand, tmp_path: Path) -> None:
    stand.apply(asked(stand, tmp_path, *Step))

    with terminal(stand) as ssh:
        ssh.wait_for("the key is accepted; still asked for: ticket, reason, one-time code")
        ssh.wait_for("Ticket: ")
        ssh.type("CHG-4711\r")
        ssh.wait_for("Reason: ")
        ssh.type("disk full\r")
        ssh.wait_for("One-time code: ")
        typed = code()
        ssh.type(f"{typed}\r")
        ssh.wait_for("in\r\n")
        assert ssh.wait_exit() == 0
        assert typed not in ssh.text, "a code is not shown as it is typed"

    session = stand.last()
    assert (session.ticket, session.reason) == ("CHG-4711", "disk full")
    told = json.loads((stand.recording(session) / "session.json").read_text())
    assert (told["ticket"], told["reason"]) == ("CHG-4711", "disk full")
    accepted = stand.read(lambda s: s.audit.list(action="login.accept"))[-1]
    assert accepted.actor == "ana" and "then ticket, reason, totp" in str(accepted.detail)


def test_a_client_that_can_not_be_asked_reads_why_it_is_not_let_in(
    stand: Stand, tmp_path: Path
) -> None:
    stand.apply(asked(stand, tmp_path, Step.TICKET))

    refused = stand.client.run(stand.user, "echo in")

    assert refused.returncode == 255 and refused.stdout == b""
    assert b"still asked for: ticket. A client that can not be asked" in refused.stderr


@pytest.mark.attack
async def test_a_code_lets_in_once_also_through_another_connection(
    stand: Stand, tmp_path: Path
) -> None:
    stand.apply(asked(stand, tmp_path, Step.TOTP))
    typed = code()

    async with await connect(stand, Answering(lambda prompts: [typed])) as connection:
        assert (await connection.run("echo in")).stdout == "in\n"
    again = Answering(lambda prompts: [typed])
    with pytest.raises((asyncssh.PermissionDenied, asyncssh.DisconnectError)):
        await connect(stand, again)

    assert any("this code was used before" in said for said in again.seen)


@pytest.mark.attack
async def test_three_wrong_answers_end_the_connection_and_five_wrong_codes_the_tries(
    stand: Stand, tmp_path: Path
) -> None:
    stand.apply(asked(stand, tmp_path, Step.TOTP))
    tries = []

    def wrong(prompts: object) -> list[str]:
        tries.append(1)
        return ["000000" if code() != "000000" else "111111"]

    with pytest.raises(asyncssh.DisconnectError, match="last try"):
        await connect(stand, Answering(wrong))
    assert len(tries) == 3
    with pytest.raises(asyncssh.DisconnectError):
        await connect(stand, Answering(wrong))

    # Now not even the right one is tried, for a while: to guess it would take years.
    client = Answering(lambda prompts: [code()])
    with pytest.raises((asyncssh.PermissionDenied, asyncssh.DisconnectError)):
        await connect(stand, client)
    assert any("too many answers were wrong for ana" in said for said in client.seen)


@pytest.mark.attack
@pytest.mark.parametrize(
    ("steps", "answer", "said"),
    [
        ((Step.TICKET,), "drop table", "not the form of a ticket"),
        ((Step.TICKET,), "CHG-1\x1b[2J", "not the form of a ticket"),
        ((Step.REASON,), "  \t", "a reason is needed"),
        ((Step.TOTP,), "", "the code is wrong"),
        ((Step.TOTP,), "9" * 100_000, "the code is wrong"),
    ],
)
async def test_an_answer_that_will_not_do_is_told_and_asked_again(
    stand: Stand, tmp_path: Path, steps: tuple[Step, ...], answer: str, said: str
) -> None:
    stand.apply(asked(stand, tmp_path, *steps))
    client = Answering(lambda prompts: [answer] * len(prompts))

    with pytest.raises((asyncssh.PermissionDenied, asyncssh.DisconnectError), match="last try"):
        await connect(stand, client)

    assert any(said in one for one in client.seen)


@pytest.mark.attack
@pytest.mark.parametrize("answers", [[], ["CHG-1"], ["CHG-1", "x", "y"], ["CHG-1"] * 100])
async def test_more_or_fewer_answers_than_questions_let_nobody_in(
    stand: Stand, tmp_path: Path, answers: list[str]
) -> None:
    stand.apply(asked(stand, tmp_path, Step.TICKET, Step.REASON))

    with pytest.raises((asyncssh.PermissionDenied, asyncssh.DisconnectError)):
        await connect(stand, Answering(lambda prompts: answers))


@pytest.mark.fault
async def test_without_the_store_or_the_secret_no_code_is_believed(
    stand: Stand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand.apply(asked(stand, tmp_path, Step.TOTP))

    def away(*_: object) -> bool:
        raise StoreError("the store is away")

    with monkeypatch.context() as patched:
        patched.setattr("psm_console.store.used_codes.UsedCodes.use", away)
        client = Answering(lambda prompts: [code()])
        with pytest.raises(asyncssh.DisconnectError):
            await connect(stand, client)
        assert any("can not be checked at the moment" in said for said in client.seen)
    (tmp_path / "ana.totp").chmod(0o644)
    client = Answering(lambda prompts: [code()])
    with pytest.raises((asyncssh.PermissionDenied, asyncssh.DisconnectError)):
        await connect(stand, client)


@pytest.mark.attack
async def test_the_secret_and_the_codes_are_written_nowhere(
    stand: Stand, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    stand.apply(asked(stand, tmp_path, Step.TOTP))
    typed = code()
    (await connect(stand, Answering(lambda prompts: [typed]))).close()

    written = stand.kept()
    out, err = capfd.readouterr()
    for secret in (SECRET, f'"{typed}"', f" {typed} "):
        assert secret.encode() not in written
        assert secret not in out + err


def test_a_group_asks_its_members_and_an_identity_may_be_let_off(
    stand: Stand, tmp_path: Path
) -> None:
    inventory = asked(stand, tmp_path)
    ana = dataclasses.replace(inventory.identities["ana"], second_step=None, groups=("ops",))
    groups = {"ops": Group("ops", (), (Step.REASON,))}
    stand.apply(dataclasses.replace(inventory, identities={"ana": ana}, groups=groups))
    assert stand.client.run(stand.user, "echo in").returncode == 255

    off = dataclasses.replace(ana, second_step=())
    stand.apply(dataclasses.replace(inventory, identities={"ana": off}, groups=groups))
    assert stand.client.run(stand.user, "echo in").stdout == b"in\n"


@pytest.mark.attack
def test_who_is_asked_for_a_code_but_has_no_secret_is_not_let_in(
    stand: Stand, tmp_path: Path
) -> None:
    inventory = asked(stand, tmp_path, Step.TOTP)
    ana = dataclasses.replace(inventory.identities["ana"], totp=None)
    stand.apply(dataclasses.replace(inventory, identities={"ana": ana}))

    refused = stand.client.run(stand.user, "echo in")

    assert refused.returncode == 255 and b"ana, who has no secret yet" in refused.stderr


# CVE-2024-45337 and its kin: what one name proved is not another's.


class Switching(Answering):
    """Proves a key, then claims another name before it answers."""

    def __init__(self, other: str, answers: list[str]) -> None:
        super().__init__(lambda prompts: answers if prompts else [])
        self._other = other
        self.connection: asyncssh.SSHClientConnection

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        self.connection = conn

    def kbdint_auth_requested(self) -> str:
        self.connection._username = self._other
        return ""


@pytest.mark.attack
@pytest.mark.parametrize("other", ["mallory+{ref}", "{ref}", "ana", "ana+postgres@db1", "sue"])
async def test_a_name_changed_between_the_steps_keeps_nothing_of_the_key(
    stand: Stand, tmp_path: Path, other: str
) -> None:
    inventory = asked(stand, tmp_path, Step.REASON)
    people = {
        name: dataclasses.replace(inventory.identities["ana"], name=name, keys=())
        for name in ("mallory", "sue")
    }
    stand.apply(dataclasses.replace(inventory, identities=inventory.identities | people))
    before = len(stand.read(lambda s: s.audit.list(action="login.accept")))

    with pytest.raises((asyncssh.PermissionDenied, asyncssh.DisconnectError)):
        await connect(stand, Switching(other.format(ref=stand.ref), ["because"]))

    assert len(stand.read(lambda s: s.audit.list(action="login.accept"))) == before


@pytest.mark.attack
async def test_another_key_after_the_first_step_is_not_taken(stand: Stand, tmp_path: Path) -> None:
    """Mallory, who is asked nothing, does not lend ana her second step, nor the other way."""
    line = write_key(tmp_path / "mallory")
    inventory = asked(stand, tmp_path, Step.REASON)
    mallory = dataclasses.replace(
        inventory.identities["ana"], name="mallory", keys=(line,), second_step=()
    )
    stand.apply(
        dataclasses.replace(inventory, identities=inventory.identities | {"mallory": mallory})
    )

    class Twice(Answering):
        def kbdint_auth_requested(self) -> None:  # type: ignore[override]
            return None

    with pytest.raises(asyncssh.PermissionDenied):
        await asyncssh.connect(
            "127.0.0.1",
            stand.client.port,
            username=str(stand.ref),
            client_keys=[str(stand.client.key), str(tmp_path / "mallory")],
            client_factory=lambda: Twice(lambda prompts: []),
            known_hosts=None,
            config=None,
            agent_path=None,
        )


@pytest.mark.attack
@pytest.mark.parametrize("packet", ["channel", "global"])
async def test_no_channel_opens_between_the_steps(
    stand: Stand, tmp_path: Path, packet: str
) -> None:
    stand.apply(asked(stand, tmp_path, Step.REASON))

    class Impatient(Answering):
        connection: asyncssh.SSHClientConnection

        def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
            self.connection = conn

        def kbdint_challenge_received(self, *_: object) -> list[str]:
            self.connection._auth_complete = True  # or asyncssh keeps the packet back
            if packet == "channel":
                opening = b"\0\0\0\7session" + struct.pack(">III", 0, 1 << 20, 1 << 15)
                self.connection.send_packet(90, opening)
            else:
                self.connection.send_packet(80, b"\0\0\0\15tcpip-forward\1\0\0\0\0\0\0\0\0")
            self.connection._auth_complete = False
            return ["because"]

    before = len(stand.sessions(live_only=False))
    with pytest.raises(asyncssh.DisconnectError):
        async with asyncio.timeout(10):
            await connect(stand, Impatient(lambda prompts: []))
    assert len(stand.sessions(live_only=False)) == before


async def test_a_person_has_longer_for_the_second_step_than_a_stranger_for_the_first(
    stand: Stand, tmp_path: Path
) -> None:
    stand.apply(asked(stand, tmp_path, Step.REASON))
    lefts: list[float] = []

    def look(prompts: object) -> list[str]:
        worker = stand.broker.running.worker

        def left() -> float:
            (leg,) = (leg for leg in worker.legs if leg.login.proof is not None)
            timer = leg.connection._login_timer
            assert timer is not None
            return timer.when() - stand.broker.loop.time()

        lefts.append(stand.broker.ask(left))
        return ["because"]

    (await connect(stand, Answering(look))).close()
    assert 60 < lefts[0] <= 90


def test_roles_without_an_account_are_asked_for_a_code_only(stand: Stand, tmp_path: Path) -> None:
    roles = frozenset({Role.SUPERVISOR})
    stand.apply(
        dataclasses.replace(
            inventory := asked(stand, tmp_path, Step.TICKET, Step.REASON, roles=roles),
            grants=(),
            identities=inventory.identities,
        )
    )

    refused = stand.client.run("ana", "version")

    assert b"still asked for" not in refused.stderr
