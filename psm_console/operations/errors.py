"""The errors that front ends show: one sentence, and the exit code of the command line."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from psm_console.credentials import CredentialError
from psm_console.store import (
    Ambiguous,
    DocumentError,
    HomeError,
    StoreError,
)
from psm_console.store import NotFound as NoRow

P = ParamSpec("P")
T = TypeVar("T")


class PsmError(Exception):
    """An act that could not be done; the text says why and what to do next."""

    exit_code = 1

    @property
    def sentence(self) -> str:
        """The text."""
        return str(self)


class Failed(PsmError):
    """It was tried and failed, or the answer is no."""


class Usage(PsmError):
    """What was asked for is not well said."""

    exit_code = 2


class NotFound(PsmError):
    """There is nothing of that name or id."""

    exit_code = 3


class Denied(PsmError):
    """The actor may not."""

    exit_code = 4


class Integrity(PsmError):
    """Evidence is not what it was."""

    exit_code = 6


class Unreachable(PsmError):
    """Nobody is there who could obey."""

    exit_code = 69


def in_words(error: Exception) -> PsmError:
    """Return an error of the rooms below as one for the front ends."""
    match error:
        case NoRow():
            return NotFound(str(error))
        case Ambiguous() | DocumentError() | HomeError():
            return Usage(str(error))
        case _:
            return Failed(str(error))


def told(act: Callable[P, T]) -> Callable[P, T]:
    """Let an operation raise nothing but PsmError for what can go wrong."""

    @functools.wraps(act)
    def telling(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return act(*args, **kwargs)
        except (StoreError, CredentialError) as error:
            raise in_words(error) from error

    return telling
