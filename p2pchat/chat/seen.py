"""Which messages came already: by author's fingerprint and id, so that each is shown once."""

from p2pchat.chat.storage import Database
from p2pchat.errors import Misbehaved


class SeenStore:
    """Rows of `seen`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def first_time(self, fingerprint: bytes, identifier: bytes, digest: bytes) -> bool:
        """Note a message; False when the same one came before, Misbehaved when another one came under its id."""
        with self._database.transaction() as connection:
            cursor = connection.execute(
                "INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", (fingerprint, identifier, digest)
            )
            if cursor.rowcount:
                return True
            (before,) = connection.execute(
                "SELECT digest FROM seen WHERE fingerprint = ? AND id = ?", (fingerprint, identifier)
            ).fetchone()
        if before != digest:
            raise Misbehaved(f"Two different messages came under the id {identifier.hex()}.")
        return False
