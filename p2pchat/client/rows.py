"""JSON objects of the control socket (commands.py) out of the agent's values, and messages back."""

from datetime import UTC, datetime

from p2pchat.chat.contacts import BLOCKED, CONTACT, REQUEST, Contact
from p2pchat.chat.message import ID_BYTES, MAX_TEXT_BYTES, Line
from p2pchat.client.arguments import JSONObject
from p2pchat.client.commands import PAGE_BYTES
from p2pchat.errors import UserError

STATES_OF_LINES = ("queued", "stored", "delivered", "read", "failed", "received")


def iso(milliseconds: int | None) -> str | None:
    """ISO 8601 in UTC, to the millisecond."""
    if milliseconds is None:
        return None
    moment = datetime.fromtimestamp(milliseconds / 1000, tz=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def day(milliseconds: int) -> str:
    """The date in UTC, for people."""
    return str(iso(milliseconds))[:10]


def milliseconds(text: str | None) -> int | None:
    """The inverse of `iso`; ValueError for something else."""
    return None if text is None else round(datetime.fromisoformat(text).timestamp() * 1000)


MAX_QUOTED_CHARACTERS = 200


def message_row(line: Line, me: str, request: bool = False, quoted: Line | None = None) -> JSONObject:
    """A message in the history of `me`; `request` marks what a stranger wrote, `quoted` is what it answers."""
    incoming = line.author != me
    row: JSONObject = {
        "id": line.id.hex(),
        "from": line.author,
        "to": me if incoming else line.chat,
        "text": line.text,
        "sent_at": iso(line.sent_ms),
        "received_at": iso(line.received_ms),
        "state": line.state,
        "copies": line.copies,
    }
    if request and incoming:
        row["request"] = True
    if line.reply_to:
        row["reply_to"] = line.reply_to.hex()
    if quoted is not None:
        row["quoted"] = {"from": quoted.author, "text": quoted.text[:MAX_QUOTED_CHARACTERS]}
    return row


def sent_row(line: Line) -> JSONObject:
    return {"id": line.id.hex(), "to": line.chat, "state": line.state, "copies": line.copies}


def person_row(user: str, contact: Contact | None, presence: str, last_seen: int | None) -> JSONObject:
    """Somebody as this home knows them; `fingerprint` is the pin."""
    pin = contact.fingerprint if contact else None
    row: JSONObject = {
        "user": user,
        "presence": presence,
        "last_seen": iso(last_seen),
        "fingerprint": pin.hex() if pin else None,
        "verified": bool(contact and contact.verified),
    }
    if contact:
        marks = {"blocked": contact.standing == BLOCKED, "request": contact.standing == REQUEST}
        row |= {name: True for name, holds in marks.items() if holds}
        row |= {"contact": True} if contact.standing == CONTACT else {}
        row |= {"key_changed": True} if contact.offered else {}
        row |= {"key_renewed": True} if contact.former else {}
    return row


def export_row(line: Line, me: str) -> JSONObject:
    """A message with what `Import` needs beside the fields of its row."""
    return message_row(line, me) | {"chat": line.chat, "order": line.place, "seq": line.seq, "prev": line.prev.hex()}


def imported(row: JSONObject, me: str, unsent: bool = False) -> Line:
    """The line in a row that `me` exported; UserError says what is wrong with it.

    What was still queued counts as failed, unless `unsent` says that the caller sends it.
    """
    try:
        identifier, prev, state = bytes.fromhex(row["id"]), bytes.fromhex(row.get("prev", "")), row["state"]
        reply_to = bytes.fromhex(row.get("reply_to", ""))
        sent, text = milliseconds(row["sent_at"]), row["text"]
        received = milliseconds(row.get("received_at"))
        chat = row.get("chat") or (row["to"] if row["from"] == me else row["from"])
        if (
            len(identifier) != ID_BYTES
            or not {len(prev), len(reply_to)} <= {0, ID_BYTES}
            or state not in STATES_OF_LINES
            or sent is None
        ):
            raise ValueError("id, prev, reply_to, state or sent_at")
        if len(text.encode()) > MAX_TEXT_BYTES:
            raise ValueError("the text is too long")
        place = int(row.get("order") or received or sent)
        counts = (int(row.get("seq", 0)), int(row.get("copies", 0)))
        if not all(0 <= each < 1 << 63 for each in (place, *counts, sent)):
            raise ValueError("a number is out of range")
        author = str(row["from"])
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, OSError) as error:
        raise UserError(
            f"A line of the file is no exported message ({error}); nothing of its page was imported."
        ) from None
    state = "failed" if state == "queued" and not unsent else state
    return Line(
        *(str(chat), author, identifier, counts[0], prev, text, sent, received, state, counts[1], place),
        reply_to=reply_to,
    )


def page_length(sizes: list[int]) -> int:
    """How many rows make one page, at least one; `sizes` are the bytes of their texts."""
    total = 0
    for count, size in enumerate(sizes):
        total += size + 300
        if total > PAGE_BYTES and count:
            return count
    return len(sizes)
