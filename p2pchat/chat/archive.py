"""The history on disk: add, page, search, read marks, states."""

import sqlite3
from dataclasses import dataclass

from p2pchat.chat.ends import Ends
from p2pchat.chat.message import STATES, Line
from p2pchat.chat.storage import Database
from p2pchat.chat.trace import BEGUN, DIRECT
from p2pchat.chat.words import Words

MAX_LINES = 1000
"""Rows of one page."""
COLUMNS = (
    "chat, author, id, seq, prev, text, sent_ms, received_ms, state, copies, place, row, coalesce((SELECT quoted"
    " FROM replies WHERE replies.author = messages.author AND replies.id = messages.id), x'') AS reply_to"
)
"""A message as `Line` has it."""
MAX_EARLY_RECEIPTS = 2_000
"""Receipts for messages that are not here yet; the oldest give way."""
TRIGRAM = 3
"""Characters; shorter words are not in the index, and looked for one by one."""
INSERT = (
    "INSERT OR IGNORE INTO messages (chat, author, id, seq, prev, text, sent_ms, received_ms, state, copies, place,"
    " trace, epoch) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


@dataclass(frozen=True, slots=True)
class Stored:
    """Our own message that the ring has, and the id of its envelope there; None if another home of ours stored it."""

    line: Line
    envelope: bytes | None


def _line(row: tuple[object, ...]) -> Line:
    return Line(*row)  # type: ignore[arg-type]


def _kept(line: Line, place: int, row: int, reply_to: bytes) -> Line:
    """As `dataclasses.replace`, which takes three times as long."""
    return Line(
        *(line.chat, line.author, line.id, line.seq, line.prev, line.text, line.sent_ms, line.received_ms, line.state),
        *(line.copies, place, row, reply_to),
    )


def _delivered(line: Line, at_ms: int) -> Line:
    return Line(
        *(line.chat, line.author, line.id, line.seq, line.prev, line.text, line.sent_ms, at_ms, "delivered"),
        *(line.copies, line.place, line.row, line.reply_to),
    )


def _values(line: Line) -> tuple[object, ...]:
    """What `INSERT` begins with."""
    return (
        *(line.chat, line.author, line.id, line.seq, line.prev, line.text, line.sent_ms),
        *(line.received_ms, line.state, line.copies),
    )


class Archive:
    """Messages of all chats.  A late message takes the place of the first one that its author wrote after it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.words = Words(database)
        self._ends = Ends(database)

    def add(self, line: Line, now_ms: int, trace: int = 0, epoch: int = 0) -> Line | None:
        """Keep a line and say where it stands; None when this message of this author is here already.

        Args:
            trace: BEGUN where this home writes or receives it now, so that the row tells that step of its trace.
            epoch: the author's session that brought it.
        """
        if not trace:
            row = self.keep(line, now_ms)
            return self._by_row(row) if row else None
        with self._database.transaction() as connection:
            row, place = self._insert(connection, line, now_ms, trace, epoch)
            if not row:
                return None
            kept = _kept(line, place, row, line.reply_to or self._answered(line))
            if line.author != line.chat:
                self._ends.written(kept)
        return kept

    def keep(self, line: Line, now_ms: int) -> int:
        """Keep a line of another home; its row, or 0 when this message of this author is here already."""
        with self._database.transaction() as connection:
            row, _ = self._insert(connection, line, now_ms, 0, 0)
            if row and line.author != line.chat:
                self._confirm_early(connection, line, now_ms)
        return row

    def _insert(
        self, connection: sqlite3.Connection, line: Line, now_ms: int, trace: int, epoch: int
    ) -> tuple[int, int]:
        """Row and place; row 0 when it is here already."""
        place = line.place or self._ends.place(line.chat, line.author, line.seq, now_ms)
        cursor = connection.execute(INSERT, (*_values(line), place, trace, epoch))
        if cursor.rowcount == 0:
            return 0, place
        self._ends.added(line, place)
        if line.reply_to:
            self.refer(line.author, line.id, line.reply_to)
        return int(cursor.lastrowid or 0), place

    def _answered(self, line: Line) -> bytes:
        """What it answers, which was told before it came; of our own, `line.reply_to` says it."""
        if line.author != line.chat:
            return b""
        told = "SELECT quoted FROM replies WHERE author = ? AND id = ?"
        rows = self._database.query(told, line.author, line.id)
        return rows[0][0] if rows else b""  # type: ignore[return-value]

    def refer(self, author: str, identifier: bytes, quoted: bytes) -> None:
        """A message of this author, here already or not, answers another one; the first word about it holds."""
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO replies (author, id, quoted) VALUES (?, ?, ?)", (author, identifier, quoted)
            )

    def quoted(self, line: Line) -> Line | None:
        """The message of the same chat that this one answers, where it is here."""
        found = self.find(line.reply_to) if line.reply_to else None
        return found if found is not None and found.chat == line.chat else None

    def _by_row(self, row: int) -> Line:
        return _line(self._database.query(f"SELECT {COLUMNS} FROM messages WHERE row = ?", row)[0])

    def lines(
        self, chat: str, limit: int, before: Line | None = None, search: str = "", after: Line | None = None
    ) -> list[Line]:
        """The last `limit` lines before `before` that contain `search`; or the first after `after`."""
        conditions, values = ["chat = ?"], [chat]
        if before is not None:
            conditions.append("(place, seq, row) < (?, ?, ?)")
            values += [before.place, before.seq, before.row]  # type: ignore[list-item]
        if after is not None:
            conditions.append("(place, seq, row) > (?, ?, ?)")
            values += [after.place, after.seq, after.row]  # type: ignore[list-item]
        if search:
            self.words.complete()
            condition, value = _condition(search)
            conditions.append(condition)
            values.append(value)
        way = "DESC" if after is None else "ASC"
        rows = self._database.query(
            f"SELECT {COLUMNS} FROM messages WHERE {' AND '.join(conditions)}"
            f" ORDER BY place {way}, seq {way}, row {way} LIMIT ?",
            *values,
            min(limit, MAX_LINES),
        )
        return [_line(row) for row in (rows if after is not None else reversed(rows))]

    def find(self, identifier: bytes, author: str | None = None) -> Line | None:
        """The message with this id (16 bytes); two authors share one only by malice, then the oldest counts."""
        rows = self._database.query(
            f"SELECT {COLUMNS} FROM messages WHERE id = ?1 AND (?2 IS NULL OR author = ?2) ORDER BY row LIMIT 1",
            identifier,
            author,
        )
        return _line(rows[0]) if rows else None

    def now(self, line: Line) -> Line:
        """How a line of our own stands now."""
        return line if self._ends.unchanged(line) else self.find(line.id, line.author) or line

    def has(self, identifier: bytes, author: str) -> bool:
        """Whether the message is here."""
        found = "SELECT 1 FROM messages WHERE id = ? AND author = ? LIMIT 1"
        return self._ends.has(identifier, author) or bool(self._database.query(found, identifier, author))

    def last(self, chat: str) -> Line | None:
        """The newest line of a chat."""
        found = self.lines(chat, 1)
        return found[0] if found else None

    def unread(self) -> dict[str, int]:
        """Received and not yet read, for each chat that has some."""
        rows = self._database.query("SELECT chat, count(*) FROM messages WHERE state = 'received' GROUP BY chat")
        return {str(chat): int(str(count)) for chat, count in rows}

    def mark_read(self, chat: str, upto: Line | None) -> list[bytes]:
        """Everything received up to a line (or all) is read now; the ids that were not before."""
        with self._database.transaction() as connection:
            rows = connection.execute(
                "UPDATE messages SET state = 'read' WHERE chat = ?1 AND state = 'received'"
                " AND (?2 IS NULL OR place <= ?2) RETURNING id",
                (chat, upto.place if upto else None),
            ).fetchall()
        return [row[0] for row in rows]

    def mark_unread(self, chat: str, since: Line | None) -> None:
        """What came from a line on (or the last that came) is unread again."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE messages SET state = 'received' WHERE chat = ?1 AND author = chat AND state = 'read'"
                " AND place >= coalesce(?2, (SELECT max(place) FROM messages WHERE chat = ?1 AND author = chat))",
                (chat, since.place if since else None),
            )

    def came_before(self, line: Line) -> None:
        """Another home of ours has had this message for longer: it stands where and when it came there."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE messages SET place = min(place, ?1), received_ms = min(received_ms, coalesce(?2, received_ms))"
                " WHERE chat = ?3 AND author = ?4 AND id = ?5",
                (line.place, line.received_ms, line.chat, line.author, line.id),
            )

    def was_read(self, chat: str, author: str, identifier: bytes) -> None:
        """Another home of ours has shown it already."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE messages SET state = 'read' WHERE chat = ? AND author = ? AND id = ? AND state = 'received'",
                (chat, author, identifier),
            )

    def advance(
        self, chat: str, author: str, identifier: bytes, state: str, copies: int | None, at_ms: int
    ) -> Line | None:
        """Bring our own message to a later state; None when it is unknown or that far already."""
        self._ends.take(identifier, author)
        with self._database.transaction() as connection:
            line = self._own(chat, author, identifier)
            if line is None or not _later(line.state, state):
                return None
            arrived = at_ms if state in ("delivered", "read") and line.received_ms is None else line.received_ms
            connection.execute(
                "UPDATE messages SET state = ?, copies = ?, received_ms = ? WHERE row = ?",
                (state, line.copies if copies is None else copies, arrived, line.row),
            )
        return self._by_row(line.row)

    def _own(self, chat: str, author: str, identifier: bytes) -> Line | None:
        rows = self._database.query(
            f"SELECT {COLUMNS} FROM messages WHERE chat = ? AND author = ? AND id = ?", chat, author, identifier
        )
        return _line(rows[0]) if rows else None

    def lies_in(self, chat: str, author: str, identifier: bytes, envelope: bytes) -> None:
        """Our message was stored as this envelope."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE messages SET envelope = ? WHERE chat = ? AND author = ? AND id = ?",
                (envelope, chat, author, identifier),
            )

    def unconfirmed(self, author: str, since_ms: int, until_ms: int, after_row: int, limit: int) -> list[Stored]:
        """Our messages written in that time that were stored and never confirmed, in the order of writing."""
        rows = self._database.query(
            f"SELECT {COLUMNS}, envelope FROM messages WHERE state = 'stored' AND author = ?"
            " AND sent_ms BETWEEN ? AND ? AND row > ? ORDER BY row LIMIT ?",
            *(author, since_ms, until_ms, after_row, limit),
        )
        return [Stored(_line(row[:-1]), row[-1]) for row in rows]  # type: ignore[arg-type]

    def follows_a_gap(self, line: Line) -> bool:
        """Whether the text that its author wrote before is not here, though earlier ones are.

        Where none is earlier, this home begins in the middle of the conversation, and nothing was lost.
        """
        if not line.prev or self.has(line.prev, line.author):
            return False
        earlier = "SELECT 1 FROM messages WHERE chat = ? AND author = ? AND seq < ? LIMIT 1"
        return bool(self._database.query(earlier, line.chat, line.author, line.seq))

    def delivered(self, chat: str, author: str, identifier: bytes, epoch: int, at_ms: int) -> Line | None:
        """A channel of the recipient's session `epoch` acknowledged our message; None unless this is all news."""
        line = self._ends.take(identifier, author) or self._own(chat, author, identifier)
        if line is None or line.state not in ("queued", "stored") or line.chat != chat:
            return None
        with self._database.soon() as connection:
            cursor = connection.execute(
                "UPDATE messages SET state = 'delivered', received_ms = ?, epoch = ?, trace = ? WHERE row = ?"
                " AND state = ? AND trace = ? AND epoch = 0",
                (at_ms, epoch, DIRECT, line.row, line.state, BEGUN),
            )
        if cursor.rowcount == 0:
            return None
        return _delivered(line, at_ms)

    def same(self, line: Line) -> bool:
        """Whether the message that is here under this id and author says the same."""
        kept = self._own(line.chat, line.author, line.id)
        said = (line.seq, line.prev, line.text, line.sent_ms)
        return kept is not None and (kept.seq, kept.prev, kept.text, kept.sent_ms) == said

    def acknowledged(self, chat: str, author: str, identifier: bytes, epoch: int) -> None:
        """The recipient's session `epoch` has our message on its disk."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE messages SET epoch = max(epoch, ?) WHERE chat = ? AND author = ? AND id = ?",
                (epoch, chat, author, identifier),
            )

    def confirmed_early(self, chat: str, author: str, identifier: bytes, state: str, epoch: int) -> None:
        """A receipt came; if our message is not here, it counts once the home that wrote it hands it over."""
        if self._own(chat, author, identifier) is not None:
            return
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO early (chat, id, state, epoch) VALUES (?, ?, ?, ?)",
                (chat, identifier, state, epoch),
            )
            connection.execute(
                "DELETE FROM early WHERE number <= (SELECT max(number) FROM early) - ?", (MAX_EARLY_RECEIPTS,)
            )

    def _confirm_early(self, connection: sqlite3.Connection, line: Line, now_ms: int) -> None:
        early = connection.execute(
            "DELETE FROM early WHERE chat = ? AND id = ? RETURNING state, epoch", (line.chat, line.id)
        ).fetchall()
        for state, epoch in early:
            self.acknowledged(line.chat, line.author, line.id, epoch)
            self.advance(line.chat, line.author, line.id, state, None, now_ms)

    def older_acknowledged(self, chat: str, author: str, epoch: int, since_ms: int, limit: int) -> list[Line]:
        """Our texts since `since_ms` that only a session before `epoch` has acknowledged, oldest first."""
        rows = self._database.query(
            f"SELECT {COLUMNS} FROM messages WHERE chat = ? AND author = ? AND sent_ms >= ?"
            " AND state IN ('delivered', 'read') AND epoch < ? ORDER BY place, seq, row LIMIT ?",
            chat,
            author,
            since_ms,
            epoch,
            limit,
        )
        return [_line(row) for row in rows]

    def page(self, after_row: int, limit: int) -> list[Line]:
        """All chats' lines in the order of arrival, after a row: for export and hand-over."""
        rows = self._database.query(
            f"SELECT {COLUMNS} FROM messages WHERE row > ? ORDER BY row LIMIT ?", after_row, limit
        )
        return [_line(row) for row in rows]

    def total(self) -> int:
        """How many lines there are."""
        return int(str(self._database.query("SELECT count(*) FROM messages")[0][0]))


def _condition(search: str) -> tuple[str, str]:
    if len(search) >= TRIGRAM:
        phrase = '"' + search.replace('"', '""') + '"'
        return "row IN (SELECT rowid FROM words WHERE words MATCH ?)", phrase
    escaped = search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return "text LIKE ? ESCAPE '\\'", f"%{escaped}%"


def _later(old: str, new: str) -> bool:
    if new == "failed":
        return old in ("queued", "stored")  # the latter where it does not lie on the ring any more
    if old == "failed":
        return True
    return STATES.index(new) > STATES.index(old) or (old == new == "stored")
