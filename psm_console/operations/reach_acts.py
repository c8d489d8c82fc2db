"""What is done about reaching targets with a plain ssh client: the host CA and the stanza."""

from __future__ import annotations

from psm_console.domain.authorise import Action

from .act import Act

REACH = (
    Act(
        "ca.show",
        "Host CA",
        "Print the line with which a client trusts every target behind the broker",
        scopes=(),
        cli="psm ca show",
        action=Action.INVENTORY_READ,
    ),
    Act(
        "ca.init",
        "Make CA",
        "Make the host CA where there is none",
        scopes=(),
        cli="psm ca init",
        action=Action.CA_INIT,
        changes=True,
    ),
    Act(
        "ca.rotate",
        "Rotate CA",
        "Exchange the key of the host CA; clients must trust the new line",
        scopes=(),
        cli="psm ca rotate",
        action=Action.CA_ROTATE,
        destructive=True,
        needs_reason=True,
        changes=True,
    ),
    Act(
        "target.reach",
        "ssh config",
        "Print what a client's ssh configuration needs, so that `ssh root@db1` simply works",
        scopes=(),
        cli="psm ssh-config",
        action=Action.TARGET_REACH,
    ),
)
