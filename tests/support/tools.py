"""Real programs that tests need: a machine that lacks one skips and says which; CI may not."""

from __future__ import annotations

import os
import shutil

import pytest

VIM = "vim -n -u NONE -N --cmd 'set t_u7= t_RV= t_RF= t_RB='"
"""vim as on every machine, without what it asks of a terminal. While nobody answers, 9.0 now and
then waits without end for a key before it draws anything, also without SSH."""

_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"


def in_ci() -> bool:
    """Whether this run may not skip anything."""
    return os.environ.get("CI", "").lower() in {"1", "true", "yes"}


def find_tool(name: str) -> str | None:
    """Return where the program `name` is; `/usr/sbin` is looked at for ordinary users too."""
    return shutil.which(name) or shutil.which(name, path=_SBIN)


def need(*names: str) -> None:
    """Skip the running test when a program is missing (in CI: fail), saying which."""
    missing = [name for name in names if find_tool(name) is None]
    if not missing:
        return
    skip_or_fail(f"needs {', '.join(missing)} (see .ci/run for the packages)")


def skip_or_fail(sentence: str) -> None:
    """Skip the running test for the reason in `sentence`; in CI that is a failure."""
    if in_ci():
        pytest.fail(sentence)
    pytest.skip(sentence)
