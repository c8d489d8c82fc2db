"""The same through `psm apply` and `psm serve`, with files as people write them."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.authority import Authority
from tests.support.broker import Broker
from tests.support.sshd import Sshd


def test_a_certificate_and_a_second_step_as_inventory_and_config_say(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with Sshd() as target:
        inventory = (
            f"[groups.ops]\ncert_authority = ['{authority.line}']\n"
            "[identities.eve]\nroles = ['operator']\ngroups = ['ops']\n"
            f"[[grants]]\noperator = 'eve'\naccount = '{target.user}@db1'\n"
        )
        config = '[login]\nsecond_step = ["ticket", "reason"]\n'
        with Broker(target, config=config, inventory=inventory) as broker, broker.client() as ssh:
            ssh.use_key(authority.certify("id", "-n", "eve", "-z", "12", "-I", "eve@laptop"))
            login = f"eve+{target.user}@db1"
            with ssh.terminal(login, "echo in", options=["-o", "BatchMode=no"]) as terminal:
                terminal.wait_for("Ticket: ")
                terminal.type("nonsense\r")
                terminal.wait_for("Reason: ")
                terminal.type("x\r")
                told = terminal.wait_for("this is not the form of a ticket here")
                terminal.wait_for("Ticket: ", after=told)
                terminal.type("INC-12\r")
                terminal.wait_for("Reason: ", after=told)
                terminal.type("disk full\r")
                terminal.wait_for("in\r\n")
                assert terminal.wait_exit() == 0

            session = broker.wait_session("ended")
            assert (session["operator"], session["ticket"], session["reason"]) == (
                "eve",
                "INC-12",
                "disk full",
            )
            shown = broker.psm("session", "show", session["id"]).stdout
            assert "INC-12" in shown and "disk full" in shown
            (entry,) = broker.json("audit", "ls", "--action", "login.accept")
            assert 'certificate "eve@laptop" serial 12' in json.dumps(entry).replace('\\"', '"')
            listed = json.dumps(broker.json("identity", "ls"))
            assert '"groups": ["ops"]' in listed
