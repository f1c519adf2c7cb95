"""What was done for each message, for `why`: attempts, hops and copies with their times."""

import json
from typing import Any

from p2pchat.chat.storage import Database

MAX_STEPS = 200
"""Rows kept for one message; a message that is tried for days keeps its first and its last ones."""
BEGUN, DIRECT = 1, 2
"""What the message's own row tells, so that it is not written twice: it was queued or received here; then it was
delivered over a channel."""


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
        written = [(int(str(at)), json.loads(str(step))) for at, step in rows]
        return sorted(self._told(identifier) + written, key=lambda each: each[0])

    def _told(self, identifier: bytes) -> list[tuple[int, dict[str, Any]]]:
        """What the message's row tells."""
        rows = self._database.query(
            "SELECT trace, author = chat AND received_ms IS NOT NULL, sent_ms, received_ms, epoch FROM messages"
            " WHERE id = ? ORDER BY row LIMIT 1",
            identifier,
        )
        if not rows or not rows[0][0]:
            return []
        trace, incoming, sent, received, epoch = (int(str(each or 0)) for each in rows[0])
        if incoming:
            return [(received, {"step": "received", "epoch": epoch})]
        steps: list[tuple[int, dict[str, Any]]] = [(sent, {"step": "queued"})]
        if trace == DIRECT:
            steps.append((received, {"step": "delivered", "way": "direct", "epoch": epoch}))
        return steps

    def spell_out(self, identifier: bytes, epoch: int) -> None:
        """A later session `epoch` acknowledges it: what the row told of the first one is written down before."""
        with self._database.transaction() as connection:
            found = connection.execute(
                "UPDATE messages SET trace = ? WHERE id = ? AND trace = ? AND epoch < ? RETURNING received_ms, epoch",
                (BEGUN, identifier, DIRECT, epoch),
            ).fetchall()
            for at, before in found:
                self.add(identifier, at, "delivered", way="direct", epoch=before)
