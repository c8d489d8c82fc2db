"""Every client of tests/clients through the broker and directly, again and again: any flake counts.

    python -m bench.clients [RUNS] [WORDS]

Each test runs RUNS times, with one broker and one sshd for each file of tests. WORDS choose tests
as pytest's -k does. The status is 0 when every run of every test held.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from pathlib import Path

import pytest

from .figures import spread

CLIENTS = Path(__file__).resolve().parent.parent / "tests" / "clients"


class Again:
    """A pytest plugin that runs each test `runs` times and keeps what came of it."""

    def __init__(self, runs: int) -> None:
        self._runs = runs
        self.took: defaultdict[str, list[float]] = defaultdict(list)
        self.failed: defaultdict[str, list[str]] = defaultdict(list)

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Give each test a number that it does not look at."""
        metafunc.fixturenames.append("again")
        metafunc.parametrize("again", range(self._runs), ids=lambda n: f"again{n}")

    @pytest.fixture
    def again(self) -> None:
        """Ask for nothing: the number only makes the runs differ."""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the time of a run that held, and the words of one that did not."""
        name = (
            f"{Path(report.location[0]).stem.removeprefix('test_')}: {_named(report.location[2])}"
        )
        if report.failed:
            self.failed[name].append(report.longreprtext)
        elif report.when == "call":
            self.took[name].append(report.duration * 1000)


def _named(test: str) -> str:
    name, _, parameters = test.partition("[")
    kept = [part for part in parameters.rstrip("]").split("-") if not part.startswith("again")]
    return " ".join([name.removeprefix("test_").replace("_", " "), *filter(None, kept)])


def main(runs: int = 20, words: str = "") -> int:
    again = Again(runs)
    began = time.monotonic()
    options = ["-q", "-n", "0", "--no-header", "-p", "no:cacheprovider", "--tb=short"]
    pytest.main([*options, "-k", words, str(CLIENTS)], plugins=[again])
    print()
    for name, values in again.took.items():
        print(spread(f"{name[:78]:<78}", values))
    for name, texts in again.failed.items():
        print(f"FAILED {len(texts)} of {runs}: {name}\n{texts[0]}")
    held, lost = sum(map(len, again.took.values())), sum(map(len, again.failed.values()))
    print(f"{held} runs held, {lost} did not, {time.monotonic() - began:.0f} s")
    return 0 if held and not lost else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if sys.argv[1:] else 20, " ".join(sys.argv[2:])))
