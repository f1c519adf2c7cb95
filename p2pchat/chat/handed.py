"""Pages of a hand-over that the next home has not confirmed: kept, so that a page which got lost is sent again."""

from dataclasses import dataclass

from p2pchat.chat.storage import Database


@dataclass(frozen=True, slots=True)
class Handed:
    """One page under way; `envelope` is its id on the ring, None while it still waits in the outbox."""

    id: bytes
    envelope: bytes | None


class HandedStore:
    """Rows of `handed`; each method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, identifier: bytes, frame: bytes) -> None:
        with self._database.transaction() as connection:
            connection.execute("INSERT OR IGNORE INTO handed (id, frame) VALUES (?, ?)", (identifier, frame))

    def all(self) -> list[Handed]:
        """What is under way, in no order."""
        rows = self._database.query("SELECT id, envelope FROM handed")
        return [Handed(*row) for row in rows]  # type: ignore[arg-type]

    def frame(self, identifier: bytes) -> bytes:
        """The page itself, as it is sent; of one that is under way."""
        ((frame,),) = self._database.query("SELECT frame FROM handed WHERE id = ?", identifier)
        return frame  # type: ignore[return-value]

    def count(self) -> int:
        return int(str(self._database.query("SELECT count(*) FROM handed")[0][0]))

    def lies_in(self, identifier: bytes, envelope: bytes | None) -> None:
        """The page is stored as this envelope; None: it is to be stored again."""
        with self._database.transaction() as connection:
            connection.execute("UPDATE handed SET envelope = ? WHERE id = ?", (envelope, identifier))

    def confirmed(self, identifier: bytes) -> None:
        """The next home has the page on its disk."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM handed WHERE id = ?", (identifier,))

    def clear(self) -> None:
        """Nothing is handed over any more."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM handed")
