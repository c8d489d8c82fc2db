"""Takes from this process what machines run out of."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_descriptor() -> Iterator[None]:
    """Let this process open no file more; what it closes does not help either."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # A descriptor's number, not how many there are, is held against the limit; getrlimit(2).
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
