"""What asyncssh has no public way for: taking back what is not on the wire, closing at once."""

from __future__ import annotations

import contextlib

import asyncssh
from asyncssh.channel import SSHChannel, SSHClientChannel

SMALLEST_PACKET = 1024
"""Of the largest packets that a peer takes on a channel. One that asks for single bytes would have
each write made into thousands of packets, and everybody else wait for that; for none, for ever."""


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


def close_now(channel: SSHChannel[bytes]) -> None:
    """Close `channel` though its peer reads nothing.

    asyncssh's `close` waits until all is sent, and after it `abort` no longer does anything.
    """
    withdraw_unsent(channel)
    channel._flush_send_buf()


def unread_by_us(channel: SSHChannel[bytes]) -> int:
    """Return how many bytes of the peer have come while `channel` is not read."""
    return sum(len(data) for data, _ in channel._recv_buf)


def has_left(channel: SSHChannel[bytes]) -> bool:
    """Whether the peer closed `channel` while there is data of it that we do not read.

    asyncssh calls nobody before that data is read.
    """
    return channel._recv_state == "close_pending"


def kill(channel: SSHClientChannel[bytes]) -> None:
    """End the program behind `channel` and close it.

    A program without a terminal gets no SIGHUP when its channel closes. Best effort: old servers
    ignore signals, and a process that left its group outlives the session.
    """
    with contextlib.suppress(OSError):
        channel.send_signal("HUP")
        channel.send_signal("KILL")
    channel.abort()


def check_packets(channel: SSHChannel[bytes]) -> None:
    """Raise ChannelOpenError, and close `channel`, if the target takes only tiny packets."""
    if channel._send_pktsize < SMALLEST_PACKET:
        channel.abort()
        why = f"it takes only packets below {SMALLEST_PACKET} bytes"
        raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, why)
