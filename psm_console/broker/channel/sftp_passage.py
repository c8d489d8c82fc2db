"""An sftp channel between its two halves: only whole packets that were understood pass.

What a packet does to a file is recorded before the packet is given back to be passed on.
"""

from __future__ import annotations

import asyncio

from psm_console.domain.events import ChannelFaulted
from psm_console.domain.sftp import Answer, Conversation, Fault, Forward, Side
from psm_console.recording.sftp_recorder import SftpRecorder

from .halves import give
from .live_channel import LiveChannel
from .passage import Passage


class SftpPassage(Passage):
    """Follows what is said, and answers in the target's place what policy refuses."""

    answers = True

    def __init__(self, channel: LiveChannel, recorder: SftpRecorder) -> None:
        self._channel = channel
        self._recorder = recorder
        self._conversation = Conversation(channel.session.policy.sftp)
        recorder.unfinished = self._conversation.finish

    def asked(self, data: bytes) -> bytes:
        """Take bytes from the operator; return what may go to the target, which may be nothing."""
        return self._take(Side.OPERATOR, data)

    def said(self, data: bytes) -> bytes:
        """Take bytes from the target; return what may go to the operator."""
        return self._take(Side.TARGET, data)

    def _take(self, side: Side, data: bytes) -> bytes:
        session = self._channel.session
        at = session.at()
        passed: list[bytes] = []
        for event in self._conversation.feed(side, data):
            match event:
                case Forward():
                    passed.append(event.data)
                case Answer():
                    if self._channel.operator is not None:
                        give(self._channel.operator, event.data)
                case Fault():
                    self._fault(at, event.sentence)
                case _:
                    with session.recording() as recorded:
                        self._recorder.operation(at, event)
                    if not recorded:
                        return b""
        return b"".join(passed)

    def _fault(self, at: float, sentence: str) -> None:
        """Have the channel ended, once the callback that brought the bytes has returned."""
        session = self._channel.session
        with session.recording():
            self._recorder.mark(at, sentence, "fault")
        faulted = ChannelFaulted(at, self._channel.number, sentence)
        asyncio.get_running_loop().call_soon(session.handle, faulted)
