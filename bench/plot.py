"""Series drawn as an SVG, panels one below the other on one time axis; a PNG where chromium is."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

WIDTH, HEIGHT = 1000, 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 80, 20, 40, 30
_COLOURS = ("#143F9C", "#B45800", "#067A7A", "#791D40")


@dataclass(frozen=True, slots=True)
class Panel:
    """One diagram: lines by name, each a value for each instant."""

    title: str
    lines: Mapping[str, Sequence[float]]


def draw(path: Path, title: str, at: Sequence[float], panels: Sequence[Panel]) -> None:
    """Write the SVG `path`; `at` are the instants, in seconds."""
    height = HEIGHT * len(panels) + _TOP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        'font-family="DejaVu Sans, sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="#FBFBF8"/>',
        f'<text x="{_LEFT}" y="26" font-size="16">{escape(title)}</text>',
    ]
    for number, panel in enumerate(panels):
        parts += _panel(panel, at, _TOP + number * HEIGHT)
    path.write_text("\n".join([*parts, "</svg>", ""]))


def to_png(svg: Path) -> Path | None:
    """Make a PNG beside `svg`; None without a chromium."""
    chromium = shutil.which("chromium")
    if chromium is None:
        return None
    png = svg.with_suffix(".png")
    height = svg.read_text().split('height="', 1)[1].split('"', 1)[0]
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    size = f"--window-size={WIDTH},{height}"
    picture = [f"--screenshot={png}", svg.absolute().as_uri()]
    done = subprocess.run([chromium, *options, size, *picture], capture_output=True, timeout=60)
    return png if done.returncode == 0 and png.exists() else None


def _panel(panel: Panel, at: Sequence[float], top: int) -> list[str]:
    most = max((max(values, default=0.0) for values in panel.lines.values()), default=0.0) or 1.0
    low, high = top + HEIGHT - _BOTTOM, top + _TOP
    longest = max(at, default=0.0) or 1.0
    parts = [f'<text x="{_LEFT}" y="{top + 26}">{escape(panel.title)}</text>']
    for share in (0.0, 0.5, 1.0):
        y = low + (high - low) * share
        parts.append(f'<path d="M{_LEFT} {y}H{WIDTH - _RIGHT}" stroke="#CCCCC4"/>')
        parts.append(
            f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{most * share:.4g}</text>'
        )
    parts.append(f'<text x="{_LEFT}" y="{low + 18}">0</text>')
    parts.append(
        f'<text x="{WIDTH - _RIGHT}" y="{low + 18}" text-anchor="end">{longest:.0f} s</text>'
    )
    for number, (name, values) in enumerate(panel.lines.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        points = " ".join(
            f"{_LEFT + (WIDTH - _LEFT - _RIGHT) * x / longest:.1f},"
            f"{low + (high - low) * value / most:.1f}"
            for x, value in zip(at, values, strict=True)
        )
        parts.append(f'<polyline fill="none" stroke="{colour}" points="{points}"/>')
        x = WIDTH - _RIGHT - 110 * (len(panel.lines) - number)
        parts.append(f'<text x="{x}" y="{top + 26}" fill="{colour}">{escape(name)}</text>')
    return parts
