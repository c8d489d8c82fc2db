"""Sessions, recordings and the rest as rows of fields: what `--json` prints and tables show."""

from __future__ import annotations

from dataclasses import asdict

from psm_console.domain.blind_spots import blind_spots, coverage, recorded_as
from psm_console.domain.inventory import Account, Identity, KeyFile, Target
from psm_console.domain.session import Channel, Directive, Session
from psm_console.store import AuditEntry, RecordingInfo

from .output import instant

Row = dict[str, object]


def session_row(session: Session) -> Row:
    """Return a session with the fields that every listing of sessions has."""
    return {
        "id": session.id,
        "state": session.state.value,
        "operator": session.operator,
        "account": session.account.account,
        "target": session.account.target,
        "started_at": instant(session.started_at),
        "ended_at": instant(session.ended_at),
        "channels": [channel_row(channel) for channel in session.channels],
        "grant": session.grant,
        "request": session.request,
        "ticket": session.ticket,
        "reason": session.reason,
        "client": session.client,
        "worker": session.worker,
        "end_reason": session.end_reason,
        "ended_by": session.ended_by,
        "paused_by": session.paused_by,
        "paused_at": instant(session.paused_at),
        "output_bytes": session.output_bytes,
        "input_bytes": session.input_bytes,
        "watchers": list(session.watchers),
        "attention": session.attention,
        "held": [asdict(one) for one in session.held],
        "last_line": session.last_line,
    }


def channel_row(channel: Channel) -> Row:
    """Return a channel, its blind-spot ledger included."""
    return {
        "number": channel.number,
        "kind": channel.kind.value,
        "pty": channel.pty,
        "command": channel.command,
        "file": channel.file,
        "opened_at": instant(channel.opened_at),
        "closed_at": instant(channel.closed_at),
        "exit": channel.exit,
        "ledger": asdict(channel.ledger),
        "recorded": recorded_as(channel),
        "coverage": coverage(channel).value,
        "blind_spots": [asdict(spot) for spot in blind_spots(channel)],
    }


def directive_row(directive: Directive) -> Row:
    """Return an order and its receipt."""
    return {
        "id": directive.id,
        "session": directive.session,
        "verb": directive.verb.value,
        "actor": directive.actor,
        "requested_at": instant(directive.requested_at),
        "reason": directive.reason,
        "text": directive.text,
        "outcome": directive.outcome.value,
        "detail": directive.receipt.detail,
        "steps": [asdict(step) for step in directive.receipt.steps],
    }


def recording_row(info: RecordingInfo) -> Row:
    """Return a recording; its session's fields first."""
    session = info.session
    return {
        "id": info.id,
        "state": session.state.value,
        "operator": session.operator,
        "account": session.account.account,
        "target": session.account.target,
        "started_at": instant(session.started_at),
        "ended_at": instant(session.ended_at),
        "duration_s": info.duration_s,
        "size_bytes": info.size_bytes,
        "closed_at": instant(info.closed_at),
        "digest": info.digest,
        "files": [
            {
                "name": file.name,
                "kind": file.kind,
                "opened_at": instant(file.opened_at),
                "offset": file.offset,
                "sha256": file.sha256,
                "checkpoint_at": instant(file.checkpoint_at),
            }
            for file in info.files
        ],
        "end_reason": session.end_reason,
        "ended_by": session.ended_by,
    }


def target_row(target: Target, accounts: list[str]) -> Row:
    """Return a target with the names of its accounts."""
    return {
        "name": target.name,
        "address": f"{target.host}:{target.port}",
        "accounts": accounts,
        "host_keys": list(target.host_keys),
        "forwards": list(target.forwards),
    }


def account_row(account: Account) -> Row:
    """Return an account: which kind of credential and where, never what."""
    credential = account.credential
    return {
        "account": str(account.ref),
        "name": account.ref.account,
        "target": account.ref.target,
        "credential": "key_file" if isinstance(credential, KeyFile) else "password_file",
        "credential_path": credential.path,
    }


def identity_row(identity: Identity) -> Row:
    """Return an identity with its roles and keys (public ones)."""
    return {
        "name": identity.name,
        "kind": identity.kind.value,
        "owner": identity.owner,
        "roles": sorted(role.value for role in identity.roles),
        "keys": list(identity.keys),
        "groups": list(identity.groups),
        "second_step": None
        if identity.second_step is None
        else [step.value for step in identity.second_step],
        "verify_required": identity.verify_required,
        "totp": identity.totp is not None,
    }


def audit_row(entry: AuditEntry) -> Row:
    """Return an audit entry."""
    return {
        "id": entry.id,
        "at": instant(entry.at),
        "action": entry.action,
        "actor": entry.actor,
        "on_behalf_of": entry.on_behalf_of,
        "session": entry.session,
        "detail": entry.detail,
        "hash": entry.hash,
    }
