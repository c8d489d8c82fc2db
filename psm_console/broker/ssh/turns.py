"""Turns that connections take: whoever sends tens of thousands of packets keeps nobody waiting.

A chunk from a socket may hold so many of them that all of it takes seconds. A connection rests when
its turn is over, and goes on after everybody else; meanwhile it is not read.
"""

from __future__ import annotations

import time

from asyncssh.connection import SSHConnection

_TURN_S = 0.004
"""How long a connection's packets may keep everybody else waiting; a chunk of bulk takes less."""
_STRANGERS_TURN_S = 0.001
"""The same of somebody who is not let in."""


class TurnTaking(SSHConnection):
    """A connection that works off what came for so long, then lets the others."""

    def begin_turns(self) -> None:
        """Make what it has beside asyncssh's own."""
        self._heard = time.monotonic()
        """When something came last, or the turn began that is on."""
        self._first = True
        """Whether the turn had no packet yet: each has one, however slow the machine is."""
        self._rests = False

    def _recv_pkthdr(self) -> bool:
        if self._inpbuf and not self._first and self._turn_is_over():
            self._rest()
            return False
        self._first = False
        return super()._recv_pkthdr()

    def _turn_is_over(self) -> bool:
        turn_s = _TURN_S if self._auth_complete else _STRANGERS_TURN_S
        return time.monotonic() - self._heard > turn_s

    def _rest(self) -> None:
        """Leave what waits until everybody else had a turn, and read no more before."""
        if not self._rests and self._transport is not None:
            self._rests = True
            self._transport.pause_reading()
            self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        self._rests = False
        if self._transport is not None:
            self._recv_data()
        if self._transport is not None and not self._rests:
            self._transport.resume_reading()

    def _reset_keepalive_timer(self) -> None:
        # asyncssh makes a new timer for each chunk, a tenth of the cost of a key.
        self._heard, self._first = time.monotonic(), True
        if self._keepalive_timer is None:
            super()._reset_keepalive_timer()

    def _keepalive_timer_callback(self) -> None:
        silent = time.monotonic() - self._heard
        if silent < self._keepalive_interval:
            self._keepalive_timer = self._loop.call_later(
                self._keepalive_interval - silent, self._keepalive_timer_callback
            )
        else:
            super()._keepalive_timer_callback()
