"""Records a flood as fast as it can and acknowledges what was recorded; for tests that kill it.

Arguments: a descriptor to acknowledge on, a folder, a session id, and optionally the largest file
in bytes that the kernel may let it write. Ends with 3 when the recorder refused, as it must.
"""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from psm_console.recording.events import RecordingError
from tests.recording.making import make_recorder, open_shell


def main() -> int:
    descriptor, root, session = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    recorder = make_recorder(root, session)
    channel = open_shell(recorder)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    if len(sys.argv) > 4:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[4]), hard))
    number = 0
    try:
        while True:
            line = b"line %d \xe2\x82\xac \x1b[31mred\x1b[0m\n" % number
            channel.output(number / 1000, line)
            os.write(descriptor, line)
            number += 1
    except OSError:
        try:
            channel.output(number, b"more")
        except RecordingError:
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
            recorder.close(number, "recording failed")
            return 3
    return 1


if __name__ == "__main__":
    sys.exit(main())
