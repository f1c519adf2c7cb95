"""The chat of one session: sends, receives, marks as read, and tells what happened."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from p2pchat.chat.contacts import BLOCKED, CONTACT
from p2pchat.chat.indexing import Indexing
from p2pchat.chat.message import (
    CAPABILITY_BYTES,
    ID_BYTES,
    MAX_RECEIPT_IDS,
    MAX_TEXT_BYTES,
    Line,
    Mark,
    Receipt,
    Reply,
    Type,
    frame,
    reaches,
    write_ids,
)
from p2pchat.chat.receiving import Incoming, Listeners, Receiving
from p2pchat.chat.sending import DeliverDirectly, Post, Sending
from p2pchat.chat.stores import Stores
from p2pchat.chat.together import Together
from p2pchat.chat.trace import BEGUN
from p2pchat.errors import TimedOut, UserError

OFFER_AGAIN_MS = 7 * 24 * 3600 * 1000
"""How far back messages are offered again to a contact's new session."""
MAX_OFFERED = 10_000
KEPT_MS = 30 * 24 * 3600 * 1000
"""How long the ring keeps mail."""
MAX_ANEW_PAGE = 500
MAX_ASKED = 10_000
"""Ids of missing texts that are remembered, so that each is asked for once while the agent runs."""
READ_RECEIPTS = "read_receipts"
CAPABILITY = "capability"
MAX_TOGETHER = 256
"""Texts that are written in one transaction."""
CANCELLED = "You have cancelled it; /retry sends it after all."


@dataclass(frozen=True, slots=True)
class Draft:
    """A text that is to be sent."""

    contact: str
    text: str = field(repr=False)
    reply_to: bytes = b""


class Audience(Protocol):
    """Who wants to know: the agent, which tells its followers."""

    def message_shown(self, line: Line) -> None: ...

    def message_written(self, line: Line) -> None: ...

    def message_changed(self, line: Line) -> None: ...

    def called(self, contact: str, sent_ms: int) -> None: ...

    def handed_over(self, message: Incoming) -> None: ...


class ChatService(Service):
    """All texts of one session.  It exists while the session is ours; history outlives it.

    Args:
        me, epoch: our canonical name and the epoch of our session.
        chance: random bytes for ids.
        now_ms: milliseconds since 1970.
    """

    def __init__(
        self,
        me: str,
        epoch: int,
        stores: Stores,
        post: Post,
        deliver_directly: DeliverDirectly,
        audience: Audience,
        clock: IReactorTime,
        spread: random.Random,
        chance: Callable[[int], bytes],
        now_ms: Callable[[], int],
    ) -> None:
        self.me, self.epoch, self.stores = me, epoch, stores
        self._audience, self._clock, self._chance, self._now_ms = audience, clock, chance, now_ms
        self._waiting: dict[bytes, list[tuple[str, Deferred[Line]]]] = {}
        self._asked: dict[tuple[str, bytes], None] = {}
        self.sending = Sending(me, stores, post, deliver_directly, clock, spread, now_ms, self._changed)
        listeners = Listeners(
            audience.message_shown,
            self._changed,
            self.offer_again,
            self._offer_missing,
            self.ask_for,
            audience.called,
            audience.handed_over,
        )
        self._together = Together(clock, self._send_all, MAX_TOGETHER, stores.database.synced)
        self._receiving = Receiving(me, epoch, stores, self._queue, clock, now_ms, listeners)
        self._indexing = Indexing(clock, stores.archive.words.bring_forward)

    def startService(self) -> None:
        super().startService()
        self._together.start()
        self._indexing.start()
        self.sending.start()

    def stopService(self) -> None:
        super().stopService()
        self._together.stop()
        self.sending.stop()
        self._receiving.stop()
        self._indexing.stop()

    # -- what we write

    async def send_soon(self, contact: str, text: str, reply_to: bytes = b"") -> Line:
        """Put a text into the outbox, with all that is sent in this turn of the reactor; then it is on disk, `queued`.

        Args:
            reply_to: id of the message in this chat that it answers, if any.
        Raises:
            UserError: it is too long or empty, the contact is blocked, or it answers something that is not here.
        """
        line = await self._together.add(Draft(contact, text, reply_to))
        self._audience.message_written(line)
        return line

    def _send_all(self, drafts: list[Draft]) -> list[Line | Exception]:
        """Keep all in one transaction, then begin to send; the line of each, or why it is refused."""
        kept: list[Line | Exception] = []
        with self.stores.database.soon():
            for each in drafts:
                try:
                    kept.append(self._keep(each.contact, each.text, each.reply_to))
                except UserError as error:
                    kept.append(error)
        for contact in dict.fromkeys(line.chat for line in kept if isinstance(line, Line)):
            self.sending.wake(contact)
        self._indexing.written()
        return kept

    def _keep(self, contact: str, text: str, reply_to: bytes) -> Line:
        try:
            body = text.encode()
        except UnicodeEncodeError:
            raise UserError("The message is no valid text; send it as UTF-8.") from None
        size = len(body)
        if not 0 < size <= MAX_TEXT_BYTES:
            raise UserError(f"A message has 1 to {MAX_TEXT_BYTES} bytes, not {size}. Split it, or send it as a file.")
        known = self.stores.contacts.get(contact)
        if known is not None and known.standing == BLOCKED:
            raise UserError(f"{contact} is blocked. Unblock them first: p2pchat unblock {contact}")
        answered = self.stores.archive.find(reply_to) if reply_to else None
        if reply_to and (answered is None or answered.chat != contact):
            raise UserError(f"The message that you answer is not in the chat with {contact}.")
        identifier, now = self._chance(ID_BYTES), self._now_ms()
        self.befriend(contact)
        seq, prev = self.stores.contacts.next_text(contact, self.epoch, identifier)
        line = self.stores.archive.add(
            Line(contact, self.me, identifier, seq, prev, text, now, None, "queued", reply_to=reply_to), now, BEGUN
        )
        self._queue_text(
            contact, frame(identifier, seq, prev, Type.TEXT, now, body), identifier, reply_to, at_once=True
        )
        if line is None:
            raise UserError("The message could not be kept; send it again.")
        return line

    def _queue_text(
        self, contact: str, encoded: bytes, identifier: bytes, reply_to: bytes, at_once: bool = False
    ) -> None:
        """A text, and before it what it answers."""
        if reply_to:
            self._queue(contact, Type.REPLY, Reply(identifier, reply_to).to_bytes())
        self.stores.outbox.add(contact, identifier, encoded, Type.TEXT, at_once)

    def befriend(self, contact: str) -> None:
        """Writing to somebody makes a contact; they get our capability, which opens our addresses."""
        with self.stores.database.transaction():
            known = self.stores.contacts.get(contact)
            if known is None or known.standing != CONTACT:
                self.stores.contacts.set_standing(contact, CONTACT)
            capability = self.capability
            if known is None or known.given != capability:
                self._queue(contact, Type.CAPABILITY, capability)
                self.stores.contacts.gave(contact, capability)

    @property
    def capability(self) -> bytes:
        """The 16 bytes that open our addresses; made at first need."""
        text = self.stores.settings.get(CAPABILITY, "")
        if not text:
            text = self._chance(CAPABILITY_BYTES).hex()
            self.stores.settings.put(CAPABILITY, text)
        return bytes.fromhex(text)

    def renew_capability(self, except_for: str) -> None:
        """A new capability for all contacts but one."""
        with self.stores.database.transaction():
            self.stores.settings.put(CAPABILITY, self._chance(CAPABILITY_BYTES).hex())
            for contact in self.stores.contacts.all():
                if contact.standing == CONTACT and contact.user != except_for:
                    self.befriend(contact.user)
        self.sending.wake()

    def mark_read(self, chat: str, upto: Line | None = None) -> int:
        """A person has seen a chat up to a line (or all of it); how many were unread."""
        with self.stores.database.transaction():
            identifiers = self.stores.archive.mark_read(chat, upto)
            told = self.stores.settings.get(READ_RECEIPTS, "1") == "1" and self._is_contact(chat)
            for start in range(0, len(identifiers) if told else 0, MAX_RECEIPT_IDS):
                ids = tuple(identifiers[start : start + MAX_RECEIPT_IDS])
                self._queue(chat, Type.RECEIPT, Receipt(Mark.READ, self.epoch, ids).to_bytes())
        if identifiers:
            self.sending.look()
        return len(identifiers)

    def _is_contact(self, user: str) -> bool:
        known = self.stores.contacts.get(user)
        return known is not None and known.standing == CONTACT

    def _queue(self, contact: str, kind: Type, body: bytes) -> None:
        identifier = self._chance(ID_BYTES)
        encoded = frame(identifier, 0, b"", kind, self._now_ms(), body)
        self.stores.outbox.add(contact, identifier, encoded, kind)

    # -- what comes

    def take(self, messages: list[Incoming]) -> None:
        """Keep what the mailbox had; on return it is on disk and may be acknowledged."""
        self._receiving.take(messages)
        self.stores.database.sync()
        self.sending.look()
        self._indexing.written()

    def take_directly(self, messages: list[Incoming]) -> None:
        """Keep what came through a channel, which acknowledges it once the database is synced."""
        self._receiving.take(messages, receipts=False)
        self.sending.look()
        self._indexing.written()

    def confirmed(self, contact: str, identifiers: list[bytes], epoch: int) -> None:
        """A channel brought the acknowledgement of a contact's session `epoch`.

        Nobody waits until that is on disk: if it is lost, they are sent once more, and their ids remove the doubles.
        """
        with self.stores.database.soon():
            lines = self._receiving.delivered(contact, identifiers, epoch)
        for line in lines:
            self._changed(line)

    def ask_for(self, author: str, identifier: bytes) -> None:
        """Ask a contact, once, to send again a text that never came; strangers are not written to."""
        if not self._is_contact(author) or (author, identifier) in self._asked:
            return
        self._asked[author, identifier] = None
        if len(self._asked) > MAX_ASKED:
            self._asked.pop(next(iter(self._asked)))
        self._queue(author, Type.MISSING, write_ids([identifier]))
        self.sending.look()

    def call_me(self, contact: str) -> None:
        """Ask a contact, by mail, to open a channel to us: our own attempt failed."""
        self._queue(contact, Type.DIAL, b"")
        self.sending.look()

    def offer_again(self, contact: str, epoch: int) -> None:
        """A contact logged in elsewhere: what only the session before has on its disk is sent once more."""
        since = self._now_ms() - OFFER_AGAIN_MS
        lines = self.stores.archive.older_acknowledged(contact, self.me, epoch, since, MAX_OFFERED)
        self._offer(lines, "offered to a new session")

    def _offer_missing(self, contact: str, identifiers: tuple[bytes, ...]) -> None:
        found = [self.stores.archive.find(each, self.me) for each in identifiers]
        wanted = [line for line in found if line is not None and line.chat == contact and line.state != "failed"]
        self._offer(wanted, "asked for again")

    def retry(self, line: Line) -> None:
        """Try a message of ours at once that is queued or has failed; UserError for another one."""
        if line.author != self.me or line.state not in ("queued", "failed"):
            raise UserError("Only a message of yours that is queued or has failed can be sent again.")
        if line.state == "failed":
            with self.stores.database.transaction():
                queued = self.stores.archive.advance(line.chat, self.me, line.id, "queued", None, self._now_ms())
                self._offer([line], "sent again")
            if queued is not None:
                self._changed(queued)
        self.sending.wake(line.chat)

    def cancel(self, line: Line) -> int:
        """Do not send a message of ours; how often it was tried before.

        Raises:
            UserError: it does not wait any more, or an attempt is under way, whose end cannot be known.
        """
        attempts = self.stores.outbox.attempts(line.chat, line.id)
        if line.author != self.me or line.state != "queued" or attempts is None:
            raise UserError("Only a message of yours that is queued can be cancelled; this one has left.")
        if self.sending.busy(line.chat):
            raise UserError("It is being sent at this moment. Try again if it is still queued in a few seconds.")
        with self.stores.database.transaction():
            self.stores.outbox.remove(line.chat, [line.id])
            self.stores.traces.add(line.id, self._now_ms(), "failed", outcome=CANCELLED)
            failed = self.stores.archive.advance(line.chat, self.me, line.id, "failed", None, self._now_ms())
        if failed is not None:
            self._changed(failed)
        return attempts

    def seal_anew(self, identifiers: list[bytes]) -> int:
        """Send again what nobody can open or find on the ring, unless it was confirmed meanwhile; how many that are."""
        found = [self.stores.archive.find(each, self.me) for each in identifiers]
        lines = [line for line in found if line is not None and line.state == "stored"]
        self._offer(lines, "sealed anew")
        return len(lines)

    def seal_all_anew(self) -> int:
        """Our identity is new: whatever was stored and not confirmed does not open under it; how many that are."""
        row, count, now = 0, 0, self._now_ms()
        while page := self.stores.archive.unconfirmed(self.me, now - KEPT_MS, now, row, MAX_ANEW_PAGE):
            count += self.seal_anew([each.line.id for each in page])
            row = page[-1].line.row
        return count

    def _offer(self, lines: list[Line], why: str) -> None:
        with self.stores.database.transaction():
            for line in lines:
                encoded = frame(line.id, line.seq, line.prev, Type.TEXT, line.sent_ms, line.text.encode())
                self._queue_text(line.chat, encoded, line.id, line.reply_to)
                self.stores.traces.add(line.id, self._now_ms(), why)
        if lines:
            self.sending.look()

    # -- states

    async def wait(self, line: Line, state: str, timeout: float) -> Line:
        """Until our message is `state` or further, or failed; TimedOut after `timeout` seconds."""
        current = self.stores.archive.now(line)
        if reaches(current.state, state) or current.state == "failed":
            return current
        changed: Deferred[Line] = Deferred()
        entry = (state, changed)
        self._waiting.setdefault(line.id, []).append(entry)
        changed.addTimeout(timeout, self._clock, lambda _, seconds: _late(seconds, state))
        try:
            return await changed
        finally:
            left = [each for each in self._waiting.pop(line.id, []) if each is not entry]
            if left:
                self._waiting[line.id] = left

    def _changed(self, line: Line) -> None:
        self._audience.message_changed(line)
        for state, changed in list(self._waiting.get(line.id, [])):
            if not changed.called and (reaches(line.state, state) or line.state == "failed"):
                changed.callback(line)


def _late(seconds: float, state: str) -> Line:
    raise TimedOut(f"The message is not {state} after {seconds:g} seconds; the agent goes on trying.")
