"""What a target printed while its session is paused, kept for the operator until the resume."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

_PIECE = 32 << 10


class Withheld:
    """Recorded output in order, with the SSH data type of each piece."""

    def __init__(self) -> None:
        self._pieces: deque[tuple[bytearray, int | None]] | None = None
        """Made when there is something: an empty deque takes 760 bytes."""
        self.size = 0
        """Bytes kept."""

    def __len__(self) -> int:
        return len(self._pieces or ())

    def add(self, data: bytes, datatype: int | None) -> None:
        """Keep `data`; a packet for each byte must not cost an object for each byte."""
        self.size += len(data)
        if self._pieces is None:
            self._pieces = deque()
        newest = self._pieces[-1] if self._pieces else None
        if newest is not None and newest[1] == datatype and len(newest[0]) < _PIECE:
            newest[0].extend(data)
        else:
            self._pieces.append((bytearray(data), datatype))

    def take(self) -> Iterator[tuple[bytes, int | None]]:
        """Yield and forget all of it."""
        while self._pieces:
            data, datatype = self._pieces.popleft()
            self.size -= len(data)
            yield bytes(data), datatype
        self._pieces = None

    def clear(self) -> None:
        """Forget all of it."""
        self._pieces = None
        self.size = 0
