"""git over ssh: clone, fetch and push, in both spellings of an address."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.tools import need
from tests.support.ways import Way, Ways

_SETTINGS = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
    "GIT_AUTHOR_NAME": "Ana",
    "GIT_AUTHOR_EMAIL": "ana@example.org",
    "GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z",
    "GIT_COMMITTER_NAME": "Ana",
    "GIT_COMMITTER_EMAIL": "ana@example.org",
    "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z",
    "GIT_TERMINAL_PROMPT": "0",
}


def git(way: Way, *arguments: str | Path) -> str:
    """Run git with this way's ssh."""
    settings = _SETTINGS | {"GIT_SSH_COMMAND": " ".join(way.ssh), "GIT_SSH_VARIANT": "ssh"}
    return way.good(["git", *arguments], env=settings)


def _short(way: Way, path: Path) -> str:
    return f"{way.at}:{path}"


def _url(way: Way, path: Path) -> str:
    return f"ssh://{way.user.replace('@', '%40')}@{way.host}:{way.port}{path}"


@pytest.mark.parametrize("spelling", [_short, _url], ids=["user@host:path", "ssh-url"])
def test_a_repository_is_cloned_and_pushed_to(
    ways: Ways, files: Path, spelling: Callable[[Way, Path], str]
) -> None:
    need("git")

    def worked(way: Way) -> tuple[str, str, str]:
        there, here, again = way.folder / "there.git", way.folder / "here", way.folder / "again"
        git(way, "init", "-q", "--bare", "-b", "main", there)
        git(way, "clone", "-q", spelling(way, there), here)
        git(way, "-C", here, "--work-tree", files, "add", "-A")
        git(way, "-C", here, "commit", "-q", "-m", "Files")
        git(way, "-C", here, "push", "-q", "origin", "HEAD:main")
        git(way, "clone", "-q", spelling(way, there), again)
        git(way, "-C", here, "commit", "-q", "--allow-empty", "-m", "More")
        git(way, "-C", here, "push", "-q", "origin", "HEAD:main")
        git(way, "-C", again, "pull", "-q")
        git(way, "-C", again, "fsck", "--strict")
        heads = (
            git(way, "-C", there, "rev-parse", "main"),
            git(way, "-C", again, "rev-parse", "HEAD"),
        )
        return *heads, git(way, "-C", again, "ls-tree", "-r", "HEAD")

    there, again, listed = ways.same(worked)

    assert there == again
    assert "noise.bin" in listed


def test_a_repository_that_is_not_there_is_told(ways: Ways) -> None:
    need("git")

    def missed(way: Way) -> tuple[int, bool]:
        settings = _SETTINGS | {"GIT_SSH_COMMAND": " ".join(way.ssh)}
        done = way.run(["git", "clone", f"{way.at}:/none/such.git"], env=settings)
        return done.returncode, b"does not appear to be a git repository" in done.stderr

    assert ways.same(missed) == (128, True)
