"""What the chat screen shows: frozen values, made from the agent's rows and changed only by making new ones."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Self

MAX_LINES = 500
"""Lines of the open chat that are kept; older ones are loaded again when one scrolls up to them."""

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """One message of the open chat."""

    id: str
    author: str
    text: str
    at: str  # ISO 8601 UTC, or empty where it is not known
    state: str
    copies: int
    mine: bool
    reply_to: str = ""  # id of the message that it answers
    quoted: tuple[str, str] | None = None  # its author and its beginning, where it is here
    moment: datetime | None = field(init=False, compare=False)
    """When it was sent, in the terminal's own time zone."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "moment", local(self.at))

    @classmethod
    def of(cls, row: Row, me: str) -> Self:
        """From a message as the agent gives it."""
        quoted = row.get("quoted")
        return cls(
            id=str(row["id"]),
            author=str(row.get("from", "")),
            text=str(row.get("text", "")),
            at=str(row.get("sent_at") or ""),
            state=str(row.get("state", "")),
            copies=int(row.get("copies") or 0),
            mine=row.get("from") == me,
            reply_to=str(row.get("reply_to") or ""),
            quoted=(str(quoted.get("from")), str(quoted.get("text"))) if quoted else None,
        )


@dataclass(frozen=True, slots=True)
class Notice:
    """A line of the program itself between the messages: help, an answer, a reason."""

    text: str
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Person:
    """What is known of somebody."""

    presence: str = "unknown"  # online, offline or unknown
    last_seen: str = ""  # ISO 8601 UTC
    verified: bool = False
    key_changed: bool = False
    key_renewed: bool = False
    blocked: bool = False

    @classmethod
    def of(cls, row: Row) -> Self:
        """From a person as the agent tells it."""
        return cls(
            presence=str(row.get("presence") or "unknown"),
            last_seen=str(row.get("last_seen") or ""),
            verified=bool(row.get("verified")),
            key_changed=bool(row.get("key_changed")),
            key_renewed=bool(row.get("key_renewed")),
            blocked=bool(row.get("blocked")),
        )

    @property
    def seen_at(self) -> datetime | None:
        """When they were last seen, in the terminal's own time zone."""
        return local(self.last_seen)


@dataclass(frozen=True, slots=True)
class Chat:
    """One chat of the list."""

    user: str
    unread: int = 0
    request: bool = False
    draft: str = ""

    @classmethod
    def of(cls, row: Row) -> Self:
        """From a chat as the agent lists it."""
        return cls(
            user=str(row["user"]),
            unread=int(row.get("unread") or 0),
            request=bool(row.get("request")),
            draft=str(row.get("draft") or ""),
        )


@dataclass(frozen=True, slots=True)
class Conversation:
    """The open chat: its lines, oldest first, where the unread ones begin, and whether there are older ones."""

    user: str
    lines: tuple[Line | Notice, ...] = ()
    first_unread: str | None = None
    more: bool = False
    cut: bool = False  # the newest messages are not loaded: one has gone far up, or looks at something found
    below: int = 0  # messages that came while they are not loaded
    unread_kept: bool = False  # the person wants it to count as unread, though they see it

    def added(self, line: Line) -> "Conversation":
        """With `line` at the end; or where it stands already; or, late, before what its author wrote after it."""
        if any(isinstance(each, Line) and each.id == line.id for each in self.lines):
            return replace(
                self,
                lines=tuple(line if isinstance(each, Line) and each.id == line.id else each for each in self.lines),
            )
        if self.cut:
            return replace(self, below=self.below + 1)
        place = len(self.lines)
        for index in range(len(self.lines) - 1, -1, -1):
            each = self.lines[index]
            if isinstance(each, Line) and each.author == line.author:
                if each.at <= line.at:
                    break
                place = index
        return replace(self, lines=(*self.lines[:place], line, *self.lines[place:])[-MAX_LINES:])

    def noted(self, *notices: Notice) -> "Conversation":
        """With notices at the end."""
        return replace(self, lines=(*self.lines, *notices)[-MAX_LINES:])

    def older(self, lines: tuple[Line, ...], more: bool) -> "Conversation":
        """With a page of older messages at the top; what is too far below is let go of."""
        known = {each.id for each in self.lines if isinstance(each, Line)}
        joined = (*(each for each in lines if each.id not in known), *self.lines)
        return replace(self, lines=joined[:MAX_LINES], more=more, cut=self.cut or len(joined) > MAX_LINES)

    def newer(self, lines: tuple[Line, ...], more: bool) -> "Conversation":
        """With a page of newer messages at the bottom; what is too far above is let go of."""
        known = {each.id for each in self.lines if isinstance(each, Line)}
        joined = (*self.lines, *(each for each in lines if each.id not in known))
        below = self.below if more else 0
        return replace(
            self, lines=joined[-MAX_LINES:], cut=more, below=below, more=self.more or len(joined) > MAX_LINES
        )

    def unread_from(self, message: str) -> "Conversation":
        """With the mark of the first unread message here, where there is none yet."""
        return self if self.first_unread else replace(self, first_unread=message)

    def moved_on(self, message: str, state: str, copies: int) -> "Conversation":
        """With a new state of one message."""
        return replace(
            self,
            lines=tuple(
                replace(each, state=state, copies=copies) if isinstance(each, Line) and each.id == message else each
                for each in self.lines
            ),
        )

    @property
    def newest(self) -> str | None:
        """The id of the last message that is loaded."""
        return next((each.id for each in reversed(self.lines) if isinstance(each, Line)), None)

    @property
    def oldest(self) -> str | None:
        """The id of the first message that is loaded."""
        return next((each.id for each in self.lines if isinstance(each, Line)), None)


@dataclass(frozen=True, slots=True)
class Standing:
    """How this agent is connected."""

    user: str = ""
    state: str = "none"  # active, replaced, locked or none
    node: str = ""
    ring: str = ""
    connected: bool = False
    replaced_at: str = ""  # ISO 8601 UTC, when another place took the session over
    handover: str = ""  # how far the conversation has moved from or to another place, in words
    link: str = "one moment: the agent is starting"  # empty while the agent answers, else what is wrong

    @classmethod
    def of(cls, row: Row) -> Self:
        """From the agent's answer to Connection."""
        return cls(
            user=str(row.get("user") or ""),
            state=str(row.get("state") or "none"),
            node=str(row.get("node") or ""),
            ring=str(row.get("ring") or ""),
            connected=bool(row.get("connected")),
            link="",
        )


@dataclass(frozen=True, slots=True)
class Model:
    """All that the screen shows."""

    standing: Standing = Standing()
    chats: tuple[Chat, ...] = ()
    open: Conversation | None = None
    people: Mapping[str, Person] = field(default_factory=dict)
    list_shown: bool = True
    mouse: bool = False  # the wheel and clicks are ours
    help_key: str = "F1 help"  # how one gets help, for the status line
    bare: bool = False  # nothing but the messages
    wanted: int = 0  # copies that the ring keeps of a message, as far as we saw
    reply: Line | None = None  # what the next message answers
    hint: str = ""  # shown in the status line until the next key

    def listed(self, chats: tuple[Chat, ...]) -> "Model":
        """With this list of chats: strangers' requests last, what is unread first, else in the order given."""
        return replace(self, chats=tuple(sorted(chats, key=lambda each: (each.request, each.unread == 0))))

    def met(self, rows: Iterable[Row]) -> "Model":
        """With what the agent tells of people."""
        return replace(self, people={**self.people, **{str(row["user"]): Person.of(row) for row in rows}})

    def person(self, user: str) -> Person:
        """What is known of somebody."""
        return self.people.get(user, Person())

    def chat(self, user: str) -> Chat | None:
        """The chat of the list with somebody."""
        return next((each for each in self.chats if each.user == user), None)

    def emptied(self) -> "Model":
        """With no line in the open chat; they are loaded again by scrolling up."""
        return self if self.open is None else replace(self, open=replace(self.open, lines=(), more=True))

    @property
    def unread(self) -> int:
        """Messages that nobody has seen, over all chats."""
        return sum(each.unread for each in self.chats)

    def beside(self, steps: int) -> str | None:
        """The chat so many places below the open one, around the end."""
        names = [each.user for each in self.chats]
        if not names:
            return None
        place = names.index(self.open.user) if self.open and self.open.user in names else -min(steps, 0) - max(steps, 0)
        return names[(place + steps) % len(names)]


def local(at: str) -> datetime | None:
    """A time of the agent (ISO 8601 UTC) in the terminal's own time zone; None for what is none."""
    try:
        return datetime.fromisoformat(at).astimezone()
    except (ValueError, OverflowError, OSError):
        return None
