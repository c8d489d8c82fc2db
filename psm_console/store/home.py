"""The home directory: where everything of one broker lives, and who may touch it."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from psm_console.domain.text import visible

from .errors import HomeError

LONGEST_PATH = 100
"""Bytes. A socket's address holds 108 (Linux) or 104 (macOS) bytes; a longer home has no bells."""
LONGEST_BELL = 1 + 26 + 1 + 7 + 1 + 4 + 5
"""`/`, a session id, `~`, a process id, `-`, random characters, `.bell`."""
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_OTHERS_ANY = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class Home:
    """A home directory and the names of what is in it; `root` is made absolute."""

    root: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", Path(os.path.abspath(self.root)))

    @classmethod
    def default(cls, explicit: Path | None, environ: Mapping[str, str]) -> Home:
        """Return the home that `--home`, then `PSM_HOME`, then the platform's custom names."""
        if explicit is not None:
            return cls(explicit)
        if environ.get("PSM_HOME"):
            return cls(Path(environ["PSM_HOME"]).expanduser())
        import platformdirs

        return cls(Path(platformdirs.user_data_dir("psm", appauthor=False)))

    @property
    def database(self) -> Path:
        """The shared store."""
        return self.root / "psm.db"

    @property
    def run(self) -> Path:
        """What only running processes need: the bells."""
        return self.root / "run"

    @property
    def recordings(self) -> Path:
        """One folder a session."""
        return self.root / "recordings"

    @property
    def keys(self) -> Path:
        """Private keys."""
        return self.root / "keys"

    @property
    def host_key(self) -> Path:
        """The key the broker shows to operators' clients."""
        return self.keys / "host_key"

    @property
    def recording_key(self) -> Path:
        """The key that signs the checkpoints of recordings."""
        return self.keys / "recording_key"

    @property
    def allowed_signers(self) -> Path:
        """The public half of the recording key, as `ssh-keygen -Y verify` wants it."""
        return self.keys / "allowed_signers"

    @property
    def host_ca(self) -> Path:
        """The key that vouches for the broker where it answers in a target's name."""
        return self.keys / "host_ca"

    @property
    def next_host_ca(self) -> Path:
        """The key that takes the place of `host_ca` at the next rotation, where one is prepared."""
        return self.keys / "next_host_ca"

    @property
    def config(self) -> Path:
        """The policy; may be missing."""
        return self.root / "config.toml"

    @property
    def reserve(self) -> Path:
        """Space kept for the last words of a session when the disk is full."""
        return self.run / "reserve"

    def recording(self, session: str) -> Path:
        """Return the folder of a session's recording; the id may hold no path."""
        if session in ("", ".", "..") or "/" in session or "\0" in session:
            raise HomeError(f"{visible(session, 40)!r} is not the id of a session")
        return self.recordings / session

    def create(self) -> None:
        """Make the directories, 0700; existing ones of ours are kept and closed to others."""
        self._check_length()
        for folder in (self.root, self.run, self.recordings, self.keys):
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                _check_owner(folder, folder.stat())
                folder.chmod(0o700)
            except FileExistsError:
                raise HomeError(
                    f"{_shown(folder)} is not a directory; move it away or choose another home"
                ) from None
            except OSError as error:
                raise HomeError(
                    f"{_shown(folder)} can not be made: {error.strerror}; choose a home that you "
                    "may write with --home or PSM_HOME"
                ) from None

    def check(self) -> None:
        """Raise HomeError when the home is missing, foreign, or open to others' writing."""
        self._check_length()
        self._check_root()
        for folder in (self.run, self.recordings, self.keys):
            if (found := _status(folder)) is None:
                raise HomeError(f"{_shown(folder)} is missing; run `psm init` to make it again")
            if not stat.S_ISDIR(found.st_mode):
                raise HomeError(f"{_shown(folder)} is not a directory; move it away, `psm init`")
            _check_owner(folder, found)
            _check_mode(folder, found, _OTHERS_WRITE, "written")
        for secret in self._private_keys():
            if (found := _status(secret)) is not None:
                _check_owner(secret, found)
                _check_mode(secret, found, _OTHERS_ANY, "used")
        for file in (self.config, self.allowed_signers, self.database):
            if (found := _status(file)) is not None:
                _check_owner(file, found)
                _check_mode(file, found, _OTHERS_WRITE, "written")

    def _check_root(self) -> None:
        found = _status(self.root)
        if found is None:
            raise HomeError(f"there is no home at {_shown(self.root)}; make one with `psm init`")
        if not stat.S_ISDIR(found.st_mode):
            raise HomeError(f"{_shown(self.root)} is not a directory; choose another home")
        _check_owner(self.root, found)
        _check_mode(self.root, found, _OTHERS_ANY, "entered")

    def _private_keys(self) -> list[Path]:
        try:
            names = sorted(self.keys.iterdir())
        except OSError:
            return [self.host_key, self.recording_key]
        return [name for name in names if name.suffix != ".pub" and name != self.allowed_signers]

    def _check_length(self) -> None:
        used = len(os.fsencode(self.root))
        limit = LONGEST_PATH
        if not Path("/proc/self/fd").is_dir():
            # Without /proc a socket can only be named by its whole path.
            limit = (103 if sys.platform == "darwin" else 107) - LONGEST_BELL - len("/run")
        if used > limit:
            raise HomeError(
                f"the home's path is {used} bytes long; sockets in it allow {limit}: choose a "
                "shorter one with --home or PSM_HOME"
            )


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise HomeError(
            f"{_shown(path)} can not be looked at: {error.strerror}; check who owns it"
        ) from None


def _check_owner(path: Path, found: os.stat_result) -> None:
    if found.st_uid != os.geteuid():
        raise HomeError(
            f"{_shown(path)} belongs to {_user(found.st_uid)}, not to you; "
            "run as that user or choose another home"
        )


def _check_mode(path: Path, found: os.stat_result, forbidden: int, verb: str) -> None:
    if found.st_mode & forbidden:
        wanted = found.st_mode & stat.S_IRWXU
        raise HomeError(
            f"{_shown(path)} can be {verb} by others (mode {stat.S_IMODE(found.st_mode):04o}); "
            f"close it: chmod {wanted:o} {_shown(path)}"
        )


def _user(uid: int) -> str:
    import pwd  # Windows has none, and must get as far as the sentence that refuses it

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _shown(path: Path) -> str:
    return visible(str(path), 200)
