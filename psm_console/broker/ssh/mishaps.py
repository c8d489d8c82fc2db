"""What asyncssh swallows: exceptions inside our callbacks, shown in our log."""

from __future__ import annotations

import logging

import asyncssh


def show_mishaps() -> None:
    """Let through what asyncssh warns of, and the exceptions that it only notes for debugging."""
    asyncssh.set_log_level(logging.DEBUG)
    asyncssh.set_debug_level(1)
    logger = logging.getLogger("asyncssh")
    if _mishaps not in logger.filters:
        logger.addFilter(_mishaps)


def _mishaps(record: logging.LogRecord) -> bool:
    if record.levelno < logging.WARNING and record.exc_info:
        record.levelno, record.levelname = logging.ERROR, "ERROR"
    return record.levelno >= logging.WARNING
