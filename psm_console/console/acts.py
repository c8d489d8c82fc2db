"""The registry of acts as the console needs it: bindings of a screen, keys as they are written."""

from __future__ import annotations

from textual.binding import Binding, BindingType

from psm_console.operations.actions import Act, Scope, in_scope

_WRITTEN = {
    "question_mark": "?",
    "slash": "/",
    "colon": ":",
    "comma": ",",
    "full_stop": ".",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "escape": "esc",
    "pagedown": "pgdn",
    "pageup": "pgup",
    "left": "←",
    "right": "→",
    "up": "↑",
    "down": "↓",
}


def written(key: str) -> str:
    """Return Textual's name of a key as it stands on the keyboard."""
    *modifiers, name = key.split("+")
    held = "".join("^" if each == "ctrl" else f"{each} " for each in modifiers)
    return held + _WRITTEN.get(name, name)


def written_keys(act: Act) -> str:
    """Return all keys of an act as they stand on the keyboard."""
    return " ".join(written(key) for key in act.keys)


def bindings(*scopes: Scope) -> list[BindingType]:
    """Return the bindings of a screen with these scopes; users remap them by the act's id."""
    return [
        Binding(
            ",".join(act.keys),
            act.method,
            act.title,
            show=act.footer,
            key_display=written(act.keys[0]),
            tooltip=act.description,
            id=act.id,
        )
        for scope in scopes
        for act in sorted(in_scope(scope), key=lambda act: not act.id.startswith(f"{scope}."))
        if act.keys
    ]
