"""The SSH algorithms both legs speak."""

from __future__ import annotations

from asyncssh.kex import get_kex_algs

# OpenSSH 10.1 and newer warns at every login that is not safe from a quantum computer to come.
_POST_QUANTUM = [name for name in ("mlkem768x25519-sha256",) if name.encode() in get_kex_algs()]
# dropbear disconnects on its key-exchange guess unless curve25519-sha256 is the first in the list;
# it is the client that chooses.
KEX = [
    "curve25519-sha256",
    *_POST_QUANTUM,
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
    "diffie-hellman-group16-sha512",
    "diffie-hellman-group18-sha512",
]
TARGET_KEX = [*_POST_QUANTUM, *(name for name in KEX if name not in _POST_QUANTUM)]
"""On the target leg the choice is the broker's."""
# OpenSSH prefers chacha20-poly1305 where it is offered, at 2.5 times the CPU of AES-GCM.
CIPHERS = ["aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes256-ctr", "aes128-ctr"]
MACS = [
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "hmac-sha2-256",
    "hmac-sha2-512",
]
SIGNATURES = [
    "ssh-ed25519",
    "sk-ssh-ed25519@openssh.com",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "rsa-sha2-256",
    "rsa-sha2-512",
]

WINDOW = 2 << 20
"""Bytes that may be under way on a channel before the sender waits."""
KEEPALIVE_S = 4
KEEPALIVES = 3
"""A leg that says nothing and leaves so many keepalives without an answer is gone: 16 s, as the
last of them gets its time too."""
LOGIN_TIMEOUT_S = 20
