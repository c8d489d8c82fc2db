"""Keeps the inspector process alive beside the broker: off the byte path, killable, replaced."""

from __future__ import annotations

import asyncio
import logging
import sys

from psm_console.store import Home

log = logging.getLogger(__name__)

_AGAIN_S = 2.0


class Inspectors:
    """One inspector process after the other. It ends by itself when its stdin closes."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._process: asyncio.subprocess.Process | None = None

    async def run(self) -> None:
        """Start an inspector whenever there is none; what it does not do costs nobody a byte."""
        while True:
            try:
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "psm_console.inspector",
                    "--home",
                    str(self._home.root),
                    stdin=asyncio.subprocess.PIPE,
                    start_new_session=True,
                )
                status = await self._process.wait()
                log.warning("the inspector ended with %s and is started again", status)
            except OSError as error:
                log.error("no inspector can be started now: %s", error.strerror or error)
            await asyncio.sleep(_AGAIN_S)

    async def stop(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), 2)
            except TimeoutError:
                process.kill()
                await process.wait()
