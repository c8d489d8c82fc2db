"""Taking back what asyncssh has accepted but not put on the wire."""

from __future__ import annotations

from asyncssh.channel import SSHChannel


def withdraw_unsent(channel: SSHChannel[bytes]) -> tuple[list[bytes], bool]:
    """Take the bytes that wait for the peer's window; return them, and whether an EOF followed.

    A target that does not read leaves input in asyncssh's send buffer. Without this it would
    reach the target after the supervisor was told that the session is paused.
    """
    # Private to asyncssh, which has no public way; the version is pinned and tests hold this.
    unsent = [bytes(data) for data, _ in channel._send_buf]
    channel._send_buf = []
    channel._send_buf_len = 0
    ended = channel._send_state == "eof_pending"
    if ended:
        channel._send_state = "open"
    # Whoever was told to stop writing hears that there is room again.
    channel._pause_resume_writing()
    return unsent, ended
