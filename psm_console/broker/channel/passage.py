"""What bytes go through between the halves of a channel, on their way to being recorded."""

from __future__ import annotations


class Passage:
    """Lets everything by. A kind of channel whose bytes must be understood has its own."""

    answers = False
    """Whether it may answer the operator in the target's place."""

    def asked(self, data: bytes) -> bytes:
        """Take bytes from the operator; return what may go to the target, which may be nothing."""
        return data

    def said(self, data: bytes) -> bytes:
        """Take bytes from the target; return what may go to the operator."""
        return data
