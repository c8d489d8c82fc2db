"""How a channel that the gate has let open gets its recorder, and what understands its bytes."""

from __future__ import annotations

from psm_console.domain.session import ChannelKind
from psm_console.recording.channel import ChannelRecorder
from psm_console.recording.forward_recorder import ForwardRecorder
from psm_console.recording.sftp_recorder import SftpRecorder
from psm_console.recording.writer import SessionRecorder

from .forward_passage import ForwardPassage
from .live_channel import LiveChannel
from .passage import Passage
from .sftp_passage import SftpPassage


def record(channel: LiveChannel, kind: ChannelKind, session: SessionRecorder) -> None:
    """Give `channel` its recorder; none, when that failed: then the session is ending."""
    channel.kind = kind
    request, at = channel.request, channel.session.at()
    with channel.session.recording() as recorded:
        channel.recorder = recorder = session.open_channel(
            channel.number,
            kind,
            at=at,
            size=request.size,
            term=request.term,
            command=request.command,
            title=None if request.forward is None else request.forward.origin,
        )
        # `eval "$LC_X"` runs what no command line shows.
        passed = request.passed_on(channel.session.policy.environment)
        for name, value in passed.items():
            recorder.mark(at, f"environment {name}={value}", "environment")
    if recorded:
        channel.passage = _passage(channel, recorder)
    else:
        channel.recorder = None


def _passage(channel: LiveChannel, recorder: ChannelRecorder) -> Passage:
    match recorder:
        case SftpRecorder():
            return SftpPassage(channel, recorder)
        case ForwardRecorder():
            forward = channel.request.forward
            assert forward is not None, "only a forward is recorded as one"
            return ForwardPassage(channel, recorder, forward.rules.inner_ssh)
        case _:
            return Passage()
