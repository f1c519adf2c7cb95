"""Takes opened messages in: each once, durable with its receipt, then on to the screen in order."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Self

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from p2pchat.chat.contacts import BLOCKED, CONTACT, KNOWN, REQUEST
from p2pchat.chat.history import Display
from p2pchat.chat.message import (
    CAPABILITY_BYTES,
    MAX_NUMBER,
    MAX_TEXT_BYTES,
    Line,
    Mark,
    Receipt,
    Reply,
    Type,
    read_ids,
)
from p2pchat.chat.stores import Stores
from p2pchat.chat.trace import BEGUN
from p2pchat.crypto.opening import Opened
from p2pchat.errors import Misbehaved

MAX_SENT_MS = 253_402_300_799_999
"""The end of the year 9999."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message that was opened and proved: its author, their pin and session, and the frame F."""

    author: str
    fingerprint: bytes
    epoch: int
    id: bytes
    seq: int
    prev: bytes
    type: int
    sent_ms: int
    body: bytes = field(repr=False)
    frame: bytes = field(repr=False)

    @classmethod
    def of(cls, opened: Opened) -> Self:
        """What crypto has opened and proved."""
        sender, message = opened.sender, opened.message
        return cls(
            sender.user,
            sender.fingerprint,
            sender.session_epoch,
            message.id,
            message.sequence,
            message.previous or b"",
            message.type,
            message.sent,
            message.body,
            opened.frame,
        )


@dataclass(frozen=True, slots=True)
class Listeners:
    """Whom Receiving tells, after it was committed."""

    shown: Callable[[Line], None]
    changed: Callable[[Line], None]
    new_session: Callable[[str, int], None]
    missing: Callable[[str, tuple[bytes, ...]], None]
    """A contact asks for texts of ours."""
    gap: Callable[[str, bytes], None]
    """The text with this id, which its author wrote before one that is shown, did not come."""
    called: Callable[[str, int], None]
    handed_over: Callable[[Incoming], None]
    """Inside the transaction, for what our own former session sends."""


class Receiving:
    """What came for us.

    Args:
        me, epoch: our canonical name, and our session's epoch for receipts.
        queue: puts a message of ours into the outbox (contact, type, body), inside the transaction of the caller.
    """

    _log = Logger()

    def __init__(
        self,
        me: str,
        epoch: int,
        stores: Stores,
        queue: Callable[[str, Type, bytes], None],
        clock: IReactorTime,
        now_ms: Callable[[], int],
        listeners: Listeners,
    ) -> None:
        self._me, self._epoch, self._stores, self._queue = me, epoch, stores, queue
        self._clock, self._now_ms, self._listeners = clock, now_ms, listeners
        self._display = Display()
        self._timer: IDelayedCall | None = None

    def take(self, messages: Sequence[Incoming], receipts: bool = True) -> list[Incoming]:
        """Keep what is new; what comes back may be acknowledged once the database is synced.

        Args:
            receipts: queue receipts for the texts (not where the channel itself carries them).
        """
        after: list[Callable[[], None]] = []
        taken: list[Incoming] = []
        delivered: dict[str, list[bytes]] = {}
        with self._stores.database.soon():
            for message in sorted(messages, key=lambda each: (each.author, each.seq)):
                try:
                    self._take_one(message, after, delivered)
                except Misbehaved as error:
                    self._log.warn("A message of {user} was refused: {error}", user=message.author, error=str(error))
                taken.append(message)
            for author, identifiers in delivered.items() if receipts else ():
                self._queue(author, Type.RECEIPT, Receipt(Mark.DELIVERED, self._epoch, tuple(identifiers)).to_bytes())
        for tell in after:
            tell()
        return taken

    def _take_one(self, message: Incoming, after: list[Callable[[], None]], delivered: dict[str, list[bytes]]) -> None:
        contact = self._stores.contacts.get(message.author)
        if contact is not None and contact.standing == BLOCKED:
            return
        if self._stores.contacts.saw(message.author, epoch=message.epoch):
            after.append(lambda: self._listeners.new_session(message.author, message.epoch))
        if contact is not None:
            self._stores.contacts.was_online(message.author, min(message.sent_ms, self._now_ms()))
        if message.type == Type.TEXT:
            # The history tells which ones came already.
            delivered.setdefault(message.author, []).append(message.id)
            self._take_text(message, after)
        elif not self._fresh(message):
            return
        elif message.type == Type.RECEIPT:
            self._take_receipt(message, after)
        elif message.type == Type.REPLY:
            reply = Reply.from_bytes(message.body)
            self._stores.archive.refer(message.author, reply.id, reply.quoted)
        elif message.type == Type.CAPABILITY and len(message.body) == CAPABILITY_BYTES:
            # It comes before the first text, so from somebody who is not known yet.
            self._stores.contacts.meet(message.author, KNOWN)
            self._stores.contacts.set_capability(message.author, message.body)
        elif message.type == Type.HANDOVER:
            self._listeners.handed_over(message)
        elif message.type == Type.DIAL:
            after.append(lambda: self._listeners.called(message.author, message.sent_ms))
        elif message.type == Type.MISSING:
            wanted = read_ids(message.body)
            after.append(lambda: self._listeners.missing(message.author, wanted))

    def _fresh(self, message: Incoming) -> bool:
        digest = sha256(message.frame).digest()
        return self._stores.seen.first_time(message.fingerprint, message.id, digest, self._now_ms())

    def _take_text(self, message: Incoming, after: list[Callable[[], None]]) -> None:
        if len(message.body) > MAX_TEXT_BYTES or message.seq > MAX_NUMBER or message.sent_ms > MAX_SENT_MS:
            raise Misbehaved("A text, its number or its time is larger than is allowed.")
        try:
            text = message.body.decode()
        except UnicodeDecodeError:
            raise Misbehaved("A text is no UTF-8.") from None
        self._stores.contacts.meet(message.author, CONTACT if message.author == self._me else REQUEST)
        self._stores.contacts.pin(message.author, message.fingerprint)
        archive = self._stores.archive
        gap = bool(message.prev) and not archive.has(message.prev, message.author)
        line = Line(
            *(message.author, message.author, message.id, message.seq, message.prev, text, message.sent_ms),
            self._now_ms(),
            "received",
        )
        kept = archive.add(line, self._now_ms(), BEGUN, message.epoch)
        if kept is not None:
            after.append(lambda: self._show(kept, gap))
        elif not archive.same(line):
            raise Misbehaved(f"Two different messages came under the id {message.id.hex()}.")

    def _take_receipt(self, message: Incoming, after: list[Callable[[], None]]) -> None:
        receipt = Receipt.from_bytes(message.body)
        state = "delivered" if receipt.mark == Mark.DELIVERED else "read"
        for identifier in receipt.ids:
            line = self.confirmed(message.author, identifier, state, receipt.epoch, "mailbox")
            if line is not None:
                after.append(lambda line=line: self._listeners.changed(line))  # type: ignore[misc]

    def delivered(self, contact: str, identifiers: list[bytes], epoch: int) -> list[Line]:
        """A channel brought acknowledgements; the lines for which that is news."""
        now, found = self._now_ms(), []
        for each in identifiers:
            line = self._stores.archive.delivered(contact, self._me, each, epoch, now)
            if line is None:
                line = self.confirmed(contact, each, "delivered", epoch, "direct")
            if line is not None:
                found.append(line)
        self._stores.outbox.remove(contact, identifiers)
        return found

    def confirmed(self, contact: str, identifier: bytes, state: str, epoch: int, way: str) -> Line | None:
        """A contact's session `epoch` has a message of ours; the line, if that is news."""
        self._stores.archive.confirmed_early(contact, self._me, identifier, state, epoch)
        self._stores.traces.spell_out(identifier, epoch)
        self._stores.archive.acknowledged(contact, self._me, identifier, epoch)
        self._stores.outbox.remove(contact, [identifier])
        line = self._stores.archive.advance(contact, self._me, identifier, state, None, self._now_ms())
        if line is not None:
            self._stores.traces.add(identifier, self._now_ms(), state, way=way, epoch=epoch)
        return line

    # -- the order shown

    def _show(self, line: Line, gap: bool) -> None:
        self._present(self._display.arrived(line, gap, self._clock.seconds()))

    def _expired(self) -> None:
        self._present(self._display.expired(self._clock.seconds()))

    def _present(self, lines: list[Line]) -> None:
        for line in lines:
            self._listeners.shown(line)
            if self._stores.archive.follows_a_gap(line):
                self._listeners.gap(line.author, line.prev)
        self._watch()

    def _watch(self) -> None:
        self.stop()
        due = self._display.next_at()
        if due is not None:
            self._timer = self._clock.callLater(max(0.0, due - self._clock.seconds()), self._expired)

    def stop(self) -> None:
        """Leave no timer behind; what is held is in the history all the same."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
