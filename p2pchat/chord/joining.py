"""How a node becomes a member: greet addresses, find its predecessor by a lookup, copy that node's list.

Only a founder, or a node that was a member before and finds nobody, starts as a ring of one; rings that started apart
find each other later through the node table and the seeds.
"""

from collections.abc import Awaitable, Callable, Iterable
from random import Random
from typing import TypeAlias

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from p2pchat.chord.lookup import AskStep, walk
from p2pchat.chord.ring import View
from p2pchat.chord.status import NodeState
from p2pchat.chord.table import NodeTable
from p2pchat.chord.watch import Spawn, Watch
from p2pchat.crypto.noderecord import NodeRecord
from p2pchat.errors import Misbehaved, TryElsewhere, UserError
from p2pchat.identifiers import Address, Identifier

Greet: TypeAlias = Callable[[Address], Awaitable[NodeRecord]]
"""Connect to a ring address; the verified record of the node there, reachable by Call afterwards; else TryElsewhere."""

MAX_SEEDS = 64
GREET_AT_ONCE = 4
FIRST_PAUSE_SECONDS = 0.2
MAX_PAUSE_SECONDS = 3.0
ALONE_SECONDS = 2.0
"""A returning node looks for others so long before it starts as a ring of one."""
REGREET_SECONDS = 10.0
"""An address that did not answer is tried again at most so often, once we are members."""


class Seeds:
    """Addresses where nodes of our ring may be."""

    _log = Logger()

    def __init__(self, greet: Greet, met: Callable[[NodeRecord], None], clock: IReactorTime) -> None:
        self._greet, self._met, self._clock = greet, met, clock
        self._due: dict[Address, float] = {}
        self._greeting: set[Address] = set()

    def add(self, address: Address) -> bool:
        """Remember an address; whether it is new.  The oldest gives way when there are too many."""
        if address in self._due:
            return False
        if len(self._due) >= MAX_SEEDS:
            del self._due[next(iter(self._due))]
        self._due[address] = 0.0
        return True

    async def greet(self, known: set[Address], pause: float) -> None:
        """Greet a few addresses whose time has come; those of `known` are no news."""
        now = self._clock.seconds()
        passed = known | self._greeting
        due = [address for address, when in self._due.items() if when <= now and address not in passed]
        for address in due[:GREET_AT_ONCE]:
            self._due[address] = now + pause
        greetings = [Deferred.fromCoroutine(self._greet_one(address)) for address in due[:GREET_AT_ONCE]]
        await gatherResults(greetings, consumeErrors=True)

    async def _greet_one(self, address: Address) -> None:
        self._greeting.add(address)
        try:
            record = await self._greet(address)
        except (TryElsewhere, Misbehaved, UserError) as error:
            self._log.info("nobody of our ring answers at {address}: {error}", address=address, error=error)
        else:
            self._met(record)
        finally:
            self._greeting.discard(address)


class Joining:
    """One node's way onto the ring.

    Args:
        spawn: runs a coroutine by itself.
        ask_step: one step of a lookup.
        ask_view: the view of a node; None: pending.
        joined: takes contact and view; whether we are a member now.
        found: makes us a ring of one.
    """

    _log = Logger()

    def __init__(
        self,
        me: Identifier,
        table: NodeTable,
        watch: Watch,
        seeds: Seeds,
        clock: IReactorTime,
        chance: Random,
        spawn: Spawn,
        ask_step: AskStep,
        ask_view: Callable[[Identifier], Awaitable[View | None]],
        joined: Callable[[Identifier, View], bool],
        found: Callable[[], None],
    ) -> None:
        self._me, self._table, self._watch, self._seeds = me, table, watch, seeds
        self._clock, self._chance, self._spawn = clock, chance, spawn
        self._sleeping: Deferred[None] | None = None
        self._begins_anew = False
        self._ask_step, self._ask_view, self._joined, self._found = ask_step, ask_view, joined, found

    async def run(self, founder: bool, returning: bool) -> None:
        """Try until we are a member.

        Args:
            founder: starts a ring of one as soon as nobody could be joined.
            returning: was a member before, and may do so after a while.
        """
        began, pause = self._clock.seconds(), FIRST_PAUSE_SECONDS
        while True:
            await self._look_around(wait=founder and not returning)
            if await self._join_somebody():
                return
            waited = self._clock.seconds() - began
            if self._begins_anew or (founder and not returning) or ((founder or returning) and self._may_start(waited)):
                self._found()
                return
            woken = await self._sleep(self._chance.uniform(0.5, 1.0) * pause)
            pause = FIRST_PAUSE_SECONDS if woken else min(pause * 1.3, MAX_PAUSE_SECONDS)

    async def _sleep(self, seconds: float) -> bool:
        """Wait; True if something happened meanwhile that may help."""
        slept = self._sleeping = Deferred()
        timer = self._clock.callLater(seconds, slept.callback, None)
        try:
            await slept
        finally:
            self._sleeping = None
            woken = timer.active()
            if woken:
                timer.cancel()
        return woken

    def wake(self) -> None:
        """A node or an address is known that was not before: try again soon."""
        if self._sleeping is not None and not self._sleeping.called:
            self._sleeping.callback(None)

    def begin_anew(self) -> None:
        """Start a ring of one as soon as nobody can be joined."""
        self._begins_anew = True
        self.wake()

    async def _look_around(self, wait: bool) -> None:
        """Greet addresses, and see which of the nodes that we know live; a few at a time."""
        answering = [node for node, state in self._table.states().items() if state is not NodeState.DEAD]
        greeting = self._seeds.greet(addresses(self._table, answering), 0.0)
        for node in [each for each in self._table.due(self._clock.seconds()) if each != self._me][:GREET_AT_ONCE]:
            self._watch.probe_soon(node)
        if wait:
            await greeting
        else:
            self._spawn(greeting)

    async def _join_somebody(self) -> bool:
        contacts = [node for node in self._table.live() if node != self._me]
        for contact in self._chance.sample(contacts, min(2, len(contacts))):
            try:
                if await self._join(contact):
                    return True
            except (TryElsewhere, Misbehaved) as error:
                self._log.debug("could not join: {error}", error=error)
        return False

    async def _join(self, contact: Identifier) -> bool:
        found = await walk(self._me, [contact], self._ask_step, self._clock)
        if found.named_by == self._me:
            return False
        view = await self._ask_view(found.named_by)
        return view is not None and self._joined(found.named_by, view)

    def _may_start(self, seconds: float) -> bool:
        """Nobody is on the ring; of several that wait, the lowest begins."""
        waiting = [node for node, state in self._table.states().items() if state is NodeState.JOINING]
        return seconds > 2 * ALONE_SECONDS or (seconds > ALONE_SECONDS and self._me <= min(waiting, default=self._me))


def addresses(table: NodeTable, nodes: Iterable[Identifier]) -> set[Address]:
    """The ring addresses of these nodes."""
    records = (table.heard(node) for node in nodes)
    return {record.ring_address for record in records if record is not None}
