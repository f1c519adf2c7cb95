"""The old home's side of a hand-over: contacts and history in pages, each kept until the next home has confirmed it.

Pages travel as sealed messages from the account to itself, so they need no open port, and go on days later.  Whether
the next home took one, its mailbox says: acknowledged, or (lost, or sealed to a key that went) to be sent again.
"""

import json
from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from p2pchat.chat.contacts import Contact
from p2pchat.chat.handed import Handed
from p2pchat.chat.handover import CONTACT as CONTACT_LINE
from p2pchat.chat.handover import MAX_LINES, MESSAGE, Page, Row, pack
from p2pchat.chat.message import ID_BYTES, Line, Type, frame
from p2pchat.chat.outbox import Waiting
from p2pchat.chat.sending import Deposited, Post, Sending
from p2pchat.chat.service import CAPABILITY
from p2pchat.chat.stores import Stores
from p2pchat.client import rows
from p2pchat.client.gateway import Ask
from p2pchat.client.surroundings import Surroundings
from p2pchat.errors import P2PChatError
from p2pchat.mailbox.commands import ACKNOWLEDGED, UNKNOWN, UNOPENABLE, AskState

PAGES_UNDER_WAY = 16
"""Pages that the next home has not confirmed; a mebibyte of its mailbox at most."""
LOOK_SECONDS = 0.1
"""Until the mailbox is asked what became of pages, while something moves."""
MAX_LOOK_SECONDS = 30.0
"""The same while nothing does: the next home is away."""
PROGRESS = "handover_progress"
GIVEN = "handover_given"
HANDOVER = "handover"
NONE = {"state": "none", "messages": 0, "total": 0}


def progress(stores: Stores) -> dict[str, Any]:
    """How far it is, as `session` shows it."""
    text = stores.settings.get(PROGRESS, "")
    return json.loads(text) if text else dict(NONE)


def note(stores: Stores, state: str, messages: int = 0, total: int = 0) -> None:
    """Keep how far it is."""
    stores.settings.put(PROGRESS, json.dumps({"state": state, "messages": messages, "total": total}))


def begin_anew(stores: Stores) -> None:
    """A session begins here: what this home was giving away before is over."""
    with stores.database.transaction():
        stores.settings.put(GIVEN, "{}")
        stores.handed.clear()


class Giver(Service):
    """The side of a replaced session.

    Args:
        me: our canonical name; pages go to ourselves.
        post: seals with the replaced session's identity.
        ask: the gateway, for what became of a page.
        ended: called once the next home has everything, or when the person wants nothing handed over.
    """

    _log = Logger()

    def __init__(
        self,
        me: str,
        stores: Stores,
        post: Post,
        ask: Ask,
        around: Surroundings,
        changed: Callable[[], None],
        ended: Callable[[], None],
    ) -> None:
        self._me, self._stores, self._ask, self._around = me, stores, ask, around
        self._changed, self._ended = changed, ended
        self._pause, self._in_vain, self._guess = LOOK_SECONDS, False, MAX_LINES
        self._timer: IDelayedCall | None = None
        self._turning: Deferred[None] | None = None
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
            self._stored,
        )

    def startService(self) -> None:
        super().startService()
        self._sending.start()
        self._turn()

    def stopService(self) -> None:
        super().stopService()
        self._sending.stop()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        if self._turning is not None:
            self._turning.cancel()

    def connected(self) -> None:
        """A node is reachable again."""
        self._sending.wake()
        self._soon(LOOK_SECONDS)

    # -- turns: what is confirmed makes room for more

    def _turn(self) -> None:
        if self.running and self._turning is None:
            self._turning = turning = Deferred.fromCoroutine(self._advance())
            turning.addBoth(self._turned)

    def _turned(self, result: Any) -> None:
        self._turning = None
        if not self.running:
            return
        if result is not None and not result.check(P2PChatError):
            self._log.failure("A turn of the hand-over failed.", result)
        self._soon(self._pause)

    def _soon(self, seconds: float) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._pause = seconds
        self._timer = self._around.clock.callLater(seconds, self._turn)

    async def _advance(self) -> None:
        confirmed = await self._look()
        if not self.running:
            return
        queued = self._fill()
        waits = any(each.envelope is None for each in self._stores.handed.all())
        moves = confirmed or queued or (waits and not self._in_vain)
        self._pause = LOOK_SECONDS if moves else min(self._pause * 1.5, MAX_LOOK_SECONDS)

    async def _look(self) -> int:
        """Ask what became of the pages on the ring; how many of them the next home has."""
        lying = [each for each in self._stores.handed.all() if each.envelope is not None]
        asked = [Deferred.fromCoroutine(self._state(each)) for each in lying]
        states = [await each for each in asked]
        if not self.running:
            return 0
        with self._stores.database.transaction():
            for page, state in zip(lying, states, strict=True):
                if state == ACKNOWLEDGED:
                    self._stores.handed.confirmed(page.id)
                elif state in (UNKNOWN, UNOPENABLE):
                    self._stores.handed.lies_in(page.id, None)
                    self._stores.outbox.add(self._me, page.id, self._stores.handed.frame(page.id), Type.HANDOVER)
        self._sending.look()
        confirmed = states.count(ACKNOWLEDGED)
        # Pages that get lost again and again, as a node says at least, are sent less and less often.
        self._in_vain = not confirmed and (self._in_vain or UNKNOWN in states or UNOPENABLE in states)
        return confirmed

    async def _state(self, page: Handed) -> str:
        try:
            answer: dict[str, Any] = await self._ask(AskState, user=self._me, envelope_id=page.envelope)
        except P2PChatError as error:
            self._log.debug("a page could not be asked about: {error}", error=str(error))
            return ""
        return str(answer["state"])

    def _stored(self, waiting: Waiting, deposited: Deposited) -> None:
        self._stores.handed.lies_in(waiting.id, deposited.envelope)

    # -- pages

    def _fill(self) -> bool:
        """Keep some pages under way, until there are no more; whether there were."""
        choice = self._stores.settings.get(HANDOVER, "always")
        if choice == "ask":
            if progress(self._stores)["state"] != "waiting":
                note(self._stores, "waiting", 0, self._stores.archive.total())
                self._changed()
            return False
        given = json.loads(self._stores.settings.get(GIVEN, "{}"))
        under_way = self._stores.handed.count()
        if given.get("last"):
            if not under_way:
                self._finish(given)
            return False
        for _ in range(PAGES_UNDER_WAY - under_way):
            given = self._queue_page(given, refused=choice == "never")
            if given["last"]:
                break
        self._changed()
        self._sending.look()
        return under_way < PAGES_UNDER_WAY

    def _finish(self, given: dict[str, Any]) -> None:
        state = "refused" if given.get("refused") else "done"
        note(self._stores, state, given["messages"], given["total"])
        self._changed()
        self.stopService()
        self._ended()

    def _queue_page(self, given: dict[str, Any], refused: bool) -> dict[str, Any]:
        """Put the next page into the outbox, and remember that, in one transaction."""
        stores = self._stores
        with stores.database.transaction():
            total = given.get("total", 0 if refused else stores.archive.total())
            people, row, sent = given.get("people", 0), given.get("row", 0), given.get("messages", 0)
            everybody = [] if refused else [each for each in stores.contacts.everybody() if each.user != self._me]
            capability = stores.settings.get(CAPABILITY, "")
            contacts = everybody[people : people + MAX_LINES]
            history = [] if refused or contacts else stores.archive.page(row, self._guess)

            def place(count: int) -> tuple[int, int, int]:
                """(people, row, messages) behind a page with so many lines."""
                if contacts:
                    return people + count, row, sent
                return people, history[count - 1].row if count else row, sent + count

            def page(count: int) -> Page:
                known, upto, messages = place(count)
                last = refused or (known >= len(everybody) and not stores.archive.page(upto, 1))
                return Page(messages, total, last, refused, capability)

            body, taken = pack(self._rows(contacts, history), page)
            if history:
                self._guess = min(MAX_LINES, taken + taken // 32 + 1)
            said, (people, row, sent) = page(taken), place(taken)
            self._queue(body)
            now = {
                "people": people,
                "row": row,
                "messages": sent,
                "total": total,
                "last": said.last,
                "refused": refused,
            }
            stores.settings.put(GIVEN, json.dumps(now))
            note(stores, "running", sent, total)
        return now

    def _rows(self, contacts: list[Contact], history: list[Line]) -> list[Row]:
        people: list[Row] = [(CONTACT_LINE, _contact_row(each)) for each in contacts]
        return people or [(MESSAGE, rows.export_row(each, self._me)) for each in history]

    def _queue(self, body: bytes) -> None:
        identifier, now = self._around.chance(ID_BYTES), self._around.now_ms()
        encoded = frame(identifier, 0, b"", Type.HANDOVER, now, body)
        self._stores.handed.add(identifier, encoded)
        self._stores.outbox.add(self._me, identifier, encoded, Type.HANDOVER)


async def _nobody_is_connected(_contact: str, _messages: list[Waiting]) -> set[bytes]:
    return set()


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
