"""Reading of one half of a channel, held for as long as there is a reason to."""

from __future__ import annotations

from asyncssh.channel import SSHChannel

_NO_REASON: frozenset[str] = frozenset()
"""One for all: each empty one that is made takes 216 bytes."""


class Valve:
    """A set of reasons not to read; what is not read stays in the sender's window."""

    def __init__(self) -> None:
        self._reasons = _NO_REASON
        self._channel: SSHChannel[bytes] | None = None
        self._draining = False
        self._shut = False

    def attach(self, channel: SSHChannel[bytes]) -> None:
        """Hold or let go what `channel` reads, from now on."""
        self._channel = channel
        self._set()

    def hold(self, reason: str) -> None:
        """Stop reading until `reason` is released."""
        self._reasons |= {reason}
        self._set()

    def release(self, reason: str) -> None:
        """Read again if this was the last reason not to."""
        self._reasons = self._reasons - {reason} or _NO_REASON
        self._set()

    def drain(self, on: bool) -> None:
        """Read whatever the reasons are, while `on`: what is read is thrown away."""
        self._draining = on
        self._set()

    def _set(self) -> None:
        if self._channel is None:
            return
        shut = bool(self._reasons) and not self._draining
        if shut != self._shut:
            self._shut = shut
            if shut:
                self._channel.pause_reading()
            else:
                self._channel.resume_reading()
