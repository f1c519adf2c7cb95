"""The full-text index of the history, brought forward in batches while nobody waits, and before each search."""

from p2pchat.chat.storage import Database

BATCH = 200
"""Messages that are indexed in one transaction, some milliseconds."""


class Words:
    """Which messages contain a text.

    Three times as much goes to the disk for the index as for the message, and one at a time it takes longer than all
    the rest; many at once cost little.  `indexed` stands in the database beside the index, so a crash loses neither.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def bring_forward(self, most: int = BATCH) -> bool:
        """Index the oldest messages that are not yet; whether there are more of them."""
        with self._database.soon() as connection:
            (done,) = connection.execute("SELECT row FROM indexed").fetchone()
            (end,) = connection.execute(
                "SELECT max(row) FROM (SELECT row FROM messages WHERE row > ? ORDER BY row LIMIT ?)", (done, most)
            ).fetchone()
            if end is None:
                return False
            connection.execute(
                "INSERT INTO words (rowid, text) SELECT row, text FROM messages WHERE row > ? AND row <= ?", (done, end)
            )
            connection.execute("UPDATE indexed SET row = ?", (end,))
            last = connection.execute("SELECT max(row) FROM messages").fetchone()[0]
        return bool(last > end)

    def complete(self) -> None:
        """Index all messages."""
        while self.bring_forward(10 * BATCH):
            pass
