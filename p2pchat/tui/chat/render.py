"""The chat screen's markup: pure functions from the model to what urwid shows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeAlias

import urwid

from p2pchat.tui.chat import links
from p2pchat.tui.chat.model import Chat, Conversation, Line, Model, Notice, Person, Standing, local
from p2pchat.tui.text import harmless, one_line

Markup: TypeAlias = Any
"""urwid's: a text, (attribute, markup), or a list of markups."""

MAX_NAME_CHARACTERS = 32
MAX_AUTHOR_CHARACTERS = 16
"""Before each message; the title has the whole name."""

CLOCK_COLUMNS = 6
REQUESTS: Markup = ("faint", "─ requests ─")


@dataclass(frozen=True, slots=True)
class Mark:
    """A line between messages: a new day, the first unread one."""

    text: str
    attribute: str


Item: TypeAlias = Line | Notice | Mark

STATES = {"queued": "…", "stored": "◔", "delivered": "✓", "read": "✓✓", "failed": "!"}
"""A sign for each state; its word stands behind it."""

REPLY = "↪"
MAX_QUOTE_CHARACTERS = 40
"""Of the message that is answered: one row at 80 columns beside the list of chats, behind names of up to 8 letters."""

NOTICE = "* "
DRAFT = "✎"
PRESENCES = {"online": "●", "offline": "○", "unknown": "?"}


def items(conversation: Conversation) -> Iterator[Item]:
    """What stands in a chat, with a mark for each new day and one before the first unread message."""
    day: date | None = None
    if conversation.more:
        yield Mark("─ older messages: PageUp ─", "faint")
    for each in conversation.lines:
        if isinstance(each, Line):
            moment = each.moment
            if moment is not None and moment.date() != day:
                day = moment.date()
                yield Mark(f"─── {day:%A, %d %B %Y} ───", "faint")
            if each.id == conversation.first_unread:
                yield Mark("─── new ───", "marker")
        yield each
    if conversation.cut:
        yield Mark("─ newer messages: PageDown, the newest: Alt-End ─", "faint")


def key(item: Item) -> object:
    """By what an item is found again after the lines have changed."""
    return item.id if isinstance(item, Line) else item


def head(shown: Line) -> tuple[Markup, int]:
    """What stands before a message, its time and author, and how many columns that takes."""
    moment = shown.moment
    clock = f"{moment:%H:%M} " if moment else " " * CLOCK_COLUMNS
    author = f"{one_line(shown.author, MAX_AUTHOR_CHARACTERS)}: "
    columns = CLOCK_COLUMNS + urwid.calc_width(author, 0, len(author))
    return [("faint", clock), ("me" if shown.mine else "them", author)], columns


def body(item: Item, wanted: int = 0) -> Markup:
    """A message's text, one's own with its state, `stored` with the number of copies; or a line of the program."""
    if isinstance(item, Mark):
        return (item.attribute, item.text)
    if isinstance(item, Notice):
        return ("failed" if item.failed else "notice", f"{NOTICE}{harmless(item.text)}")
    return [*quote(item), *links.markup(harmless(item.text), "text"), *state(item, wanted)]


def quote(shown: Line) -> list[Markup]:
    """The beginning of the message that this one answers, on a row of its own."""
    if not shown.reply_to:
        return []
    if shown.quoted is None:
        return [("faint", f"{REPLY} a message that is not here\n")]
    author, text = shown.quoted
    return [("faint", f"{REPLY} {one_line(f'{author}: {text}', MAX_QUOTE_CHARACTERS)}\n")]


def replying(line: Line | None) -> Markup:
    """Above the line: what the next message answers."""
    if line is None:
        return ""
    quoted = one_line(f"{line.author}: {line.text}", MAX_QUOTE_CHARACTERS)
    return [("notice", f" {REPLY} {quoted} "), ("faint", " Escape: no reply")]


def state(shown: Line, wanted: int) -> list[Markup]:
    """The sign and the word behind one's own message; of `stored` also the copies, of those that the ring keeps."""
    if not shown.mine:
        return []
    sign = STATES.get(shown.state, "?")
    if shown.state == "failed":
        return [("failed", f" {sign} failed (/why says the reason, /retry sends it again)")]
    copies = ""
    if shown.state == "stored" and shown.copies:
        copies = f" {shown.copies}/{wanted}" if wanted >= shown.copies else f" {shown.copies}"
    return [("state", f" {sign} {shown.state}{copies}")]


def chats(model: Model, width: int) -> list[Markup]:
    """The list: one row for each chat, strangers' requests below a heading of their own."""
    opened = model.open.user if model.open else ""
    rows: list[Markup] = []
    for each in model.chats:
        if each.request and not any(row == REQUESTS for row in rows):
            rows.append(REQUESTS)
        rows.append(chat(each, model.person(each.user), each.user == opened, width))
    return rows or [("faint", "no chats yet")]


def listed_users(model: Model) -> list[str | None]:
    """Whose chat each row of the list is; None for a heading."""
    first = next((place for place, each in enumerate(model.chats) if each.request), None)
    users: list[str | None] = [each.user for each in model.chats]
    return users if first is None else [*users[:first], None, *users[first:]]


def chat(shown: Chat, person: Person, is_open: bool, width: int) -> Markup:
    """One row of the list: presence, name, unread count."""
    sign = PRESENCES.get(person.presence, "?")
    count = f" {shown.unread}" if shown.unread else ""
    changed = " !" if person.key_changed or person.key_renewed else f" {DRAFT}" if shown.draft and not is_open else ""
    text = one_line(shown.user, max(width - len(count) - len(changed) - 3, 4)) + changed + count
    attribute = "selected" if is_open else "unread" if shown.unread else "text"
    return [("online" if person.presence == "online" else "faint", f"{sign} "), (attribute, text)]


def title(model: Model) -> Markup:
    """The line above the messages: with whom, and what to know about them."""
    if model.open is None:
        return ("title", " p2pchat")
    user, person = model.open.user, model.person(model.open.user)
    shown: list[Markup] = [("title", f" {name(user)}"), ("faint", f"  {presence(person)}")]
    if person.verified:
        shown.append(("state", "  verified"))
    if person.key_changed:
        shown.append(("alert", f" the key of {name(user)} has changed: compare digits with /verify "))
    elif person.key_renewed:
        shown.append(("alert", f" {name(user)} has a new key, signed by the one before: compare digits with /verify "))
    if person.blocked:
        shown.append(("notice", "  blocked: /unblock"))
    opened = model.chat(user)
    if opened is not None and opened.request:
        shown.append(("notice", "  a stranger: /add or /block"))
    return shown


def presence(person: Person) -> str:
    """Whether somebody is there, and since when not."""
    seen = person.seen_at if person.presence != "online" else None
    since = f", last seen {seen:%d %b %H:%M}" if seen else ""
    return f"{PRESENCES.get(person.presence, '?')} {person.presence}{since}"


def bar(model: Model) -> Markup:
    """The status line: who we are, how we are connected, what is unread."""
    if model.hint:
        return ("alert", f" {model.hint}")
    text, attribute = status(model.standing)
    waiting = f" │ {model.unread} unread" if model.unread else ""
    mouse = " │ mouse" if model.mouse else ""
    return (attribute, f" {text}{waiting}{mouse} │ {model.help_key}")


def status(standing: Standing) -> tuple[str, str]:
    """The state in words that a person can act on, and the attribute it is shown in."""
    me = name(standing.user)
    if standing.link:
        return one_line(standing.link, 100), "alert"
    if standing.state == "replaced":
        at = local(standing.replaced_at)
        when = f" {at:%d %b %H:%M}" if at else ""
        moving = f" │ {standing.handover}" if standing.handover else ""
        return f"{me}: logged in elsewhere{when}; read-only. /login takes it back{moving}", "alert"
    if standing.state == "locked":
        return f"{me}: locked. /login unlocks", "alert"
    if standing.state == "none":
        return "not logged in", "alert"
    if not standing.connected:
        return f"{me}: no node reachable; messages wait here and are sent later", "alert"
    moving = f" │ {standing.handover}" if standing.handover else ""
    return f"{me} │ node {standing.node} │ ring {standing.ring[:8]}{moving}", "bar"


def handover(session: Mapping[str, Any]) -> str:
    """How far the hand-over of a session is, in words; empty when there is none, or when it is done."""
    row = session.get("handover") or {}
    state, count, total = row.get("state"), row.get("messages") or 0, row.get("total") or 0
    if state == "waiting" and session.get("state") == "replaced":
        return f"hand-over: {total} messages wait for your word: /handover always, or never"
    if state == "waiting":
        return "hand-over: waits for the other place"
    if state == "running":
        return f"hand-over: {count} of {total} messages" if total else "hand-over: begins"
    return "hand-over: refused by the other place" if state == "refused" else ""


def place(standing: Standing) -> str:
    """For whoever logs in: on which ring."""
    if standing.link:
        return standing.link
    if not standing.ring:
        return "No ring was found yet. Nodes here are found by multicast; another is named by --server HOST:PORT."
    if not standing.connected:
        return f"Ring {standing.ring[:8]}; none of its nodes is reachable at the moment."
    return f"Ring {standing.ring[:8]}, at node {standing.node}."


def name(user: str) -> str:
    """A user's name, fit for one line."""
    return one_line(user, MAX_NAME_CHARACTERS)
