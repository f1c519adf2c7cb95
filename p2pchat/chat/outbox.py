"""What waits to be sent: on disk before the network, in order for each contact, tried again with growing pauses."""

import random
from dataclasses import dataclass, field

from p2pchat.chat.message import Type
from p2pchat.chat.storage import Database

FIRST_PAUSE_SECONDS = 1.0
MAX_PAUSE_SECONDS = 30.0
BATCH = 64
"""Messages of one contact that are taken out of it together."""
FLIGHTS = 8
"""Batches of one contact under way over its channel at once."""


@dataclass(slots=True)
class Turn:
    """When a contact may be tried again, and how long the pause after that will be."""

    at: float = 0.0
    pause: float = FIRST_PAUSE_SECONDS
    busy: bool = False


@dataclass(slots=True)
class Schedule:
    """Which contacts' messages are due.  Chance spreads the retries of many agents."""

    chance: random.Random
    turns: dict[str, Turn] = field(default_factory=dict)

    def due(self, contacts: list[str], now: float) -> list[str]:
        """Of the contacts that something waits for, those that may be tried now."""
        for gone in set(self.turns) - set(contacts):
            if not self.turns[gone].busy:
                del self.turns[gone]
        return [each for each in contacts if not self._turn(each).busy and self._turn(each).at <= now]

    def next_at(self, contacts: list[str]) -> float | None:
        """When the next one that is not under way is due."""
        times = [self._turn(each).at for each in contacts if not self._turn(each).busy]
        return min(times, default=None)

    def started(self, contact: str) -> None:
        self._turn(contact).busy = True

    def succeeded(self, contact: str) -> None:
        self.turns[contact] = Turn()

    def failed(self, contact: str, now: float) -> None:
        """Pause: 1, 2, 4, … 30 s, each shortened by up to a quarter."""
        turn = self._turn(contact)
        turn.busy = False
        turn.at = now + turn.pause * (1 - self.chance.random() / 4)
        turn.pause = min(turn.pause * 2, MAX_PAUSE_SECONDS)

    def wake(self, contact: str | None = None) -> None:
        """Try again at once: a node is reachable again, or a person wrote."""
        for name, turn in self.turns.items():
            if contact is None or name == contact:
                turn.at, turn.pause = 0.0, FIRST_PAUSE_SECONDS

    def _turn(self, contact: str) -> Turn:
        return self.turns.setdefault(contact, Turn())


@dataclass(frozen=True, slots=True)
class Waiting:
    """One message that was not stored or delivered yet; `frame` stays the same at each attempt."""

    contact: str
    id: bytes
    frame: bytes = field(repr=False)
    type: int = Type.TEXT
    attempts: int = 0
    number: int = 0
    """Order of queueing."""


class OutboxStore:
    """Rows of the outbox; each method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._counted: set[bytes] = set()

    def add(self, contact: str, identifier: bytes, frame: bytes, kind: Type, at_once: bool = False) -> None:
        """Queue behind what waits for the contact already; durable on return.  The same id is queued once.

        Args:
            at_once: count the first attempt now, because it follows now: `tried` need not write it then.
        """
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO outbox (contact, id, frame, type, attempts) VALUES (?, ?, ?, ?, ?)",
                (contact, identifier, frame, int(kind), int(at_once)),
            )
        if at_once:
            self._counted.add(identifier)

    def waiting(self, contact: str, limit: int = BATCH, behind: int = 0) -> list[Waiting]:
        """The first ones behind a number, in the order of queueing."""
        rows = self._database.query(
            "SELECT contact, id, frame, type, attempts, number FROM outbox WHERE number > ? AND contact = ?"
            " ORDER BY number LIMIT ?",
            behind,
            contact,
            limit,
        )
        return [Waiting(*row) for row in rows]  # type: ignore[arg-type]

    def attempts(self, contact: str, identifier: bytes) -> int | None:
        """How often this one was tried; None when it does not wait."""
        rows = self._database.query("SELECT attempts FROM outbox WHERE contact = ? AND id = ?", contact, identifier)
        return int(str(rows[0][0])) if rows else None

    def contacts(self) -> list[str]:
        """Whom something waits for."""
        return [str(user) for (user,) in self._database.query("SELECT DISTINCT contact FROM outbox")]

    def tried(self, contact: str, identifiers: list[bytes]) -> None:
        """An attempt follows, once the database is synced."""
        again = [each for each in identifiers if each not in self._counted]
        self._counted.difference_update(identifiers)
        if again:
            with self._database.soon() as connection:
                connection.executemany(
                    "UPDATE outbox SET attempts = attempts + 1 WHERE contact = ? AND id = ?",
                    [(contact, each) for each in again],
                )

    def remove(self, contact: str, identifiers: list[bytes]) -> None:
        """It is stored, delivered, or will never be."""
        self._counted.difference_update(identifiers)
        with self._database.transaction() as connection:
            connection.executemany(
                "DELETE FROM outbox WHERE contact = ? AND id = ?", [(contact, each) for each in identifiers]
            )
