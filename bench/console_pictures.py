"""Draws the console's screens on a running demo, as SVG, to look at and for the documentation.

    python -m bench.console_pictures [FOLDER [NAME…]]     # docs/screenshots, those of the docs

Every picture is the real console on real sessions, exported by Textual.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path

from psm_console.console.app import ConsoleApp
from psm_console.operations.identity import local_identity
from psm_console.store import Home, Store

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "screenshots"
SETTLE_S = 1.5
# Textual names a font on the web first; a picture of ours fetches nothing.
_WEB_FONT = re.compile(r"@font-face \{.*?\}\n?", re.DOTALL)
PICTURES = {
    "live-190x48": ((190, 48), "nightwatch", ()),
    "live-120x40": ((120, 40), "nightwatch", ("j",)),
    "live-80x24": ((80, 24), "nightwatch", ()),
    "live-daylight": ((120, 40), "daylight", ("j",)),
    "shadow": ((120, 40), "nightwatch", ("j", "enter")),
    "shadow-190x48": ((190, 48), "nightwatch", ("j", "enter")),
    "shadow-80x24": ((80, 24), "nightwatch", ("j", "enter")),
    "warn": ((120, 40), "nightwatch", ("j", "enter", "m", *"slow", "enter")),
    "terminate": ((120, 40), "nightwatch", ("j", "enter", "K")),
    "library": ((120, 40), "nightwatch", ("2",)),
    "replay": ((120, 40), "nightwatch", ("2", "slash", *"customer", "enter", "enter", "8")),
    "replay-190x48": (
        (190, 48),
        "nightwatch",
        ("2", "slash", *"customer", "enter", "enter", "8"),
    ),
    "replay-80x24": ((80, 24), "nightwatch", ("2", "slash", *"customer", "enter", "enter", "8")),
    "replay-daylight": (
        (120, 40),
        "daylight",
        ("2", "slash", *"customer", "enter", "enter", "8"),
    ),
    "help": ((120, 40), "nightwatch", ("question_mark",)),
    "palette": ((120, 40), "nightwatch", ("colon",)),
}
DOCUMENTED = ("shadow", "terminate", "library", "replay", "live-daylight", "live-80x24", "help")


async def draw(home: Home, name: str, folder: Path) -> None:
    """Run a console of its own for one picture."""
    size, theme, keys = PICTURES[name]
    with Store.open(home) as store:
        actor = local_identity(store, home)
    app = ConsoleApp(home, actor)
    app.theme = theme
    async with app.run_test(size=size) as pilot:
        await asyncio.sleep(SETTLE_S)
        for key in keys:
            await pilot.press(key)
            await asyncio.sleep(0.2 if len(key) == 1 and key.isalpha() else 0.8)
        await asyncio.sleep(SETTLE_S)
        picture = _WEB_FONT.sub("", app.export_screenshot(title="psm"))
        (folder / f"{name}.svg").write_text(picture)
        print(name, *size)


def main(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    demo = subprocess.Popen(
        [sys.executable, "-m", "psm_console.cli", "demo", "--headless"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert demo.stdout is not None
        home = Home(Path(json.loads(demo.stdout.readline())["home"]))
        asyncio.run(asyncio.sleep(12))  # the operators begin to work
        for name in names or DOCUMENTED:
            asyncio.run(draw(home, name, folder))
    finally:
        demo.terminate()
        demo.wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER, sys.argv[2:])
