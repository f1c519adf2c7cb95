"""Names of the accounts that a node keeps, read from its database's two views."""

import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from p2pchat.errors import TryElsewhere
from p2pchat.identifiers import Identifier, to_bytes
from p2pchat.server.commands import MAX_PAGE_USERS

_QUERY = """SELECT name, owner FROM (SELECT name, ?1 AS owner FROM users UNION ALL SELECT name, owner FROM backups)
    WHERE name > ?2 ORDER BY name LIMIT ?3"""


@dataclass(frozen=True, slots=True)
class KeptUser:
    """An account that this node keeps, and the node that owns it."""

    name: str
    owner: Identifier
    owned: bool


class Users:
    """Pages of names; each page is read beside the reactor, by a connection that cannot write."""

    def __init__(self, path: Path, me: Identifier, run_in_thread: Callable[..., Awaitable[Any]]) -> None:
        self._path, self._me, self._run_in_thread = path, me, run_in_thread

    async def page(self, after: str) -> list[KeptUser]:
        """Names after `after`, in order."""
        rows = await self._run_in_thread(self._read, after)
        owners = [(name, Identifier(int(owner, 16))) for name, owner in rows]
        return [KeptUser(name, owner, owner == self._me) for name, owner in owners]

    def _read(self, after: str) -> list[tuple[str, str]]:
        try:
            connection = sqlite3.connect(f"{self._path.as_uri()}?mode=ro", uri=True)
            try:
                return connection.execute(_QUERY, (to_bytes(self._me).hex(), after, MAX_PAGE_USERS)).fetchall()
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise TryElsewhere(f"The node's database could not be read: {error}. Try again.") from error
