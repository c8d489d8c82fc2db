"""How the benchmarks say a distribution."""

from __future__ import annotations

from collections.abc import Sequence


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` (0 to 1) of `values` lie: the nearest rank."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def spread(name: str, values: Sequence[float], unit: str = "ms") -> str:
    """Return one line: count, median, p99 and the longest."""
    return (
        f"{name:<44} n={len(values):<5} p50 {percentile(values, 0.5):8.2f}  "
        f"p99 {percentile(values, 0.99):8.2f}  max {max(values):8.2f} {unit}"
    )
