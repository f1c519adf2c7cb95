"""What was done for each message, for `why`: attempts, hops and copies with their times."""

import json
from typing import Any

from p2pchat.chat.storage import Database

MAX_STEPS = 200
"""Rows kept for one message; a message that is tried for days keeps its first and its last ones."""


class TraceStore:
    """Rows of traces.  A step is a JSON object: `step` names what happened, the rest belongs to it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, identifier: bytes, now_ms: int, step: str, **details: Any) -> None:
        row = json.dumps({"step": step, **{name: value for name, value in details.items() if value is not None}})
        with self._database.transaction() as connection:
            connection.execute("INSERT INTO traces (id, at_ms, step) VALUES (?, ?, ?)", (identifier, now_ms, row))
            connection.execute(
                "DELETE FROM traces WHERE row = (SELECT row FROM traces WHERE id = ?1 ORDER BY row LIMIT 1 OFFSET ?2)"
                " AND (SELECT count(*) FROM traces WHERE id = ?1) > ?3",
                (identifier, MAX_STEPS // 2, MAX_STEPS),
            )

    def steps(self, identifier: bytes) -> list[tuple[int, dict[str, Any]]]:
        """Milliseconds since 1970 and the step, in the order of time."""
        rows = self._database.query("SELECT at_ms, step FROM traces WHERE id = ? ORDER BY row", identifier)
        return [(int(str(at)), json.loads(str(step))) for at, step in rows]
