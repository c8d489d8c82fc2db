"""Which one-time code each identity used last: a code is good once, whoever saw it typed."""

from __future__ import annotations

from .connection import Connection


class UsedCodes:
    """A row an identity: the time step (RFC 6238) of the newest code that let it in."""

    def __init__(self, connection: Connection):
        self._db = connection

    def use(self, identity: str, step: int) -> bool:
        """Note that the code of `step` was used; False when it or a newer one was before.

        Of two who try the same code at once, one gets True.
        """
        with self._db.transaction():
            found = self._db.row("SELECT step FROM used_codes WHERE identity = ?", (identity,))
            if found is not None and found["step"] >= step:
                return False
            self._db.run(
                "INSERT INTO used_codes (identity, step) VALUES (?, ?)"
                " ON CONFLICT (identity) DO UPDATE SET step = excluded.step",
                (identity, step),
            )
        return True
