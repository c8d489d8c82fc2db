"""The README's key table, made from ACTIONS: `python -m tests.support.key_table` prints it."""

from __future__ import annotations

from psm_console.console.acts import written
from psm_console.operations import ACTIONS, Scope

_WHERE = {
    Scope.GLOBAL: "everywhere",
    Scope.LIST: "in lists",
    Scope.LIVE: "live sessions",
    Scope.ORDER: "a live session",
    Scope.SHADOW: "shadow",
    Scope.LIBRARY: "library",
    Scope.REPLAY: "replay",
}
_TENTHS = [f"replay.tenth_{tenth}" for tenth in range(10)]


def key_table() -> str:
    """Return the table as Markdown: every act with a key, in the order of ACTIONS."""
    rows = ["| where | key | does |", "|---|---|---|"]
    for act in ACTIONS:
        if not act.keys or act.id in _TENTHS[1:]:
            continue
        where = ", ".join(_WHERE[scope] for scope in act.scopes)
        keys = " ".join(f"`{written(key)}`" for key in act.keys)
        does = act.description
        if act.id in _TENTHS:
            keys, does = "`0` … `9`", "Go to so many tenths of the recording"
        rows.append(f"| {where} | {keys} | {does} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(key_table())
