"""Makes docs/screenshots/ anew: the real console on a running demo, as a terminal would show it.

python bench/make_screenshot.py
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from html import escape
from itertools import groupby
from pathlib import Path

from psm_console.terminal import Attributes, Screen
from tests.support.terminal import PtyProcess

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "screenshots"
COLUMNS, ROWS = 150, 40
WIDTH, HEIGHT, SIZE = 8.4, 16.4, 14
PAPER, INK = "#0B0F16", "#D5DBE6"
NAMED = {
    "black": "#1D2433",
    "red": "#EE4C85",
    "green": "#86C98B",
    "brown": "#F9ED68",
    "blue": "#7D95E5",
    "magenta": "#C58AF9",
    "cyan": "#86F2F8",
    "white": "#D5DBE6",
}


def colour(name: str, default: str) -> str:
    """Return a colour of the emulator as SVG writes it."""
    plain = name.removeprefix("bright")
    if name == "default":
        return default
    return NAMED.get(plain, f"#{name}")


def papers(screen: Screen, y: int) -> Iterator[str]:
    """Yield what lies behind one row."""
    cells = [screen.buffer[y][x] for x in range(screen.columns)]
    behind = [colour(cell.fg, INK) if cell.reverse else colour(cell.bg, PAPER) for cell in cells]
    x = 0
    for paper, same in groupby(behind):
        count = len(list(same))
        if paper != PAPER:
            yield (
                f'<rect x="{x * WIDTH:.1f}" y="{y * HEIGHT:.1f}" width="{count * WIDTH + 0.3:.1f}" '
                f'height="{HEIGHT + 0.3}" fill="{paper}"/>'
            )
        x += count


def words(screen: Screen, y: int) -> Iterator[tuple[int, int, str, Attributes]]:
    """Yield column, width, text and look of each run without blanks in one row."""
    found: list[tuple[int, int, str, Attributes]] = []
    for x in range(screen.columns):
        cell = screen.buffer[y][x]
        start, count, text, look = found[-1] if found else (-1, 0, "", cell.look)
        if cell.data == "" and found:
            found[-1] = (start, count + 1, text, look)
        elif cell.data.strip() and found and start + count == x and look == cell.look:
            found[-1] = (start, count + 1, text + cell.data, look)
        elif cell.data.strip():
            found.append((x, 1, cell.data, cell.look))
    yield from found


def inks(screen: Screen, y: int) -> Iterator[str]:
    """Yield the words of one row."""
    for start, count, text, look in words(screen, y):
        ink = colour(look.bg, PAPER) if look.reverse else colour(look.fg, INK)
        weight = ' font-weight="bold"' if look.bold else ""
        yield (
            f'<text x="{start * WIDTH:.1f}" y="{y * HEIGHT + 12.9:.1f}" fill="{ink}"{weight} '
            f'textLength="{count * WIDTH:.1f}" lengthAdjust="spacingAndGlyphs">'
            f"{escape(text)}</text>"
        )


def picture(screen: Screen) -> str:
    """Return the screen as SVG."""
    rows = range(screen.lines)
    shapes = [shape for draw in (papers, inks) for y in rows for shape in draw(screen, y)]
    body = "\n".join(shapes)
    width, height = screen.columns * WIDTH + 24, screen.lines * HEIGHT + 24
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f"font-family=\"'DejaVu Sans Mono','Fira Code',Menlo,Consolas,monospace\" "
        f'font-size="{SIZE}">\n<rect width="100%" height="100%" rx="8" fill="{PAPER}"/>\n'
        f'<g transform="translate(12 12)">\n{body}\n</g>\n</svg>\n'
    )


def look(terminal: PtyProcess, seconds: float) -> Screen:
    """Watch the console for a while and return its screen."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        terminal.read(0.1)
    screen = Screen(COLUMNS, ROWS, history=0)
    screen.feed(bytes(terminal.output))
    return screen


def main() -> None:
    env = os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
    argv = [sys.executable, "-m", "psm_console.cli", "demo"]
    with PtyProcess(argv, columns=COLUMNS, rows=ROWS, env=env) as terminal:
        terminal.wait_for("mira", within_s=20)
        rows = look(terminal, 9.0).display
        listed = [row for row in rows if "@" in row[:60] and "active" in row[:20]]
        terminal.type("j" * next((n for n, row in enumerate(listed) if "mira" in row[:40]), 0))
        live = look(terminal, 2.0)
        FOLDER.mkdir(parents=True, exist_ok=True)
        (FOLDER / "live.svg").write_text(picture(live))
        print(live.screen_text())
        terminal.type("q")
        terminal.wait_exit(15)


if __name__ == "__main__":
    main()
