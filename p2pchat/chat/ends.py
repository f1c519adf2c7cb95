"""The ends of all chats in memory: where the next text stands, and which ones came last."""

from dataclasses import dataclass, field

from p2pchat.chat.message import Line
from p2pchat.chat.storage import Database

MAX_CHATS = 1_000
MAX_RECENT = 2_000
"""Texts that are known to be here without a look at the disk."""
MAX_CHARACTERS = 2_000
"""Of a text that is kept in memory until it is acknowledged."""


@dataclass(slots=True)
class End:
    """One chat: the place of its last line, and each author's highest seq."""

    place: int
    seqs: dict[str, int] = field(default_factory=dict)


class Ends:
    """Read from the database when a chat is first written to; forgotten whenever a transaction comes to nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._chats: dict[str, End] = {}
        self._recent: dict[tuple[bytes, str], Line | None] = {}
        database.when_undone(self._forget)

    def place(self, chat: str, author: str, seq: int, now_ms: int) -> int:
        """Where a text stands: before what its author wrote later, else at the end."""
        end = self._end(chat)
        if seq < self._seq(end, chat, author):
            later = "SELECT min(place) FROM messages WHERE chat = ? AND author = ? AND seq > ?"
            ((place,),) = self._database.query(later, chat, author, seq)
            if place is not None:
                return int(str(place))
        return max(now_ms, end.place + 1)

    def added(self, line: Line, place: int) -> None:
        """A line was kept at this place."""
        end = self._end(line.chat)
        end.place = max(end.place, place)
        end.seqs[line.author] = max(self._seq(end, line.chat, line.author), line.seq)
        self._recent[line.id, line.author] = None
        if len(self._recent) > MAX_RECENT:
            self._recent.pop(next(iter(self._recent)))

    def written(self, line: Line) -> None:
        """A line of our own was kept, as it stands now."""
        if len(line.text) <= MAX_CHARACTERS:
            self._recent[line.id, line.author] = line

    def unchanged(self, line: Line) -> bool:
        """Whether a line of our own surely is as it was written."""
        return self._recent.get((line.id, line.author)) is line

    def take(self, identifier: bytes, author: str) -> Line | None:
        """The line as it was written, if that was a short time ago; it changes now."""
        line = self._recent.get((identifier, author))
        if line is not None:
            self._recent[identifier, author] = None
        return line

    def has(self, identifier: bytes, author: str) -> bool:
        """Whether this text surely is here; if not, the database knows."""
        return (identifier, author) in self._recent

    def _end(self, chat: str) -> End:
        end = self._chats.get(chat)
        if end is None:
            ((place,),) = self._database.query("SELECT max(place) FROM messages WHERE chat = ?", chat)
            if len(self._chats) >= MAX_CHATS:
                self._chats.clear()
            end = self._chats[chat] = End(int(str(place or 0)))
        return end

    def _seq(self, end: End, chat: str, author: str) -> int:
        seq = end.seqs.get(author)
        if seq is None:
            found = "SELECT max(seq) FROM messages WHERE chat = ? AND author = ?"
            ((highest,),) = self._database.query(found, chat, author)
            seq = end.seqs[author] = int(str(highest)) if highest is not None else -1
        return seq

    def _forget(self) -> None:
        self._chats.clear()
        self._recent.clear()
