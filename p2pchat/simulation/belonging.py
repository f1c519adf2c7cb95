"""What one simulated node knows of who belongs to its ring: signed evictions and plans, heard of from others.

The documents, their bulletins, the plan's keeper and the survivors' answers are the real ones; a connection is only the
right to be answered.  Each node judges certificates by the list and the clock that it has itself.
"""

from collections.abc import Callable
from random import Random
from types import SimpleNamespace
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.protocols import amp
from twisted.python.failure import Failure

from p2pchat.chord.service import ChordService
from p2pchat.chord.status import NodeState
from p2pchat.errors import P2PChatError, TryElsewhere
from p2pchat.identifiers import Identifier
from p2pchat.replication.service import ReplicationService
from p2pchat.server.commands import AskClock
from p2pchat.server.eviction import ASK_PAUSE_SECONDS, LAST_WORDS_SECONDS
from p2pchat.server.leaving import DrainedNodes
from p2pchat.server.operations import OperationsLocator, SurvivorLocator
from p2pchat.server.plan import PlanKeeper
from p2pchat.server.survey import Survey, Survivor, order_reader
from p2pchat.simulation.authority import SimulatedAuthority
from p2pchat.simulation.clock import NodeClock
from p2pchat.wire.bulletins import AskBulletin, BulletinLocator, Bulletins, Kind
from p2pchat.wire.connection import Call, Link
from p2pchat.wire.evictions import EvictionList
from p2pchat.wire.locators import Locators

GREET_SECONDS = 1.5
"""About so often a node connects anew with some other one, and both hear each other's numbers."""


class Wire:
    """Stands for a link with one node: what `wire.connection.call` needs of it."""

    def __init__(self, call: Call, node: Identifier, usable: Callable[[], bool]) -> None:
        self._call, self._node, self._usable = call, node, usable

    @property
    def usable(self) -> bool:
        return self._usable()

    async def ask(self, command: type[amp.Command], arguments: dict[str, Any], seconds: float) -> amp.AmpBox:
        """A call, its answer still in a box."""
        answer = await self._call(self._node, command, timeout=seconds, **arguments)
        box: amp.AmpBox = command.makeResponse(answer, None)
        return box


class ClockLocator(amp.CommandLocator):
    """Says what time it is here."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now

    @AskClock.responder
    def ask_clock(self) -> dict[str, int]:
        return {"now": int(self._now() * 1000)}


class Belonging:
    """One life's part in this.

    Args:
        files: what outlives the node's program; written at once.
        now: seconds since 1970 by this machine's own clock.
        learned: told of the generation of each plan that this node heard of.
        ended: told when this node has heard that it is evicted, and has told others.
    """

    def __init__(
        self,
        me: Identifier,
        authority: SimulatedAuthority,
        files: dict[str, bytes],
        service: ReplicationService,
        call: Call,
        clock: NodeClock,
        chance: Random,
        now: Callable[[], float],
        slots: int,
        replicas: int,
        learned: Callable[[int], None],
        ended: Callable[[], None],
    ) -> None:
        self.service = service
        self._me, self._authority, self._call, self._clock = me, authority, call, clock
        self._chance, self._now, self._learned, self._ended = chance, now, learned, ended
        self._wires: dict[Identifier, Link] = {}
        self._next_look = 0.0
        self._failed: list[Failure] = []
        self.evictions = EvictionList(lambda: authority.root, now, lambda kept: files.update(evictions=kept))
        self.evictions.load(files.get("evictions", b""), "evictions")
        self.bulletins = Bulletins(clock, self.evictions)
        self.plan = PlanKeeper(
            authority.root,
            now,
            self.evictions.evicts,
            slots,
            service.succession,
            lambda kept: files.update(plan=kept),
        )
        self.plan.load(files.get("plan", b""))
        self.bulletins.keep(Kind.PLAN, self.plan)
        # Chord's part in this is to know everybody: a node table holds whoever was ever heard of.
        table = SimpleNamespace(states=lambda: dict.fromkeys(self.known(), NodeState.READY))
        chord = cast(ChordService, SimpleNamespace(me=me, state=NodeState.READY, table=table))
        order = order_reader(authority.root, now, self.evictions.evicts)
        survivor = Survivor(chord, DrainedNodes(b"", lambda _: None), self.bulletins, service.succession, order)
        self.survey = Survey(chord, self._asked, survivor, self.bulletins, slots, replicas)
        self._operations = Locators([OperationsLocator(authority.root.ring, self.bulletins, self.survey, lambda: 0)])
        self._survivor, self._time = SurvivorLocator(survivor), ClockLocator(now)
        self._greeting = LoopingCall(self._greet)
        self._greeting.clock = clock

    def start(self) -> None:
        """Begin to hear of news, and to tell of them."""
        self.bulletins.on_news.append(self._news)
        self._greeting.start(GREET_SECONDS * self._chance.uniform(0.7, 1.3)).addErrback(self._failed.append)
        self.bulletins.tell([self.wire(node) for node in self._others()])

    @property
    def is_evicted(self) -> bool:
        """Whether this node knows that it does not belong to the ring any more."""
        return self.evictions.evicts(self._authority.certificate(self._me))

    def admits(self, node: Identifier) -> bool:
        """Whether this node takes another one for one of its ring."""
        return not self.is_out(node) and self._authority.accepts(node, self._now())

    def is_out(self, node: Identifier) -> bool:
        """Whether this node has heard that another one is evicted."""
        return self.evictions.evicts(self._authority.certificate(node))

    def known(self) -> list[Identifier]:
        """Whom a node table would hold: everybody except those who are known to be evicted."""
        return [node for node in self._authority.nodes() if not self.is_out(node)]

    def locators(self, caller: Identifier) -> list[amp.CommandLocator]:
        """What answers another node about this."""
        return [BulletinLocator(self.bulletins, self.wire(caller)), self._survivor, self._time]

    def wire(self, node: Identifier) -> Link:
        """The link with a node."""
        if node not in self._wires:
            self._wires[node] = cast(Link, Wire(self._call, node, lambda: self.admits(node)))
        return self._wires[node]

    async def operate(self, command: type[amp.Command], **arguments: Any) -> dict[str, Any]:
        """What an operator asks this node, as over its socket."""
        found = self._operations.find(command.commandName)
        if found is None:
            raise TryElsewhere(f"{command.__name__} is not known here.")
        answer: Any = found[1](**arguments)
        return dict(answer if isinstance(answer, dict) else await answer)

    async def _asked(self, node: Identifier, command: type[amp.Command], /, **arguments: Any) -> dict[str, Any]:
        """As over links, of which a node has one with itself as well."""
        if node != self._me:
            return await self._call(node, command, **arguments)
        found = Locators(self.locators(node)).find(command.commandName)
        if found is None:
            raise TryElsewhere(f"{command.__name__} is not known here.")
        del arguments["timeout"]
        answer: Any = found[1](**arguments)
        return dict(answer if isinstance(answer, dict) else await answer)

    # -- news

    def _others(self) -> list[Identifier]:
        return [node for node in self.known() if node != self._me]

    def _greet(self) -> None:
        if others := self._others():
            self.bulletins.tell([self.wire(self._chance.choice(others))])

    def _news(self, kind: Kind) -> None:
        if kind is Kind.EVICTIONS and self.is_evicted:
            self._clock.callLater(LAST_WORDS_SECONDS, self._ended)
        if kind is Kind.PLAN:
            self._learned(self.plan.number)
        self.bulletins.tell([self.wire(node) for node in self._others()])

    def refused(self, by: Identifier) -> None:
        """A node does not answer us: if that is because we were evicted, its list proves it."""
        if self._clock.seconds() >= self._next_look and not self.is_evicted:
            self._next_look = self._clock.seconds() + ASK_PAUSE_SECONDS
            Deferred.fromCoroutine(self.bulletins.fetch(self.wire(by), Kind.EVICTIONS)).addErrback(
                lambda why: why.trap(P2PChatError)
            )


PUBLIC = (AskBulletin,)
"""What a node answers to everybody, as its clients port does."""
