"""What a process gives up before it listens to anybody: files, network, other processes.

Linux only. The kernel holds it (Landlock, seccomp), for the process and all that it starts, until
they end.
"""

from .landlock import ConfinementError, Reach, confine, offered
from .process import ProcessLimits, die_with, limit, shed_capabilities
from .seccomp import filter_calls

__all__ = [
    "ConfinementError",
    "ProcessLimits",
    "Reach",
    "confine",
    "die_with",
    "filter_calls",
    "limit",
    "offered",
    "shed_capabilities",
]
