"""Every cell of every recording, its text, colours and attributes, against xterm.js.

    python -m bench.terminal_cells [FOLDER_OF_@xterm/headless]

Needs node, and npm unless the folder is given: the package then goes into a temporary folder.
Cells that differ are counted by what differs; a line for each recording that is not equal.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from bench.terminal_inputs import CORPUS, recordings
from psm_console.terminal import Char, Screen
from psm_console.terminal.attributes import NAMES, PALETTE

HERE = Path(__file__).parent
Cell = tuple[str, str, str, str]
"""Text, foreground, background, flags."""
PARTS = ("text", "foreground", "background", "attributes")


def main(package: str = "") -> int:
    """Compare and print."""
    if not CORPUS.exists() or not shutil.which("node"):
        print(f"nothing compared: this needs node and recordings at {CORPUS}")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        found = package or _installed(Path(folder))
        if not found:
            print("nothing compared: npm could not install @xterm/headless")
            return 0
        _compare(recordings(), found)
    return 0


def _installed(folder: Path) -> str:
    """The folder of @xterm/headless after npm put it there, or nothing."""
    if not shutil.which("npm"):
        return ""
    command = ["npm", "install", "--no-audit", "--no-fund", "@xterm/headless"]
    subprocess.run(command, cwd=folder, capture_output=True, check=False)
    package = folder / "node_modules" / "@xterm" / "headless"
    return str(package) if package.exists() else ""


def _compare(corpus: list[dict[str, Any]], package: str) -> None:
    theirs = subprocess.run(
        ["node", str(HERE / "terminal_cells.cjs"), package],
        input="\n".join(json.dumps(recording) for recording in corpus),
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    kinds: Counter[str] = Counter()
    compared = 0
    for recording, line in zip(corpus, theirs, strict=True):
        found = _differences(_played(recording), json.loads(line))
        compared += recording["cols"] * recording["rows"]
        kinds.update(found)
        if found:
            parts = ", ".join(f"{kind} {count}" for kind, count in Counter(found).items())
            print(f"{recording['name']:<40} {parts}")
    different = sum(kinds.values())
    share = 100 * (1 - different / compared)
    print(f"{len(corpus)} recordings, {compared} cells, {different} differ: {share:.2f} % equal")


def _played(recording: dict[str, Any]) -> Screen:
    screen = Screen(recording["cols"], recording["rows"])
    for code, data in recording["events"]:
        if code == "o":
            screen.feed(base64.b64decode(data))
        elif code == "r":
            screen.resize(data[1], data[0])
    return screen


def _differences(screen: Screen, rows: list[list[list[Any]]]) -> list[str]:
    """What differs, for each cell that does."""
    found = []
    for y, row in enumerate(rows):
        for x, cell in enumerate(row):
            theirs, ours = _theirs(cell), _ours(screen.buffer[y][x])
            if cell[1] and ours != theirs and not _both_look_empty(ours, theirs):
                parts = zip(PARTS, ours, theirs, strict=True)
                found.append(" and ".join(part for part, a, b in parts if a != b))
    return found


def _both_look_empty(ours: Cell, theirs: Cell) -> bool:
    """Whether both are blanks whose difference nobody sees: bold or the colour of no letter."""
    seen = [flags[3] + flags[5] + flags[7] for flags in (ours[3], theirs[3])]
    return ours[0] == theirs[0] == " " and ours[2] == theirs[2] and seen == ["000", "000"]


def _ours(cell: Char) -> Cell:
    flags = (
        cell.bold,
        cell.dim,
        cell.italics,
        cell.underscore,
        cell.blink,
        cell.reverse,
        cell.conceal,
        cell.strikethrough,
    )
    digits = "".join(str(int(flag)) for flag in flags)
    return cell.data, _rgb(cell.fg), _rgb(cell.bg), digits


def _theirs(cell: list[Any]) -> Cell:
    text, _, fg_mode, fg, bg_mode, bg, flags = cell
    return text or " ", _colour(fg_mode, fg), _colour(bg_mode, bg), flags


def _colour(mode: int, value: int) -> str:
    """A colour of xterm.js: mode 0 is the default, 1 and 2 the palette, 3 direct."""
    if mode == 0:
        return "default"
    return PALETTE[value] if mode in (1, 2) else f"{value:06x}"


def _rgb(name: str) -> str:
    """A colour of ours without names."""
    if name.startswith("bright"):
        return PALETTE[8 + NAMES.index(name[6:])]
    return PALETTE[NAMES.index(name)] if name in NAMES else name


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
