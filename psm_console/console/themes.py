"""Themes as data: TOML files become Textual themes; a bad file is told, never fatal."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from textual.color import Color, ColorParseError
from textual.theme import Theme

import psm_console
from psm_console.domain.text import visible

DEFAULT_THEME = "nightwatch"
BASE = (
    "primary",
    "secondary",
    "accent",
    "foreground",
    "background",
    "surface",
    "panel",
    "success",
    "warning",
    "error",
)
"""Colours that Textual derives its own from."""

TOKENS: Mapping[str, str] = {
    "risk-0": "#8A94A6",
    "risk-1": "#7D95E5",
    "risk-2": "#F9ED68",
    "risk-3": "#D08A45",
    "risk-4": "#EE4C85",
    "state-connecting": "#8FA3BF",
    "state-active": "#86F2F8",
    "state-paused": "#F9ED68",
    "state-ending": "#D08A45",
    "state-ended": "#8A94A6",
    "state-lost": "#EE4C85",
    "attention": "#EE4C85",
    "text-quiet": "#8A94A6",
    "text-strong": "#FFFFFF",
    "key": "#86F2F8",
    "spark": "#7D95E5",
    "priv-account": "#F9ED68",
    "row-cursor-bg": "#1D2B44",
    "row-cursor-fg": "#FFFFFF",
    "stale": "#7D899C",
    "scrub-played": "#86F2F8",
    "scrub-rest": "#5A6B85",
    "scrub-idle": "#5A6B85",
    "scrub-cursor": "#FFFFFF",
    "mark": "#B8C4D8",
    "mark-warning": "#F9ED68",
    "mark-alert": "#EE4C85",
    "outcome-done": "#86F2F8",
    "outcome-failed": "#EE4C85",
    "outcome-pending": "#F9ED68",
    "untrusted-frame": "#5A6B85",
    "untrusted-live": "#86F2F8",
    "untrusted-paused": "#F9ED68",
    "untrusted-lost": "#EE4C85",
    "bar-bg": "#131A26",
    "term-fg": "#D5DBE6",
    "term-bg": "#05070B",
    "term-cursor": "#86F2F8",
    "term-0": "#1B2230",
    "term-1": "#F0627E",
    "term-2": "#6FD08C",
    "term-3": "#E5C454",
    "term-4": "#6C9EF8",
    "term-5": "#C88BF0",
    "term-6": "#5CC8D7",
    "term-7": "#C9D1DE",
    "term-8": "#6A778D",
    "term-9": "#FF8FA3",
    "term-10": "#98E8AE",
    "term-11": "#F9ED68",
    "term-12": "#9DBEFF",
    "term-13": "#DDB3FF",
    "term-14": "#86F2F8",
    "term-15": "#FFFFFF",
}
"""Our own `$tokens` with the colour each has where a theme does not say."""

_GLYPHS = ("unicode", "ascii")


class ThemeError(Exception):
    """A theme file that can not be used; the message says where and what to do."""


@dataclass(frozen=True, slots=True)
class LoadedTheme:
    """A theme, the file it is from, and which signs it asks for."""

    theme: Theme
    path: Path
    glyphs: str


@dataclass(frozen=True, slots=True)
class ThemeSet:
    """What was found: themes by name (a user's replaces ours) and a sentence per bad file."""

    themes: Mapping[str, LoadedTheme]
    faults: tuple[str, ...]


def theme_folders(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Return where themes are looked for, the user's folder (`XDG_CONFIG_HOME/psm/themes`) last."""
    package = Path(psm_console.__file__).parent
    installed = package / "_data" / "themes"
    ours = installed if installed.is_dir() else package.parent / "themes"
    config = environ.get("XDG_CONFIG_HOME") or str(Path(environ.get("HOME", "~")) / ".config")
    return (ours, Path(config).expanduser() / "psm" / "themes")


def load_themes(folders: tuple[Path, ...]) -> ThemeSet:
    """Return every usable theme of `folders`; never raises for a bad file."""
    themes: dict[str, LoadedTheme] = {}
    faults: list[str] = []
    for path in _files(folders):
        try:
            loaded = load_theme(path)
        except ThemeError as error:
            faults.append(str(error))
        else:
            themes[loaded.theme.name] = loaded
    return ThemeSet(themes, tuple(faults))


def _files(folders: tuple[Path, ...]) -> Iterator[Path]:
    for folder in folders:
        if folder.is_dir():
            yield from sorted(folder.glob("*.toml"))


def load_theme(path: Path) -> LoadedTheme:
    """Read one theme file, named after itself.

    Raises:
        ThemeError: it can not be read, is not TOML, or holds an unknown key or no colour.
    """
    where = visible(path.name, 60)
    try:
        document = tomllib.loads(path.read_bytes().decode())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ThemeError(f"theme {where}: {visible(str(error), 160)}") from error
    unknown = set(document) - {"dark", "glyphs", "colors", "tokens"}
    if unknown:
        raise ThemeError(f"theme {where}: unknown key {visible(min(unknown), 40)}; take it out")
    glyphs = document.get("glyphs", "unicode")
    if glyphs not in _GLYPHS:
        raise ThemeError(f"theme {where}: glyphs must be one of {', '.join(_GLYPHS)}")
    base = _colours(where, "colors", document.get("colors", {}), frozenset(BASE))
    tokens = _colours(where, "tokens", document.get("tokens", {}), frozenset(TOKENS))
    if "primary" not in base:
        raise ThemeError(f"theme {where}: colors.primary is missing; give it a colour")
    dark = document.get("dark") is not False
    theme = Theme(visible(path.stem, 40), base.pop("primary"), dark=dark, variables=tokens)
    return LoadedTheme(replace(theme, **base), path, glyphs)  # type: ignore[arg-type]


def _colours(where: str, table: str, values: object, known: frozenset[str]) -> dict[str, str]:
    if not isinstance(values, dict):
        raise ThemeError(f"theme {where}: {table} must be a table of colours")
    for name, value in values.items():
        shown = f"{table}.{visible(name, 40)}"
        if name not in known:
            raise ThemeError(f"theme {where}: unknown key {shown}; take it out")
        if not isinstance(value, str) or not _is_colour(value):
            raise ThemeError(f'theme {where}: {shown} is no colour; write it as "#86F2F8"')
    return dict(values)


def _is_colour(text: str) -> bool:
    try:
        Color.parse(text)
    except ColorParseError:
        return False
    return True


def stamps(folders: tuple[Path, ...]) -> tuple[tuple[str, int, int], ...]:
    """Return what tells whether any theme file came, went or changed."""
    found = []
    for path in _files(folders):
        try:
            status = path.stat()
        except OSError:
            continue
        found.append((str(path), status.st_mtime_ns, status.st_size))
    return tuple(found)
