"""What a process gives up before it listens to anybody: files, network, other processes.

Linux only. The kernel holds it (Landlock), for the process and all that it starts, until they end.
"""

from .landlock import ConfinementError, Reach, confine, offered
from .process import ProcessLimits, die_with, limit, shed_capabilities

__all__ = [
    "ConfinementError",
    "ProcessLimits",
    "Reach",
    "confine",
    "die_with",
    "limit",
    "offered",
    "shed_capabilities",
]
