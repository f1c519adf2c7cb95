"""Moves a conversation to the next home: the old one gives contacts and history, the new one takes them.

Pages travel as sealed messages from the account to itself, so they need no open port, and go on days later.
"""

import json
from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from p2pchat.chat.contacts import BLOCKED, CONTACT, KNOWN, REQUEST, Contact
from p2pchat.chat.handover import CONTACT as CONTACT_LINE
from p2pchat.chat.handover import MESSAGE, PAGE_BYTES, Page
from p2pchat.chat.message import ID_BYTES, Type, frame
from p2pchat.chat.outbox import Waiting
from p2pchat.chat.receiving import Incoming
from p2pchat.chat.sending import Post, Sending
from p2pchat.chat.service import CAPABILITY
from p2pchat.chat.stores import Stores
from p2pchat.client import rows
from p2pchat.client.surroundings import Surroundings
from p2pchat.errors import Misbehaved, UserError

FILL_SECONDS = 0.25
PAGES_UNDER_WAY = 4
"""Pages that wait in the outbox at once."""
MAX_ROWS = 400
PROGRESS = "handover_progress"
GIVEN = "handover_given"
HANDOVER = "handover"
NONE = {"state": "none", "messages": 0, "total": 0}
STANDINGS = (CONTACT, REQUEST, BLOCKED, KNOWN)


def progress(stores: Stores) -> dict[str, Any]:
    """How far it is, as `session` shows it."""
    text = stores.settings.get(PROGRESS, "")
    return json.loads(text) if text else dict(NONE)


def note(stores: Stores, state: str, messages: int = 0, total: int = 0) -> None:
    """Keep how far it is."""
    stores.settings.put(PROGRESS, json.dumps({"state": state, "messages": messages, "total": total}))


class Giver(Service):
    """The side of a replaced session.

    Args:
        me: our canonical name; pages go to ourselves.
        post: seals with the replaced session's identity.
        ended: called once everything is on the ring, or when the person wants nothing handed over.
    """

    _log = Logger()

    def __init__(
        self,
        me: str,
        stores: Stores,
        post: Post,
        around: Surroundings,
        changed: Callable[[], None],
        ended: Callable[[], None],
    ) -> None:
        self._me, self._stores, self._around = me, stores, around
        self._changed, self._ended = changed, ended
        self._sending = Sending(
            me,
            stores,
            post,
            _nobody_is_connected,
            around.clock,
            around.spread,
            around.now_ms,
            lambda _: None,
            lambda: [me] if stores.outbox.waiting(me, 1) else [],
        )
        self._filling = LoopingCall(self._fill)
        self._filling.clock = around.clock

    def startService(self) -> None:
        super().startService()
        self._sending.start()
        self._filling.start(FILL_SECONDS).addErrback(lambda why: self._log.failure("the hand-over stopped", why))

    def stopService(self) -> None:
        super().stopService()
        self._sending.stop()
        if self._filling.running:
            self._filling.stop()

    def connected(self) -> None:
        """A node is reachable again."""
        self._sending.wake()

    def _fill(self) -> None:
        """Keep some pages in the outbox, until there are no more."""
        choice = self._stores.settings.get(HANDOVER, "always")
        if choice == "ask":
            return
        given = json.loads(self._stores.settings.get(GIVEN, "{}"))
        waiting = len(self._stores.outbox.waiting(self._me, PAGES_UNDER_WAY))
        if given.get("last"):
            if not waiting:
                self._finish(given)
            return
        for _ in range(PAGES_UNDER_WAY - waiting):
            given = self._queue_page(given, refused=choice == "never")
            if given["last"]:
                break
        self._changed()
        self._sending.look()

    def _finish(self, given: dict[str, Any]) -> None:
        state = "refused" if given.get("refused") else "done"
        note(self._stores, state, given["messages"], given["total"])
        self._changed()
        self._filling.stop()
        self._ended()

    def _queue_page(self, given: dict[str, Any], refused: bool) -> dict[str, Any]:
        """Put the next page into the outbox, and remember that, in one transaction."""
        stores = self._stores
        with stores.database.transaction():
            total = given.get("total", 0 if refused else stores.archive.total())
            people, row, sent = given.get("people", 0), given.get("row", 0), given.get("messages", 0)
            everybody = [] if refused else [each for each in stores.contacts.everybody() if each.user != self._me]
            lines: list[tuple[str, dict[str, Any]]] = []
            if people < len(everybody):
                contacts = _cut(everybody[people : people + MAX_ROWS], lambda each: each.draft)
                lines = [(CONTACT_LINE, _contact_row(each)) for each in contacts]
                people += len(contacts)
            elif not refused:
                history = _cut(stores.archive.page(row, MAX_ROWS), lambda each: each.text)
                lines = [(MESSAGE, rows.export_row(each, self._me)) for each in history]
                row, sent = (history[-1].row if history else row), sent + len(history)
            last = refused or (people >= len(everybody) and not stores.archive.page(row, 1))
            page = Page(sent, total, last, refused, stores.settings.get(CAPABILITY, ""), tuple(lines))
            self._queue(page)
            now = {
                "people": people,
                "row": row,
                "messages": sent,
                "total": total,
                "last": last,
                "refused": refused,
            }
            stores.settings.put(GIVEN, json.dumps(now))
            note(stores, "running", sent, total)
        return now

    def _queue(self, page: Page) -> None:
        identifier, now = self._around.chance(ID_BYTES), self._around.now_ms()
        encoded = frame(identifier, 0, b"", Type.HANDOVER, now, page.to_bytes())
        self._stores.outbox.add(self._me, identifier, encoded, Type.HANDOVER)


def _cut(found: list[Any], text: Callable[[Any], str]) -> list[Any]:
    """As many as one page holds, at least one."""
    size = 0
    for count, each in enumerate(found):
        size += len(text(each).encode("utf-8", "replace")) + 400
        if size > PAGE_BYTES:
            return found[: count or 1]
    return found


async def _nobody_is_connected(_contact: str, _messages: list[Waiting]) -> set[bytes]:
    return set()


class Taker:
    """The side of the new session.

    Args:
        fingerprint: our own; only our own former sessions hand anything over.
        adopted: told when our capability is the old home's again.
    """

    _log = Logger()

    def __init__(
        self, me: str, fingerprint: bytes, stores: Stores, now_ms: Callable[[], int], adopted: Callable[[], None]
    ) -> None:
        self._me, self._fingerprint, self._stores = me, fingerprint, stores
        self._now_ms, self._adopted = now_ms, adopted

    def take(self, author: str, fingerprint: bytes, body: bytes) -> None:
        """Keep one page, in the transaction of the caller; pages may come twice and in any order."""
        if author != self._me or fingerprint != self._fingerprint:
            raise Misbehaved(f"{author} wants to hand over something to us.")
        page = Page.from_bytes(body)
        if progress(self._stores)["state"] == "none":
            return
        for kind, row in page.lines:
            try:
                if kind == MESSAGE:
                    self._take_message(row)
                else:
                    self._take_contact(row)
            except (UserError, KeyError, ValueError, TypeError) as error:
                self._log.warn("a line of the hand-over was left out: {error}", error=str(error))
        if page.capability and self._stores.settings.get(CAPABILITY, "") != page.capability:
            self._stores.settings.put(CAPABILITY, page.capability)
            self._adopted()
        self._count(page)

    def _count(self, page: Page) -> None:
        before = progress(self._stores)
        lines = sum(kind == MESSAGE for kind, _ in page.lines)
        messages = before["messages"] + lines
        complete = messages >= page.total
        state = "refused" if page.refused else "done" if complete else "running"
        note(self._stores, state, messages, page.total)

    def _take_message(self, row: dict[str, Any]) -> None:
        line = rows.imported(row, self._me, unsent=True)
        stores = self._stores
        stores.contacts.meet(line.chat, KNOWN)
        kept = stores.archive.add(line, self._now_ms())
        if kept is None and line.state == "read" and line.author != self._me:
            stores.archive.was_read(line.chat, line.author, line.id)
        if kept is not None and line.state == "queued" and line.author == self._me:
            encoded = frame(line.id, line.seq, line.prev, Type.TEXT, line.sent_ms, line.text.encode())
            stores.outbox.add(line.chat, line.id, encoded, Type.TEXT)

    def _take_contact(self, row: dict[str, Any]) -> None:
        """A pin of ours stays; the old home's standing counts where we have none of our own yet."""
        contacts, user = self._stores.contacts, str(row["user"])
        known = contacts.get(user)
        contacts.meet(user, KNOWN)
        if row["standing"] in STANDINGS and (known is None or known.standing in (KNOWN, REQUEST)):
            contacts.set_standing(user, row["standing"])
        pin = bytes.fromhex(row["fingerprint"] or "")
        if pin and (known is None or known.fingerprint is None):
            contacts.pin(user, pin)
        if pin and row["verified"] and (known is None or known.fingerprint in (None, pin)):
            contacts.verify(user, True)
        if row["capability"] and (known is None or known.capability is None):
            contacts.set_capability(user, bytes.fromhex(row["capability"]))
        if row["draft"] and (known is None or not known.draft):
            contacts.set_draft(user, str(row["draft"]))
        if row["given"]:
            contacts.gave(user, bytes.fromhex(row["given"]))
        contacts.saw(user, epoch=int(row["epoch"]))


def _contact_row(contact: Contact) -> dict[str, Any]:
    return {
        "user": contact.user,
        "standing": contact.standing,
        "fingerprint": contact.fingerprint.hex() if contact.fingerprint else "",
        "verified": contact.verified,
        "epoch": contact.epoch,
        "capability": contact.capability.hex() if contact.capability else "",
        "given": contact.given.hex() if contact.given else "",
        "draft": contact.draft,
    }


class HandOver:
    """Both sides, as an agent needs them.

    Args:
        post: makes what seals pages with the keys of a replaced session.
        ended: the replaced session's keys may go.
        changed: the progress did.
        adopted: our capability is the old home's again.
    """

    def __init__(
        self,
        around: Surroundings,
        post: Callable[[], Post],
        ended: Callable[[], None],
        changed: Callable[[], None],
        adopted: Callable[[], None],
    ) -> None:
        self._around, self._post = around, post
        self._ended, self._changed, self._adopted = ended, changed, adopted
        self._giver: Giver | None = None

    def give(self, me: str, stores: Stores) -> None:
        """This session was replaced: begin, or go on."""
        self.stop()
        self._giver = Giver(me, stores, self._post(), self._around, self._changed, self._ended)
        self._giver.startService()

    def stop(self) -> None:
        giver, self._giver = self._giver, None
        if giver is not None:
            giver.stopService()

    def connected(self) -> None:
        if self._giver is not None:
            self._giver.connected()

    def entered(self, me: str, fingerprint: bytes, stores: Stores, expected: bool) -> None:
        """A session of ours begins: `expected` tells whether another home has something for it."""
        self.stop()
        stores.settings.put(GIVEN, "{}")
        note(stores, "waiting" if expected else "none")
        stores.contacts.meet(me, KNOWN)
        stores.contacts.pin(me, fingerprint)

    def take(self, me: str, fingerprint: bytes, stores: Stores, message: Incoming) -> None:
        """One page came."""
        taker = Taker(me, fingerprint, stores, self._around.now_ms, self._adopted)
        taker.take(message.author, message.fingerprint, message.body)
