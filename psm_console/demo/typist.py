"""Somebody at a keyboard: types at a human pace, and looks at the screen before going on."""

from __future__ import annotations

import asyncio
import random
import re

import asyncssh

_SEEN = 4096
_SEQUENCE = re.compile(rb"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[@-Z\\^_=>()].?)")
_PROMPTS = (b"$ ", b"# ")
_PATIENCE_S = 25.0
_QUIET_S = 4.0


class SessionOver(Exception):
    """The connection or the program behind it has ended."""


class Typist:
    """One operator's hands and eyes in one shell; every wait ends when the session does."""

    def __init__(self, process: asyncssh.SSHClientProcess[bytes], chance: random.Random) -> None:
        self._process = process
        self.chance = chance
        self._seen = b""
        self._changed = asyncio.Event()
        self._over = False
        self._reading = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        try:
            while data := await self._process.stdout.read(32768):
                self._seen = (self._seen + data)[-_SEEN:]
                self._changed.set()
        except (OSError, asyncssh.Error):
            # However the connection ended, it is over, and `_look` says so.
            self._seen = b""
        finally:
            self._over = True
            self._changed.set()

    def _send(self, keys: bytes) -> None:
        if self._over:
            raise SessionOver
        try:
            self._process.stdin.write(keys)
        except (OSError, asyncssh.Error) as error:
            raise SessionOver from error

    async def _look(self, timeout_s: float) -> bool:
        """Wait for something new on the screen; False when nothing came in `timeout_s`."""
        if self._over:
            raise SessionOver
        self._changed.clear()
        try:
            await asyncio.wait_for(self._changed.wait(), timeout_s)
        except TimeoutError:
            return False
        return True

    async def rest(self, least_s: float, most_s: float) -> None:
        """Look at the screen for a while."""
        left = self.chance.uniform(least_s, most_s)
        loop = asyncio.get_running_loop()
        end = loop.time() + left
        while (left := end - loop.time()) > 0:
            await self._look(left)

    async def say(self, text: str) -> None:
        """Type `text` without Enter, 50 to 160 ms a key, slower after a word."""
        for key in text:
            self._send(key.encode())
            pause = self.chance.uniform(0.03, 0.13)
            await asyncio.sleep(pause * (2.5 if key in " /|" else 1.0))

    async def press(self, keys: str, times: int = 1, pause_s: float = 0.35) -> None:
        """Press one key `times` times."""
        for _ in range(times):
            self._send(keys.encode())
            await asyncio.sleep(self.chance.uniform(0.6, 1.4) * pause_s)

    async def prompt(self, within_s: float = _PATIENCE_S) -> None:
        """Wait for the shell's prompt.

        Who sees nothing happen presses Enter once (a message may have been drawn over the prompt),
        and at the end of their patience control-C, and goes on.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + within_s
        tried = False
        while not self._at_prompt():
            if await self._look(min(max(end - loop.time(), 0.1), _QUIET_S)):
                continue
            if loop.time() >= end:
                self._send(b"\x03")
                return
            if not tried:
                tried = True
                self._send(b"\r")

    def _at_prompt(self) -> bool:
        return _SEQUENCE.sub(b"", self._seen[-200:]).endswith(_PROMPTS)

    async def line(self, text: str, within_s: float = _PATIENCE_S) -> None:
        """Type a command, press Enter, and wait until the prompt is back."""
        await self.prompt()
        await self.say(text)
        await asyncio.sleep(self.chance.uniform(0.15, 0.6))
        self._seen = b""
        self._send(b"\r")
        await self.prompt(within_s)

    async def start(self, text: str) -> None:
        """Type a command that keeps the screen, and leave it running."""
        await self.prompt()
        await self.say(text)
        self._seen = b""
        self._send(b"\r")

    def close(self) -> None:
        """Stop looking."""
        self._reading.cancel()
