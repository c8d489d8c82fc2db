"""Which requests of an SFTP client a policy refuses.

A guard-rail: what a path means is decided by the target, which may have links that nobody here
knows. The account's rights there are the wall.
"""

from __future__ import annotations

import posixpath
import re
from fnmatch import translate

from psm_console.domain.policy import SftpPolicy

from .requests import READ_FLAG, WRITING, Op, Request

PATH_LIMIT = 4096
"""Bytes of a path at most; a longer one is no path on any target."""
_UNRESTRICTED = frozenset({Op.REALPATH, Op.EXPAND})
"""They only say how a path is spelled."""


class Rules:
    """A policy, and the folder in which relative paths begin, once the target has named it."""

    def __init__(self, policy: SftpPolicy) -> None:
        self._policy = policy
        self._denied = [re.compile(translate(pattern)) for pattern in policy.denied_paths]
        self.home: bytes | None = None

    def refusal(self, request: Request) -> str | None:
        """Return why `request` may not be passed on, or None."""
        if not self._policy.upload and (
            request.op in (Op.WRITE, Op.COPY) or (request.op is Op.OPEN and request.flags & WRITING)
        ):
            return "this account's policy allows no upload"
        if not self._policy.download and (
            request.op is Op.READ or (request.op is Op.OPEN and request.flags & READ_FLAG)
        ):
            return "this account's policy allows no download"
        if not self._denied or request.op in _UNRESTRICTED:
            return None
        for path in self._paths(request):
            if self._is_denied(path):
                return "this account's policy denies the path"
        return None

    def _paths(self, request: Request) -> list[bytes]:
        paths = [path for path in (request.path, request.other) if path is not None]
        if request.op is Op.SYMLINK and request.path is not None and request.other is not None:
            # What a link points to counts from where it lies.
            paths[1] = posixpath.join(posixpath.dirname(request.path), request.other)
        return paths

    def _is_denied(self, path: bytes) -> bool:
        if not path.startswith(b"/"):
            if self.home is None:
                return True
            path = posixpath.join(self.home, path)
        # normpath keeps two leading slashes apart from one; targets do not.
        place = "/" + posixpath.normpath(path).lstrip(b"/").decode("utf-8", "surrogateescape")
        while place != "/":
            if any(denied.match(place) for denied in self._denied):
                return True
            place = posixpath.dirname(place)
        return False
