"""A certificate authority as people run one: `ssh-keygen -s`."""

from __future__ import annotations

import subprocess
from pathlib import Path

from .sshd import write_key
from .tools import find_tool, need


class Authority:
    """Signs keys with a CA key of its own in `folder`; `line` is what an inventory says of it."""

    def __init__(self, folder: Path, name: str = "ca", kind: str = "ed25519") -> None:
        need("ssh-keygen")
        self.folder = folder
        self.key = folder / name
        if kind == "ed25519":
            write_key(self.key, name)
        else:
            _keygen("-t", kind, "-N", "", "-f", str(self.key))
        self.line = " ".join(Path(f"{self.key}.pub").read_text().split()[:2])

    def certify(self, name: str, *options: str, kind: str = "ed25519") -> Path:
        """Make a key `name`, and its certificate with ssh-keygen's `options`; return the key.

        ssh finds the certificate beside the key.
        """
        key = self.folder / name
        if not key.exists():
            _keygen("-t", kind, "-N", "", "-f", str(key))
        self.sign(key, *options)
        return key

    def sign(self, key: Path, *options: str) -> Path:
        """Sign the public half of `key`; return the certificate's file."""
        said = options if "-I" in options else ("-I", key.name, *options)
        _keygen("-s", str(self.key), *said, f"{key}.pub")
        return Path(f"{key}-cert.pub")


def _keygen(*arguments: str) -> None:
    program = find_tool("ssh-keygen")
    assert program is not None
    done = subprocess.run([program, "-q", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
