"""What waits in this process for a peer, and when its connection's other side must be read no more.

Channels have windows, but a peer chooses how large they are; answers have none; and asyncssh keeps
whatever is written while new keys are agreed on. A peer chooses when it agrees, and when it reads.
"""

from __future__ import annotations

import asyncio
from typing import cast

import asyncssh
from asyncssh.connection import SSHConnection

_NOT_FULL: frozenset[str] = frozenset()
_MOST_DEFERRED = 4096
"""Packets that may wait for new keys. Whoever is read no more and sends no more, as RFC 4253 (7.1)
has it, makes a few; answers to somebody who goes on asking would pile up without an end."""
_MOST_UNSENT = 96 << 20
"""Bytes that may wait for the kernel. Channels stop at the first megabyte, but for what a pause
withheld (64 MiB at most); answers to somebody who goes on asking would never stop."""


class Backlog(SSHConnection):
    """A connection that says when it is full, and leaves who would have it keep more and more."""

    _full: frozenset[str] = _NOT_FULL
    """Why nothing more should be written: the wire is full, or new keys are agreed on."""

    def wire(self, full: bool) -> None:
        """Learn whether the peer takes nothing more at the moment, or takes bytes again."""

    def pause_writing(self) -> None:
        """The kernel takes nothing more at the moment."""
        self._set_full("wire", True)

    def resume_writing(self) -> None:
        """The kernel takes what is written again."""
        self._set_full("wire", False)

    def _send_kexinit(self) -> None:
        # Until the peer has answered, asyncssh keeps all that is written, without a bound.
        super()._send_kexinit()
        self._set_full("keys", True)

    def _send_deferred_packets(self) -> None:
        super()._send_deferred_packets()
        # They may have been so many that the next keys are due.
        self._set_full("keys", not self._kex_complete)

    def _set_full(self, why: str, full: bool) -> None:
        # Each reason by itself: a peer chooses when it agrees on keys, and when it reads.
        self._full = self._full | {why} if full else self._full - {why} or _NOT_FULL
        self.wire(bool(self._full))

    def check_deferred(self) -> None:
        """Leave a peer that has too much wait for new keys."""
        if len(self._deferred_packets) > _MOST_DEFERRED:
            self._give_up("it asks and asks, and agrees on no new keys")

    def check_unsent(self) -> None:
        """Leave a peer that has too much wait for the kernel."""
        if "wire" in self._full and self._transport is not None:
            transport = cast("asyncio.WriteTransport", self._transport)
            if transport.get_write_buffer_size() > _MOST_UNSENT:
                self._give_up("it asks and asks, and takes no answer")

    def _give_up(self, why: str) -> None:
        """Cut a peer that would have us keep more and more for it."""
        self._deferred_packets = []
        if self._transport is not None:
            self._loop.call_soon(self._force_close, asyncssh.ConnectionLost(why))
