"""Tells systemd how the service is doing; sd_notify(3). Without systemd it tells nobody."""

from __future__ import annotations

import logging
import os
import socket

log = logging.getLogger(__name__)


def notify(state: str) -> None:
    """Send `state`, lines of NAME=VALUE, to the socket that systemd named."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sending:
            sending.sendto(state.encode(), address)
    except OSError as error:
        log.warning("systemd was not told %s: %s", state.split("\n")[0], error.strerror)
