"""How fast the terminal is beside other emulators, on the inputs of bench.terminal_throughput.

    python -m bench.terminal_peers [--xterm FOLDER_OF_@xterm/headless]

Stock pyte, xterm.js (through NODE_PATH or --xterm), libvterm and tmux, as far as this machine has
them; nothing is installed. Megabytes a second of processor time: ours, xterm.js (warm) and libvterm
best of three, stock and tmux's server once. `wall` is what a tmux pane took by the clock, PTY
included. Ours, xterm.js and tmux keep 1000 lines of scrollback, stock pyte and libvterm none.
"""

from __future__ import annotations

import argparse
import base64
import ctypes
import ctypes.util
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyte

from bench.terminal_inputs import CORPUS, Input, floods, programs
from bench.terminal_throughput import CHUNK, STOCK_BYTES, geometric_mean, rate, stock_feed
from psm_console.terminal import Screen

HERE = Path(__file__).parent
TMUX_REPEATS = 5
"""tmux gets each input so often, because its time can only be read from outside."""
QUIET_S = 0.2
Rates = list[float]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--xterm", default="", help="the folder of @xterm/headless")
    options = parser.parse_args()
    if not CORPUS.exists():
        print(f"no recordings at {CORPUS}: only what is made here is measured")
    screens, inputs = programs(), programs() + floods()
    found = {
        "ours": [_ours(each) for each in inputs],
        "stock": [_stock(each) for each in inputs],
        "xterm.js": _xterm(inputs, options.xterm or _on_node_path()),
        "libvterm": _libvterm(inputs),
    }
    found["tmux"], found["wall"] = _tmux(inputs)
    columns = {name: rates for name, rates in found.items() if rates}
    _table("screen programs", inputs, columns, range(len(screens)))
    _table("floods", inputs, columns, range(len(screens), len(inputs)))


def _table(title: str, inputs: list[Input], columns: dict[str, Rates], chosen: range) -> None:
    """Print a row for each input; the last two say how many times as fast as ours each is."""
    print(f"\n{title:<18}" + "".join(f"{name:>10}" for name in columns))
    for at in chosen:
        print(f"{inputs[at].name:<18}" + "".join(f"{col[at]:10.2f}" for col in columns.values()))
    means = {name: geometric_mean([col[at] for at in chosen]) for name, col in columns.items()}
    print(f"{'geometric mean':<18}" + "".join(f"{mean:10.2f}" for mean in means.values()))
    times = (f"{mean / means['ours']:10.2f}" for mean in means.values())
    print(f"{'ours = 1':<18}" + "".join(times))


def _ours(each: Input) -> float:
    return max(rate(each.data, CHUNK, Screen(each.columns, each.lines).feed) for _ in range(3))


def _stock(each: Input) -> float:
    part = each.data[:STOCK_BYTES]
    return rate(part, 4096, stock_feed(pyte.Screen(each.columns, each.lines)))


def _on_node_path() -> str:
    """The folder of @xterm/headless on NODE_PATH, or nothing."""
    for folder in os.environ.get("NODE_PATH", "").split(os.pathsep):
        if folder and (package := Path(folder) / "@xterm" / "headless").exists():
            return str(package)
    return ""


def _xterm(inputs: list[Input], package: str) -> Rates:
    if not shutil.which("node") or not package:
        print("without xterm.js: this needs node, and @xterm/headless on NODE_PATH or --xterm")
        return []
    lines = [
        json.dumps({**each._asdict(), "data": base64.b64encode(each.data).decode()})
        for each in inputs
    ]
    said = subprocess.run(
        ["node", str(HERE / "terminal_peers.cjs"), str(Path(package).resolve())],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        check=False,
    )
    if said.returncode:
        print(f"without xterm.js: no @xterm/headless could be loaded from {package}")
        return []
    return [float(line) for line in said.stdout.splitlines()]


def _libvterm(inputs: list[Input]) -> Rates:
    name = ctypes.util.find_library("vterm")
    if name is None:
        print("without libvterm: this needs the package libvterm0")
        return []
    library = ctypes.CDLL(name)
    library.vterm_new.restype = library.vterm_obtain_screen.restype = ctypes.c_void_p
    library.vterm_obtain_screen.argtypes = library.vterm_free.argtypes = [ctypes.c_void_p]
    library.vterm_set_utf8.argtypes = [ctypes.c_void_p, ctypes.c_int]
    library.vterm_screen_reset.argtypes = [ctypes.c_void_p, ctypes.c_int]
    library.vterm_screen_enable_altscreen.argtypes = [ctypes.c_void_p, ctypes.c_int]
    library.vterm_input_write.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
    library.vterm_input_write.restype = ctypes.c_size_t
    return [max(_one_libvterm(library, each) for _ in range(3)) for each in inputs]


def _one_libvterm(library: ctypes.CDLL, each: Input) -> float:
    terminal = library.vterm_new(each.lines, each.columns)
    library.vterm_set_utf8(terminal, 1)
    screen = library.vterm_obtain_screen(terminal)
    library.vterm_screen_enable_altscreen(screen, 1)
    library.vterm_screen_reset(screen, 1)

    def feed(data: bytes) -> None:
        library.vterm_input_write(terminal, data, len(data))

    try:
        return rate(each.data, CHUNK, feed)
    finally:
        library.vterm_free(terminal)


def _tmux(inputs: list[Input]) -> tuple[Rates, Rates]:
    """Megabytes a second of the server's processor time, and by the clock."""
    if not shutil.which("tmux") or not Path("/proc/self/schedstat").exists():
        print("without tmux: this needs tmux, and Linux's /proc/PID/schedstat")
        return [], []
    pairs = [_one_tmux(each) for each in inputs]
    return [spent for spent, _ in pairs], [wall for _, wall in pairs]


def _one_tmux(each: Input) -> tuple[float, float]:
    data = each.data * TMUX_REPEATS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "bytes").write_bytes(data)
        os.mkfifo(folder / "go")
        with _pane(folder, each) as server:
            before, start = _spent(server), time.perf_counter()
            with (folder / "go").open("w") as go:
                go.write("\n")
            spent, wall = _when_quiet(folder / "done", server, start)
    return len(data) / (spent - before) * 1e3, len(data) / wall / 1e6


@contextmanager
def _pane(folder: Path, each: Input) -> Iterator[int]:
    """A pane that waits for `go`, then shows `bytes` raw; yields the server's process id."""
    tmux = ["tmux", "-u", "-S", str(folder / "tmux"), "-f", "/dev/null"]
    size = ["-x", str(each.columns), "-y", str(each.lines)]
    shown = f"cd {folder}; stty raw -echo; touch ready; read go <go; cat bytes; touch done; sleep 9"
    subprocess.run([*tmux, "new-session", "-d", *size, "sleep 60"], check=True)
    try:
        for option in (["status", "off"], ["history-limit", "1000"]):
            subprocess.run([*tmux, "set", "-g", *option], check=True)
        said = [*tmux, "new-window", "-P", "-F", "#{pid}", shown]
        server = subprocess.run(said, capture_output=True, text=True, check=True).stdout
        _wait_for(folder / "ready")
        time.sleep(QUIET_S)
        yield int(server)
    finally:
        subprocess.run([*tmux, "kill-server"], check=False)


def _spent(pid: int) -> int:
    """Nanoseconds of processor time of a process with one thread."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])


def _when_quiet(done: Path, server: int, start: float) -> tuple[int, float]:
    """The server's processor time and the seconds since `start` when it had read everything."""
    _wait_for(done)
    spent, now = _spent(server), time.perf_counter()
    newest = now
    while now - newest < QUIET_S:
        time.sleep(0.005)
        now = time.perf_counter()
        if (more := _spent(server)) > spent:
            spent, newest = more, now
    return spent, newest - start


def _wait_for(path: Path, within_s: float = 60.0) -> None:
    deadline = time.monotonic() + within_s
    while not path.exists():
        if time.monotonic() > deadline:
            raise SystemExit(f"tmux did nothing for {within_s:.0f} s; is its pane's shell there?")
        time.sleep(0.002)


if __name__ == "__main__":
    main()
