"""Which messages came already: by author's fingerprint and id, so that each is taken once.

Not for ever: mail lies on the ring for 30 days at most, and what was sealed before that no longer opens, because mail
keys are renewed daily.  Texts are known by the history itself, however old.
"""

from p2pchat.chat.storage import Database
from p2pchat.errors import Misbehaved

DAY_MS = 24 * 3600 * 1000
KEPT_DAYS = 60
"""Twice as long as mail lies on the ring."""


class SeenStore:
    """Rows of `seen`, and of `replies` that no text followed."""

    def __init__(self, database: Database) -> None:
        self._database, self._day = database, 0

    def first_time(self, fingerprint: bytes, identifier: bytes, digest: bytes, now_ms: int) -> bool:
        """Note a message; False when the same one came before, Misbehaved when another one came under its id."""
        with self._database.transaction() as connection:
            if now_ms // DAY_MS != self._day:
                self.forget(now_ms)
            cursor = connection.execute(
                "INSERT OR IGNORE INTO seen VALUES (?, ?, ?, ?)", (fingerprint, identifier, digest, now_ms // DAY_MS)
            )
            if cursor.rowcount:
                return True
            (before,) = connection.execute(
                "SELECT digest FROM seen WHERE fingerprint = ? AND id = ?", (fingerprint, identifier)
            ).fetchone()
        if before != digest:
            raise Misbehaved(f"Two different messages came under the id {identifier.hex()}.")
        return False

    def forget(self, now_ms: int) -> None:
        """Once a day: drop what is older than anything that can still come."""
        self._day = now_ms // DAY_MS
        with self._database.transaction() as connection:
            for table in ("seen", "replies"):
                connection.execute(f"UPDATE {table} SET day = ? WHERE day = 0", (self._day,))
            connection.execute("DELETE FROM seen WHERE day < ?", (self._day - KEPT_DAYS,))
            connection.execute(
                "DELETE FROM replies WHERE day < ? AND NOT EXISTS (SELECT 1 FROM messages"
                " WHERE messages.author = replies.author AND messages.id = replies.id)",
                (self._day - KEPT_DAYS,),
            )
