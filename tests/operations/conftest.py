"""The office that all tests of operations work in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .office import Office, office


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Office]:
    """A home with everybody in it."""
    with office(tmp_path) as made:
        yield made
