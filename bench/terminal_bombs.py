"""What hostile output costs the watcher: processor time for each 64 KiB, the worst first.

    python -m bench.terminal_bombs [COLUMNSxLINES] [HOW_MANY]

Each bomb is fed whole and in chunks of 1000 bytes to a screen full of text; the slower counts.
"""

from __future__ import annotations

import sys
import time

from psm_console.terminal import Screen

SIZE = 65536


def main(size: str = "80x24", how_many: str = "20") -> None:
    """Measure and print."""
    columns, lines = (int(part) for part in size.split("x"))
    shown = int(how_many)
    costs = sorted(
        ((_cost(bomb, columns, lines), name) for name, bomb in bombs().items()), reverse=True
    )
    print(f"{len(costs)} bombs on {columns}x{lines}, milliseconds for 64 KiB, the worst {shown}:")
    for cost, name in costs[:shown]:
        print(f"{cost:8.1f}  {name}")


def _cost(bomb: bytes, columns: int, lines: int) -> float:
    return max(_best(bomb, columns, lines, len(bomb)), _best(bomb, columns, lines, 1000))


def _best(bomb: bytes, columns: int, lines: int, chunk: int) -> float:
    """The least of three: other programs on the machine only add."""
    return min(_feed(bomb, columns, lines, chunk) for _ in range(3))


def _feed(bomb: bytes, columns: int, lines: int, chunk: int) -> float:
    screen = Screen(columns, lines, 1000)
    screen.feed(b"some text that fills the screen " * (columns * lines // 16))
    start = time.process_time()
    for at in range(0, len(bomb), chunk):
        screen.feed(bomb[at : at + chunk])
    return (time.process_time() - start) * 1000 * SIZE / len(bomb)


def _loop(*pieces: bytes | str) -> bytes:
    """The pieces in turn, 64 KiB of them."""
    turn = b"".join(piece.encode() if isinstance(piece, str) else piece for piece in pieces)
    return turn * (SIZE // len(turn))


def bombs() -> dict[str, bytes]:
    """All of them, by what they do."""
    return {**_endless(), **_text(), **_movement(), **_rows(), **_state(), **_strings()}


def _endless() -> dict[str, bytes]:
    return {
        "5,000 digits": (b"\x1b[" + b"9" * 5000 + b"mA") * 13,
        "a million parameters": b"\x1b[" + b";1" * 1_000_000 + b"m",
        "unterminated OSC": b"\x1b]0;" + b"x" * 1_000_000,
        "unterminated DCS": b"\x1bP" + b"q" * 1_000_000,
        "unterminated APC": b"\x1b_G" + b"A" * 1_000_000,
        "unterminated CSI": b"\x1b[" + b"1;" * 500_000,
        "200,000 combining marks": b"e" + "\u0301".encode() * 200_000,
        "escapes": _loop(b"\x1b"),
        "introducers": _loop(b"\x1b["),
        "C1 introducers": _loop("\x9b"),
        "bytes that are not UTF-8": _loop(b"\xff"),
        "characters cut off": _loop(b"\xe2\x80"),
    }


def _text() -> dict[str, bytes]:
    return {
        "text": _loop(b"A"),
        "zero-width text": _loop(b"a", "\u200b"),
        "joiners": _loop("👨\u200d"),
        "wide text": _loop("世"),
        "wide and narrow in turn": _loop("世a"),
        "characters to look up": _loop("★"),
        "repeats": _loop(b"A\x1b[65535b"),
        "wide repeats": _loop("世\x1b[65535b"),
        "short repeats": _loop(b"A\x1b[b"),
        "line drawing on and off": _loop(b"\x1b(0q\x1b(Bq"),
        "shift out and in": _loop(b"\x0e\x0f"),
        "single shifts": _loop(b"\x1bNA"),
        "insert mode on and off": _loop(b"\x1b[4hA\x1b[4lB"),
        "nulls between letters": _loop(b"\x00A"),
        "SGR on and off": _loop(b"\x1b[1m\x1b[22m"),
        "ever new colours": b"".join(
            b"\x1b[38;2;%d;%d;9mA" % (n % 256, n // 256 % 256) for n in range(4000)
        ),
    }


def _movement() -> dict[str, bytes]:
    return {
        "line feeds": _loop(b"\n"),
        "line feeds and indexes": _loop(b"\n\x1bD"),
        "next lines": _loop(b"\x1bE"),
        "reverse indexes": _loop(b"\x1bM"),
        "tabs and backspaces": _loop(b"\t\x08"),
        "tabs and returns": _loop(b"\t\r"),
        "tab stops set": _loop(b"\x1bH\x1b[C"),
        "many tabs": _loop(b"\x1b[65535I\r"),
        "cursor saved and restored": _loop(b"\x1b7\x1b8"),
        "cursor restored": _loop(b"\x1b8"),
        "cursor everywhere": b"".join(b"\x1b[%d;%dHA" % (n % 23, n % 79) for n in range(8000)),
        "controls inside sequences": _loop(b"\x1b[\n\n\n\nH"),
    }


def _rows() -> dict[str, bytes]:
    return {
        "lines inserted": _loop(b"\x1b[999L"),
        "lines deleted": _loop(b"\x1b[999M"),
        "scrolling up": _loop(b"A\x1b[999S"),
        "scrolling down": _loop(b"A\x1b[999T"),
        "columns inserted": _loop(b"\x1b['}"),
        "columns deleted": _loop(b"A\x1b['~"),
        "columns moved": _loop(b"\x1b[ @"),
        "characters inserted": _loop(b"\x1b[@"),
        "characters deleted": _loop(b"\x1b[P"),
        "screens erased": _loop(b"A\x1b[2J"),
        "upper parts erased": _loop(b"\x1b[1J"),
        "lines erased": _loop(b"A\x1b[K"),
        "selective erase": b'\x1b[1"qA\x1b[0"q' + _loop(b"\x1b[?2J"),
        "selective erase of a line": b'\x1b[1"qA\x1b[0"q\r' + _loop(b"\x1b[?2K"),
        "screens of E": _loop(b"\x1b#8\n"),
        "giant regions": _loop(b"\x1b[1;65535r\x1b[65535H\n"),
    }


def _state() -> dict[str, bytes]:
    return {
        "resets": _loop(b"A\x1bc"),
        "soft resets": _loop(b"\x1b[!p"),
        "132 columns": _loop(b"\x1b[?40h\x1b[?3h\x1b[?3l"),
        "alternate screens": _loop(b"\x1b[?1049hA\x1b[?1049lB"),
        "origin modes": _loop(b"\x1b[?6h\x1b[?6l"),
        "reverse screens": _loop(b"\x1b[?5h\x1b[?5l"),
        "every mode": b"".join(b"\x1b[?%dh" % number for number in range(8000)),
        "unknown sequences": b"".join(b"\x1b[%d;%dx" % (n, n) for n in range(6000)),
    }


def _strings() -> dict[str, bytes]:
    return {
        "sixel": b"\x1bPq" + _loop(b"#0;2;0;0;0~-") + b"\x1b\\",
        "kitty images": _loop(b"\x1b_Gf=32,s=1;AAAA\x1b\\"),
        "links": _loop(b"\x1b]8;;http://x\x07a\x1b]8;;\x07"),
        "titles": _loop(b"\x1b]0;t\x07"),
        "titles pushed": _loop(b"\x1b[22t"),
        "ever new commands": b"".join(b"\x1b]%d;x\x07" % number for number in range(6000)),
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
