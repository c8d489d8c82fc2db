"""The command line: parse, call operations, print. `psm` starts here."""

from .main import main

__all__ = ["main"]
