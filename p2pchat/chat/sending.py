"""Brings the outbox to the contacts: directly where a channel stands, else as sealed mail, again until it is there."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from p2pchat import request
from p2pchat.chat.message import Line, Type
from p2pchat.chat.outbox import BATCH, FLIGHTS, Schedule, Waiting
from p2pchat.chat.stores import Stores
from p2pchat.errors import (
    NotAdmitted,
    NotLoggedIn,
    P2PChatError,
    RingUnknown,
    SessionReplaced,
    SlowedDown,
    UserError,
)


@dataclass(frozen=True, slots=True)
class Deposited:
    """An envelope lies at `copies` of `wanted` members; `node` is the gateway that took it, by 8 hex digits."""

    copies: int
    wanted: int
    node: str
    envelope: bytes
    """Its id, 32 bytes."""


class Post(Protocol):
    """Seals one message for a contact and lays it into their mailbox; StaleKey is its own affair."""

    async def deposit(self, waiting: Waiting) -> Deposited: ...


DeliverDirectly = Callable[[str, list[Waiting]], Awaitable[set[bytes]]]
"""Hands messages to a contact's agent; the ids that its disk has, which `ChatService.confirmed` was told already.

Empty at once where there is no channel and none can be opened."""


_OURS = (SlowedDown, NotLoggedIn, SessionReplaced, RingUnknown, NotAdmitted)
"""What the person has to mend on this side; the message is none the worse for it and waits."""


class Sending:
    """Works the outbox off; at most one attempt for each contact at a time, so that their order holds.

    Args:
        me: our own canonical name.
        changed: told of every message of ours whose state changed, after it is on disk.
        now_ms: milliseconds since 1970.
        recipients: to whom something may be sent now; all that something waits for, by default.
        stored: told what lies on the ring, inside the transaction that says so.
    """

    _log = Logger()

    def __init__(
        self,
        me: str,
        stores: Stores,
        post: Post,
        deliver_directly: DeliverDirectly,
        clock: IReactorTime,
        chance: random.Random,
        now_ms: Callable[[], int],
        changed: Callable[[Line], None],
        recipients: Callable[[], list[str]] | None = None,
        stored: Callable[[Waiting, Deposited], None] = lambda *_: None,
    ) -> None:
        self._me, self._stores, self._post, self._deliver_directly = me, stores, post, deliver_directly
        self._clock, self._now_ms, self._changed = clock, now_ms, changed
        self._recipients, self._stored = recipients or stores.outbox.contacts, stored
        self._schedule, self._chance = Schedule(chance), chance
        self._timer: IDelayedCall | None = None
        self._under_way: dict[str, Deferred[Outcome]] = {}
        self._stirred: dict[str, Deferred[None]] = {}
        self._running = False

    def start(self) -> None:
        self._running = True
        self.look()

    def stop(self) -> None:
        """End all attempts; what was not confirmed stays in the outbox."""
        self._running = False
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        for attempt in list(self._under_way.values()):
            attempt.cancel()

    def wake(self, contact: str | None = None) -> None:
        """End the pauses of a contact, or of all: a way is open again."""
        self._schedule.wake(contact)
        self.look()

    def busy(self, contact: str) -> bool:
        """Whether an attempt for a contact is under way."""
        return contact in self._under_way

    def look(self) -> None:
        """Begin what is due, and come back when the next one is."""
        if not self._running:
            return
        contacts, now = self._recipients(), self._clock.seconds()
        for contact in list(self._stirred):
            self._stir(contact)
        for contact in self._schedule.due(contacts, now):
            self._schedule.started(contact)
            attempt = Deferred.fromCoroutine(self._work_off(contact))
            if not attempt.called:
                self._under_way[contact] = attempt
            attempt.addBoth(self._ended, contact)
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        due = self._schedule.next_at(contacts)
        if due is not None:
            self._timer = self._clock.callLater(max(0.0, due - self._clock.seconds()), self.look)

    def _ended(self, result: object, contact: str) -> None:
        self._under_way.pop(contact, None)
        if not isinstance(result, Outcome):
            self._schedule.failed(contact, self._clock.seconds())
            if self._running:
                self._log.failure("Sending to {contact} failed.", result, contact=contact)  # type: ignore[arg-type]
        elif result.done:
            self._schedule.succeeded(contact)
        else:
            self._schedule.failed(contact, self._clock.seconds())
        if self._running and (self._timer is None or not self._timer.active()):
            self._timer = self._clock.callLater(0, self.look)
        elif self._running and self._timer is not None:
            self._timer.reset(0)

    async def _work_off(self, contact: str) -> "Outcome":
        request.begin(self._chance)
        while self._stores.outbox.waiting(contact, 1):
            rest = await self._hand_over(contact)
            stored: list[bool] = await gatherResults(
                [Deferred.fromCoroutine(self._deposit(each)) for each in rest], consumeErrors=True
            )
            if not all(stored):
                return Outcome(done=False)
        return Outcome(done=True)

    async def _hand_over(self, contact: str) -> list[Waiting]:
        """Hand over directly what waits, and what is queued meanwhile, until one does not arrive; those that did not.

        Batches follow each other before the first one is acknowledged, so that both ends work at once.
        """
        outbox, behind = self._stores.outbox, 0
        flights: list[Deferred[None]] = []
        rest: list[Waiting] = []
        failed: list[Failure] = []
        try:
            while True:
                while not rest and len(flights) < FLIGHTS and (batch := outbox.waiting(contact, BATCH, behind)):
                    behind = batch[-1].number
                    outbox.tried(contact, [each.id for each in batch])
                    flight = Deferred.fromCoroutine(self._fly(contact, batch, rest))
                    flights.append(flight)
                    flight.addErrback(failed.append)
                    flight.addCallback(self._landed, flights, flight, contact)
                if not flights:
                    for failure in failed:
                        failure.raiseException()
                    return sorted(rest, key=lambda waiting: waiting.number)
                self._stirred[contact] = Deferred()
                await self._stirred[contact]
        finally:
            self._stirred.pop(contact, None)
            for each in list(flights):
                each.cancel()

    async def _fly(self, contact: str, batch: list[Waiting], rest: list[Waiting]) -> None:
        """One batch; what does not arrive is added to `rest`."""
        arrived: set[bytes] = set()
        try:
            await self._stores.database.synced()
            arrived = await self._deliver_directly(contact, batch)
        finally:
            rest += [each for each in batch if each.id not in arrived]

    def _landed(self, _: None, flights: "list[Deferred[None]]", flight: "Deferred[None]", contact: str) -> None:
        flights.remove(flight)
        self._stir(contact)

    def _stir(self, contact: str) -> None:
        """Something was queued for a contact that is handed over to, or a batch has landed."""
        stirred = self._stirred.get(contact)
        if stirred is not None and not stirred.called:
            stirred.callback(None)

    async def _deposit(self, waiting: Waiting) -> bool:
        """One attempt through the mailbox, a request of its own; False: try again later."""
        request.begin(self._chance)
        try:
            deposited = await self._post.deposit(waiting)
        except _OURS as error:
            return self._tried_in_vain(waiting, error)
        except UserError as error:
            self._failed(waiting, str(error))
            return True
        except P2PChatError as error:
            return self._tried_in_vain(waiting, error)
        # If this is lost, it is stored once more, and its id removes the double.
        with self._stores.database.soon():
            self._stores.outbox.remove(waiting.contact, [waiting.id])
            self._trace(
                waiting,
                "stored",
                way="mailbox",
                node=deposited.node,
                copies=deposited.copies,
                wanted=deposited.wanted,
                request=request.current(),
            )
            line = self._advance(waiting, "stored", deposited.copies)
            self._stores.archive.lies_in(waiting.contact, self._me, waiting.id, deposited.envelope)
            self._stored(waiting, deposited)
        if line is not None:
            self._changed(line)
        return True

    def _tried_in_vain(self, waiting: Waiting, error: P2PChatError) -> bool:
        self._trace(waiting, "tried", way="mailbox", outcome=str(error), request=request.current())
        return False

    def _failed(self, waiting: Waiting, reason: str) -> None:
        with self._stores.database.transaction():
            self._stores.outbox.remove(waiting.contact, [waiting.id])
            self._trace(waiting, "failed", outcome=reason)
            line = self._advance(waiting, "failed", None)
        if line is not None:
            self._changed(line)

    def _advance(self, waiting: Waiting, state: str, copies: int | None) -> Line | None:
        if waiting.type != Type.TEXT:
            return None
        return self._stores.archive.advance(waiting.contact, self._me, waiting.id, state, copies, self._now_ms())

    def _trace(self, waiting: Waiting, step: str, **details: object) -> None:
        if waiting.type == Type.TEXT:
            self._stores.traces.add(waiting.id, self._now_ms(), step, **details)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one attempt for a contact ended."""

    done: bool
