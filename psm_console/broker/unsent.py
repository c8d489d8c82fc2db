"""Taking back what asyncssh has accepted but not put on the wire."""

from __future__ import annotations

from asyncssh.channel import SSHChannel


def withdraw_unsent(channel: SSHChannel[bytes]) -> int:
    """Drop the bytes that wait for the peer's window; return how many.

    A target that does not read leaves typed input in asyncssh's send buffer. Without this it would
    reach the target after the supervisor was told that the session is paused.
    """
    # Private to asyncssh, which has no public way; the version is pinned and a test holds this.
    unsent: int = channel._send_buf_len
    channel._send_buf = []
    channel._send_buf_len = 0
    return unsent
