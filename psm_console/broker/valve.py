"""Reading of one half of a channel, held for as long as there is a reason to."""

from __future__ import annotations

from asyncssh.channel import SSHChannel


class Valve:
    """A set of reasons not to read; what is not read stays in the sender's window."""

    def __init__(self) -> None:
        self._reasons: set[str] = set()
        self._channel: SSHChannel[bytes] | None = None

    def attach(self, channel: SSHChannel[bytes]) -> None:
        """Hold or let go what `channel` reads, from now on."""
        self._channel = channel
        if self._reasons:
            channel.pause_reading()

    def hold(self, reason: str) -> None:
        """Stop reading until `reason` is released."""
        if not self._reasons and self._channel is not None:
            self._channel.pause_reading()
        self._reasons.add(reason)

    def release(self, reason: str) -> None:
        """Read again if this was the last reason not to."""
        if reason in self._reasons:
            self._reasons.discard(reason)
            if not self._reasons and self._channel is not None:
                self._channel.resume_reading()
