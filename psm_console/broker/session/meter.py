"""What is counted of one session, and told to the store when it has changed."""

from __future__ import annotations

from collections.abc import Mapping

from psm_console.domain.session import Held, Ledger

from ..channel.coupling import Coupling
from ..channel.live_channel import LiveChannel
from .activity import Activity
from .journal import Journal


class Meter:
    """Bytes each way, when there were how many, ledgers, and the input that a pause holds."""

    def __init__(self, journal: Journal, relays: Mapping[int, Coupling]) -> None:
        self._journal = journal
        self._relays = relays
        self.activity = Activity()
        self._saved: tuple[int, int, tuple[int, ...]] = (0, 0, self.activity.bins(0.0))
        self._held: tuple[Held, ...] = ()
        self._ledgers: dict[int, Ledger] = {}
        self._output_closed = self._input_closed = 0

    def closed(self, channel: LiveChannel) -> None:
        """Keep the counts of a channel that is taken off the session."""
        self._output_closed += channel.output_bytes
        self._input_closed += channel.input_bytes

    def totals(self) -> tuple[int, int]:
        """Return the bytes (from the target, to the target) of all channels so far."""
        channels = [relay.channel for relay in self._relays.values()]
        return (
            self._output_closed + sum(channel.output_bytes for channel in channels),
            self._input_closed + sum(channel.input_bytes for channel in channels),
        )

    def waiting(self) -> tuple[Held, ...]:
        """Return the channels whose input waits, and how much of it."""
        waiting = ((number, relay.input.waiting()) for number, relay in self._relays.items())
        return tuple(Held(number, size) for number, size in waiting if size)

    def save(self, at: float, held: tuple[Held, ...]) -> None:
        """Have the store learn what is different from the last time."""
        output, given = self.totals()
        bins = self.activity.bins(at)
        if (output, given, bins) != self._saved:
            self._saved = (output, given, bins)
            self._journal.counters(output, given, bins)
        recorders = {number: relay.channel.recorder for number, relay in self._relays.items()}
        ledgers = {number: one.ledger for number, one in recorders.items() if one is not None}
        changed = {n: one for n, one in ledgers.items() if one != self._ledgers.get(n)}
        self._ledgers = ledgers
        if changed:
            self._journal.ledgers(changed)
        if held != self._held:
            self._held = held
            self._journal.held(held)
