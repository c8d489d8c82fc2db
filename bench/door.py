"""Where the operators of a bench log in, and how: by one key, under AES-128-GCM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import asyncssh

CROWDED = "[limits]\nconnections = 10000\n"
"""A broker's config.toml that lets one operator hold so many connections."""


@dataclass(frozen=True, slots=True)
class Door:
    """Where operators log in, as whom, and with which key file."""

    host: str
    port: int
    user: str
    key: str

    def connect(self, **options: Any) -> Any:
        """Return asyncssh's connection, to be awaited or entered; `options` go before ours."""
        ours = {
            "username": self.user,
            "client_keys": [self.key],
            "known_hosts": None,
            "config": None,
            "agent_path": None,
            "encryption_algs": ["aes128-gcm@openssh.com"],
            "login_timeout": 60,
        }
        return asyncssh.connect(self.host, self.port, **(ours | options))
