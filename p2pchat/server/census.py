"""What a node's database holds, by role: records, their bytes, and mail; counted beside the reactor when asked."""

import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from p2pchat.errors import TryElsewhere
from p2pchat.identifiers import Identifier, to_bytes

OWNER, REPLICA = "owner", "replica"
KINDS = {1: "account", 2: "session", 3: "mail key"}
STATES = {1: "present", 2: "acknowledged", 3: "unopenable"}

_REGISTERS = """SELECT COALESCE(owner = ?1, 0), kind, COUNT(*), SUM(LENGTH(content))
    FROM registers LEFT JOIN owners USING (slot) GROUP BY 1, 2"""
_ITEMS = """SELECT COALESCE(owner = ?1, 0), state, COUNT(*), SUM(size)
    FROM items LEFT JOIN owners USING (slot) GROUP BY 1, 2"""
_DEEPEST = "SELECT COALESCE(MAX(n), 0) FROM (SELECT COUNT(*) AS n FROM items WHERE state = 1 GROUP BY slot, point)"
_OLDEST = "SELECT received FROM items WHERE state = 1 ORDER BY received LIMIT 1"


@dataclass(frozen=True, slots=True)
class Counted:
    """One count.

    Attributes:
        records: registers by role and kind.
        envelopes: mail by role and state; those that were fetched are kept as tombstones for a while.
        bytes: of both, by role.
        deepest: envelopes in the fullest mailbox.
        oldest: when the oldest envelope that still lies here came, in seconds since 1970; None without mail.
    """

    records: dict[tuple[str, str], int]
    envelopes: dict[tuple[str, str], int]
    bytes: dict[str, int]
    deepest: int
    oldest: int | None


class Census:
    """Counts on a connection of its own, which cannot write."""

    def __init__(self, path: Path, me: Identifier, run_in_thread: Callable[..., Awaitable[Any]]) -> None:
        self._path, self._me, self._run_in_thread = path, me, run_in_thread

    async def count(self) -> Counted:
        """Everything, now; TryElsewhere where the file cannot be read."""
        counted: Counted = await self._run_in_thread(self._count)
        return counted

    def _count(self) -> Counted:
        me, held = to_bytes(self._me).hex(), {OWNER: 0, REPLICA: 0}
        records = {(role, kind): 0 for role in held for kind in KINDS.values()}
        envelopes = {(role, state): 0 for role in held for state in STATES.values()}
        try:
            connection = sqlite3.connect(f"{self._path.as_uri()}?mode=ro", uri=True)
            try:
                for query, names, counts in ((_REGISTERS, KINDS, records), (_ITEMS, STATES, envelopes)):
                    for owned, number, count, size in connection.execute(query, (me,)):
                        role = OWNER if owned else REPLICA
                        counts[role, names.get(number, str(number))] = count
                        held[role] += size
                deepest = connection.execute(_DEEPEST).fetchone()[0]
                oldest = connection.execute(_OLDEST).fetchone()
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise TryElsewhere(f"The node's database could not be read: {error}. Try again.") from error
        return Counted(records, envelopes, held, deepest, oldest and oldest[0])
