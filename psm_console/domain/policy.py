"""The limits and recording rules that hold for sessions; values come from config.toml."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from .second_step import Step


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a session may last, in seconds; 0 switches a limit off."""

    idle_s: float = 1800.0
    """Without operator input; output does not count, or `top` would keep a session alive."""
    duration_s: float = 12 * 3600.0
    pause_s: float = 900.0
    """A pause that reaches this ends the session; it never resumes by itself."""
    warn_s: float = 60.0
    """How long before a limit the operator is told."""
    withheld_bytes: int = 1 << 20
    """Output kept per channel while paused, before the target is no longer read."""
    channels: int = 10
    """Channels open at once on one connection."""
    connections: int = 20
    """Authenticated connections of one identity at once."""
    unsupervised_s: float = 120.0
    """How long a supervised session waits, paused, for a supervisor who watches; then it ends."""


class InputRecording(StrEnum):
    """Whose input is kept as bytes; the rest is counted."""

    NEVER = "never"
    PIPES = "pipes"
    """Channels without a PTY, where input is data; what is typed at a PTY is counted only,
    because passwords are typed there."""
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class RecordingPolicy:
    """What goes into a recording."""

    input: InputRecording = InputRecording.PIPES
    quota_bytes: int = 256 << 20
    """Bytes of a channel kept whole; what follows is kept as SHA-256 and the ledger says so."""
    checkpoint_s: float = 10.0
    checkpoint_bytes: int = 1 << 20
    disk_warn: float = 0.15
    """The free part of the recordings' disk below which the audit log is told."""
    disk_refuse: float = 0.05
    """The free part below which no session starts: the rest is for those that live."""


@dataclass(frozen=True, slots=True)
class SftpPolicy:
    """What clients of the sftp subsystem may do."""

    upload: bool = True
    """Opening files to write them."""
    download: bool = True
    """Opening files to read them."""
    denied_paths: tuple[str, ...] = ()
    """Shell patterns of absolute paths (`*` matches `/` too) that may not be touched, nor anything
    below them."""


class InnerSsh(StrEnum):
    """What becomes of an SSH connection that is made inside a forward."""

    REFUSE = "refuse"
    """The forward is ended, and port 22 opens for nobody."""
    FLAG = "flag"
    """It goes on, audited, and the session asks for attention."""


@dataclass(frozen=True, slots=True)
class ForwardPolicy:
    """What holds for forwards, where a target lists any."""

    inner_ssh: InnerSsh = InnerSsh.REFUSE


@dataclass(frozen=True, slots=True)
class ConsolePolicy:
    """Consoles and commands over ssh, for identities that log in without an account."""

    visits: int = 32
    """Open at once; each is a process of about 50 MB."""
    visits_per_identity: int = 8
    idle_s: float = 12 * 3600.0
    """Without a key press; 0 switches it off."""
    require_confinement: bool = False
    """Refuse them where the kernel can not keep them from the broker's files (Landlock)."""


@dataclass(frozen=True, slots=True)
class LoginPolicy:
    """What is asked of who logs in, beside the key."""

    second_step: tuple[Step, ...] = ()
    """Asked after the key, unless the identity or its groups say otherwise."""
    ticket_pattern: str = "[A-Za-z][A-Za-z0-9]{0,15}-[0-9]{1,10}"
    """A simple regular expression that a whole ticket has to match."""
    verify_required: bool = False
    """Whether only security keys that verified their user let in, unless the identity says."""
    touch_required: bool = True
    """Whether a security key must have been touched for the login."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything a broker applies to the sessions that it starts."""

    limits: Limits = field(default_factory=Limits)
    recording: RecordingPolicy = field(default_factory=RecordingPolicy)
    sftp: SftpPolicy = field(default_factory=SftpPolicy)
    forwards: ForwardPolicy = field(default_factory=ForwardPolicy)
    login: LoginPolicy = field(default_factory=LoginPolicy)
    console: ConsolePolicy = field(default_factory=ConsolePolicy)
    environment: tuple[str, ...] = ("LANG", "LC_*", "TERM", "COLORTERM")
    """Names of variables a client may pass on; `*` at the end matches the rest."""
    notice: str = "This session is recorded and may be watched."
    """The SSH authentication banner."""
