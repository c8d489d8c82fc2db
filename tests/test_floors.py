"""The house of the design: imports point down only, and each library has its home.

Needs nothing but the standard library, so it can run before anything is installed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "psm_console"

FLOORS = {
    "domain": 0,
    "terminal": 1,
    "recording": 1,
    "store": 1,
    "credentials": 1,
    "confinement": 1,
    "operations": 2,
    "broker": 3,
    "inspector": 3,
    "console": 3,
    "demo": 4,
    "cli": 5,
}
NEIGHBOURS = {("recording", "terminal")}
"""Rooms on one floor that may look into each other, in this direction only."""

HOMES = {
    "pyte": {"terminal"},
    "wcwidth": {"terminal"},
    "sqlite3": {"store"},
    "sqlite_utils": {"store"},
    "watchfiles": {"store"},
    "platformdirs": {"store", "console"},
    "asyncssh": {"broker", "demo", "credentials", "recording"},
    "cryptography": {"broker", "credentials", "recording"},
    "pyotp": {"credentials"},
    "textual": {"console"},
    "rich": {"console"},
    "click": {"cli"},
}
KEYS_ONLY = {"credentials", "recording"}
"""Rooms that may use asyncssh's key functions, never its connections."""
CONNECTIONS = {
    "connect",
    "connect_reverse",
    "create_connection",
    "create_server",
    "listen",
    "listen_reverse",
    "run_client",
    "run_server",
    "SSHClient",
    "SSHClientConnection",
    "SSHServer",
    "SSHServerConnection",
}
IMPURE = {
    "asyncio",
    "io",
    "logging",
    "os",
    "pathlib",
    "random",
    "secrets",
    "select",
    "shutil",
    "signal",
    "socket",
    "subprocess",
    "sys",
    "tempfile",
    "threading",
    "time",
    "uuid",
}
"""What domain/ may not even import: I/O, clocks and randomness."""

FILE_LINES = 450
FUNCTION_LINES = 55


@dataclass(frozen=True)
class Import:
    """`name` as it would be written in full; `top` when importing the module runs it."""

    module: str
    name: str
    line: int
    top: bool

    @property
    def where(self) -> str:
        return f"{self.module}:{self.line} imports {self.name}"


def _module_name(path: Path) -> str:
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def _modules() -> dict[str, Path]:
    return {_module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def _full_names(node: ast.Import | ast.ImportFrom, module: str, path: Path) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    base = node.module or ""
    if node.level:
        package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
        package = package[: len(package) - node.level + 1]
        base = ".".join([*package, base] if base else package)
    for alias in node.names:
        # `from .x import y` means the module x.y where there is one, else x.
        inner = f"{base}.{alias.name}"
        yield inner if inner in _modules() else base


def _walk(node: ast.AST, top: bool) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.Import, ast.ImportFrom)):
            yield child, top
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            yield from ((found, False) for found, _ in _walk(child, False))
        else:
            inside = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            yield from _walk(child, top and not inside)


@cache
def _imports() -> tuple[Import, ...]:
    return tuple(
        Import(module, name, node.lineno, top)
        for module, path in _modules().items()
        for node, top in _walk(ast.parse(path.read_text("utf-8")), True)
        for name in _full_names(node, module, path)
    )


def _room(module: str) -> str | None:
    """Return the room that `module` lies in; None for the package's own `__init__`."""
    parts = module.split(".")
    return parts[1] if parts[0] == PACKAGE.name and len(parts) > 1 else None


def test_every_room_stands_on_a_floor() -> None:
    rooms = {_room(module) for module in _modules()} - {None}
    assert rooms - {"__main__"} <= set(FLOORS)


def test_imports_point_down_only() -> None:
    wrong = []
    for found in _imports():
        here, there = _room(found.module), _room(found.name)
        if here == "__main__" or here is None or there is None or here == there:
            continue
        if FLOORS[there] >= FLOORS[here] and (here, there) not in NEIGHBOURS:
            wrong.append(found.where)
    assert not wrong, "\n".join(wrong)


def test_each_library_is_used_only_in_its_home() -> None:
    wrong = [
        found.where
        for found in _imports()
        if (homes := HOMES.get(found.name.partition(".")[0])) and _room(found.module) not in homes
    ]
    assert not wrong, "\n".join(wrong)


def test_the_decisions_import_no_io_no_clock_and_no_library() -> None:
    import sys

    wrong = [
        found.where
        for found in _imports()
        if _room(found.module) == "domain"
        and (top := found.name.partition(".")[0]) != PACKAGE.name
        and (top in IMPURE or top not in sys.stdlib_module_names)
    ]
    assert not wrong, "\n".join(wrong)


def test_rooms_below_the_broker_use_only_the_key_functions_of_asyncssh() -> None:
    wrong = []
    for module, path in _modules().items():
        if _room(module) not in KEYS_ONLY:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            used = getattr(node, "attr", None) or getattr(node, "name", None)
            if isinstance(node, (ast.Attribute, ast.alias)) and used in CONNECTIONS:
                owner = getattr(getattr(node, "value", None), "id", "asyncssh")
                if owner == "asyncssh":
                    wrong.append(f"{module}:{node.lineno} uses asyncssh.{used}")
    assert not wrong, "\n".join(wrong)


def test_no_module_imports_itself_around_a_corner() -> None:
    graph: dict[str, set[str]] = {module: set() for module in _modules()}
    for found in _imports():
        if found.top and found.name in graph and found.name != found.module:
            graph[found.module].add(found.name)
    finished: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join((*path[path.index(module) :], module))
        if module not in finished:
            for name in sorted(graph[module]):
                visit(name, (*path, module))
            finished.add(module)

    for module in graph:
        visit(module, ())


def test_the_broker_names_no_sibling_for_types_alone() -> None:
    """What one class needs of another that imports it is a Protocol, not a hidden cycle."""
    wrong = [
        found.where
        for found in _imports()
        if not found.top and _room(found.module) == _room(found.name) == "broker"
    ]
    assert not wrong, "\n".join(wrong)


def _sources() -> list[Path]:
    places = [PACKAGE, ROOT / "tests", ROOT / "bench", ROOT / "sample_sessions"]
    return sorted(path for place in places for path in place.rglob("*.py"))


def test_files_hold_one_noun() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in _sources()
        if (lines := path.read_text("utf-8").count("\n")) > FILE_LINES
    }
    assert not long


def test_functions_do_one_thing() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {length} lines"
        for path in _sources()
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and (length := (node.end_lineno or 0) - node.lineno + 1) > FUNCTION_LINES
    ]
    assert not long, "\n".join(long)


def test_every_module_says_what_it_is() -> None:
    silent = [
        module
        for module, path in _modules().items()
        if len(ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "") < 10
    ]
    assert not silent
