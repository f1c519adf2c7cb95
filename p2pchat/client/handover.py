"""Moves a conversation to the next home: the new home's side, and both as an agent needs them."""

from collections.abc import Callable
from typing import Any

from twisted.logger import Logger

from p2pchat.chat.contacts import BLOCKED, CONTACT, KNOWN, REQUEST
from p2pchat.chat.handover import MESSAGE, Page
from p2pchat.chat.message import ID_BYTES, Reply, Type, frame
from p2pchat.chat.receiving import Incoming
from p2pchat.chat.sending import Post
from p2pchat.chat.service import CAPABILITY
from p2pchat.chat.stores import Stores
from p2pchat.client import rows
from p2pchat.client.gateway import Ask
from p2pchat.client.giving import Giver, begin_anew, note, progress
from p2pchat.client.surroundings import Surroundings
from p2pchat.errors import Misbehaved, UserError

STANDINGS = (CONTACT, REQUEST, BLOCKED, KNOWN)


class Taker:
    """The side of the new session.

    Args:
        fingerprint: our own; only our own former sessions hand anything over.
        adopted: told when our capability is the old home's again.
    """

    _log = Logger()

    def __init__(
        self,
        me: str,
        fingerprint: bytes,
        stores: Stores,
        chance: Callable[[int], bytes],
        now_ms: Callable[[], int],
        adopted: Callable[[], None],
    ) -> None:
        self._me, self._fingerprint, self._stores, self._chance = me, fingerprint, stores, chance
        self._now_ms, self._adopted = now_ms, adopted

    def take(self, author: str, fingerprint: bytes, body: bytes) -> None:
        """Keep one page, in the transaction of the caller; pages may come twice and in any order."""
        if author != self._me or fingerprint != self._fingerprint:
            raise Misbehaved(f"{author} wants to hand over something to us.")
        page = Page.from_bytes(body)
        if progress(self._stores)["state"] == "none":
            return
        met: set[str] = set()
        for kind, row in page.lines:
            try:
                if kind == MESSAGE:
                    self._take_message(row, met)
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
        is_anew = before["state"] == "done" and lines > 0  # one more home, such as a copy, hands over
        messages = lines if is_anew else before["messages"] + lines
        complete = messages >= page.total
        state = "refused" if page.refused else "done" if complete else "running"
        note(self._stores, state, messages, page.total)

    def _take_message(self, row: dict[str, Any], met: set[str]) -> None:
        line = rows.imported(row, self._me, unsent=True)
        stores = self._stores
        if line.chat not in met:
            stores.contacts.meet(line.chat, KNOWN)
            met.add(line.chat)
        kept = stores.archive.keep(line, self._now_ms())
        if not kept and line.author != self._me:
            stores.archive.came_before(line)
            if line.state == "read":
                stores.archive.was_read(line.chat, line.author, line.id)
        if kept and line.state == "queued" and line.author == self._me:
            if line.reply_to:
                identifier, body = self._chance(ID_BYTES), Reply(line.id, line.reply_to).to_bytes()
                encoded = frame(identifier, 0, b"", Type.REPLY, self._now_ms(), body)
                stores.outbox.add(line.chat, identifier, encoded, Type.REPLY)
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


class HandOver:
    """Both sides, as an agent needs them.

    Args:
        post: makes what seals pages with the keys of a replaced session.
        ask: the gateway.
        ended: the replaced session's keys may go.
        changed: the progress did.
        adopted: our capability is the old home's again.
    """

    def __init__(
        self,
        around: Surroundings,
        post: Callable[[], Post],
        ask: Ask,
        ended: Callable[[], None],
        changed: Callable[[], None],
        adopted: Callable[[], None],
    ) -> None:
        self._around, self._post, self._ask = around, post, ask
        self._ended, self._changed, self._adopted = ended, changed, adopted
        self._giver: Giver | None = None

    def give(self, me: str, stores: Stores) -> None:
        """This session was replaced: begin, or go on."""
        self.stop()
        self._giver = Giver(me, stores, self._post(), self._ask, self._around, self._changed, self._ended)
        self._giver.startService()

    def stop(self) -> None:
        giver, self._giver = self._giver, None
        if giver is not None and giver.running:
            giver.stopService()

    def connected(self) -> None:
        if self._giver is not None:
            self._giver.connected()

    def entered(self, me: str, fingerprint: bytes, stores: Stores, expected: bool) -> None:
        """A session of ours begins: `expected` tells whether another home has something for it."""
        self.stop()
        begin_anew(stores)
        note(stores, "waiting" if expected else "none")
        stores.contacts.meet(me, KNOWN)
        stores.contacts.pin(me, fingerprint)

    def take(self, me: str, fingerprint: bytes, stores: Stores, message: Incoming) -> None:
        """One page came."""
        taker = Taker(me, fingerprint, stores, self._around.chance, self._around.now_ms, self._adopted)
        taker.take(message.author, message.fingerprint, message.body)
