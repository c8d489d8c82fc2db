"""Calls to a recorder, guarded: whatever it raises ends the session (fail closed)."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self


class RecordingGuard:
    """Turns any exception of the recorder into the session's end; true when none came."""

    def __init__(self, failed: Callable[[Exception], None]) -> None:
        self._report = failed
        self._failed = False

    def __enter__(self) -> Self:
        self._failed = False
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        # After the report: what that does is guarded by this same object, and may go well.
        self._report(error)
        self._failed = True
        return True

    def took(self, take: Callable[[float, bytes], None], at: float, data: bytes) -> bool:
        """Have the recorder take a chunk; the same as `with`, for what every key pays for."""
        try:
            take(at, data)
        except Exception as error:
            self._report(error)
            return False
        return True

    def __bool__(self) -> bool:
        return not self._failed
