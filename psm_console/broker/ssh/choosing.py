"""Has AES-GCM chosen by clients that offer it, wherever they put it in their list.

Of the ciphers that both sides offer the client's first is taken (RFC 4253, 7.1). OpenSSH before 10
puts AES-CTR with a MAC before AES-GCM, which costs twice as much a byte; clients that know no GCM
must get in nevertheless. So what is offered follows from what the client offers.
"""

from __future__ import annotations

from typing import ClassVar

import asyncssh
from asyncssh.constants import MSG_KEXINIT
from asyncssh.packet import SSHPacket

_SPEAKS_FIRST = b"SSH-2.0-OpenSSH_"
"""Sends its offer without waiting for ours. Of others that is not known: they would wait for us."""
_GCM = frozenset({b"aes128-gcm@openssh.com", b"aes256-gcm@openssh.com"})


class ChoosyConnection(asyncssh.SSHServerConnection):
    """A server connection that lets OpenSSH make the first offer."""

    _holds_offer = False

    def _send_kexinit(self) -> None:
        first = not self._session_id and not self._client_kexinit
        if first and self._client_version.startswith(_SPEAKS_FIRST):
            self._holds_offer = True
        else:
            super()._send_kexinit()

    async def _process_kexinit(self, kind: int, number: int, packet: SSHPacket) -> None:
        """Answer the client's offer; the first of OpenSSH has not been answered yet."""
        if self._holds_offer:
            # asyncssh thinks that it was sent, and sends it where it finds that it was not.
            self._holds_offer = self._kexinit_sent = False
            if all(not _GCM.isdisjoint(offered) for offered in _ciphers(packet)):
                self._enc_algs = [name for name in self._enc_algs if name in _GCM]
        await super()._process_kexinit(kind, number, packet)

    # Handlers of packets are found in a table, not by their names.
    _packet_handlers: ClassVar = {  # type: ignore[misc]
        **asyncssh.SSHServerConnection._packet_handlers,
        MSG_KEXINIT: _process_kexinit,
    }


def _ciphers(packet: SSHPacket) -> tuple[list[bytes], list[bytes]]:
    """Return what a KEXINIT offers for each direction, and leave the packet as it is."""
    offer = SSHPacket(packet.get_remaining_payload())
    offer.get_bytes(16)
    offer.get_namelist()
    offer.get_namelist()
    return list(offer.get_namelist()), list(offer.get_namelist())
