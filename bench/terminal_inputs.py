"""What the terminal benchmarks feed: floods made here, real recordings where they are at hand."""

from __future__ import annotations

import base64
import gzip
import json
import random
from pathlib import Path
from typing import Any, NamedTuple

CORPUS = Path(__file__).parents[2] / "shared" / "corpus" / "terminal.jsonl.gz"
LEAST = 200_000
"""Bytes of an input: shorter recordings are repeated."""

PROGRAMS = {
    "vim": "ala:vim_large_window_scroll",
    "vim, true colour": "ala:vim_24bitcolors_bce",
    "htop": "pyte:htop.input",
    "htop in tmux": "ala:tmux_htop",
    "mc": "pyte:mc.input",
    "shell and tools": "cast:agg/demo.cast",
    "coloured lines": "ala:row_reset",
    "cacademo": "avt:cacademo.txt",
}


class Input(NamedTuple):
    """Bytes for a screen of this size."""

    name: str
    columns: int
    lines: int
    data: bytes


def recordings(path: Path = CORPUS) -> list[dict[str, Any]]:
    """The recordings of a corpus, or none when it is not there."""
    if not path.exists():
        return []
    with gzip.open(path, "rt") as lines:
        return [json.loads(line) for line in lines]


def programs() -> list[Input]:
    """What screen programs send: recorded ones where there is a corpus, and a rainbow."""
    by_name = {recording["name"]: recording for recording in recordings()}
    inputs = [
        _repeated(name, by_name[recorded])
        for name, recorded in PROGRAMS.items()
        if recorded in by_name
    ]
    return [*inputs, Input("lolcat", 80, 24, _rainbow())]


def _repeated(name: str, recording: dict[str, Any]) -> Input:
    data = b"".join(base64.b64decode(text) for code, text in recording["events"] if code == "o")
    return Input(name, recording["cols"], recording["rows"], data * (LEAST // len(data) + 1))


def _rainbow() -> bytes:
    source = random.Random(1)
    text = "the quick brown fox jumps over the lazy dog"
    return "".join(
        "".join(f"\x1b[38;5;{source.randrange(16, 231)}m{letter}" for letter in text)
        + "\x1b[0m\r\n"
        for _ in range(600)
    ).encode()


def floods() -> list[Input]:
    """What programs without a screen send when there is much of it."""
    source = random.Random(2)
    return [
        Input("ls -l", 80, 24, "".join(_listing(source, n, "{}") for n in range(12_000)).encode()),
        Input(
            "ls -l --color",
            80,
            24,
            "".join(
                _listing(source, n, "\x1b[0m\x1b[01;34m{}\x1b[0m") for n in range(9_000)
            ).encode(),
        ),
        Input("yes", 80, 24, b"y\r\n" * 200_000),
        Input("base64", 80, 24, b"".join(_encoded(source) for _ in range(8_000))),
        Input("base64 -w0", 80, 24, base64.b64encode(source.randbytes(500_000))),
        Input("CJK prose", 80, 24, "".join(_prose(source) for _ in range(6_000)).encode()),
    ]


def _listing(source: random.Random, number: int, shown: str) -> str:
    name = shown.format(f"file{number % 300:03}.txt")
    return f"-rw-r--r-- 1 root root {source.randrange(99999):6} Nov 21 10:0{number % 10} {name}\r\n"


def _encoded(source: random.Random) -> bytes:
    return base64.b64encode(source.randbytes(57)) + b"\r\n"


def _prose(source: random.Random) -> str:
    length = source.randrange(5, 60)
    return "".join(chr(source.randrange(0x4E00, 0x9FA0)) for _ in range(length)) + "\r\n"
