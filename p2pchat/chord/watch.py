"""Finds out who lives: pings, suspicion, and two witnesses before a node is called dead."""

from collections.abc import Callable
from random import Random
from typing import Any, TypeAlias

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.protocols import amp

from p2pchat.chord.commands import Ping, ProbeNode
from p2pchat.chord.detector import Detector
from p2pchat.chord.status import NodeState
from p2pchat.chord.table import LIVE, NodeTable
from p2pchat.crypto.noderecord import NodeRecord
from p2pchat.errors import Busy, InternalError, Misbehaved, TryElsewhere
from p2pchat.identifiers import CIRCLE, Identifier
from p2pchat.wire.connection import Call

SECOND_TRY_SECONDS = 1.0
"""A suspected node has at least so long to answer the second question."""
WITNESSES = 2
WITNESS_SECONDS = 1.3
TALKED_SECONDS = 5.0
"""In a big ring witnesses are nodes that gave word so recently: there is a link to them, and they live."""
HEARD_SECONDS = 0.7
"""Who asked us something so recently is not asked whether it lives."""
WATCHED_SUCCESSORS = 8
"""Successors that are asked in each tick by a node of a small ring; of those behind them one in each tick."""
CLOSE_NODES = 32
"""In bigger rings only the first successor is asked in each tick, and one of the others in each FAR_TICKS."""
CLOSE = 8
"""In a big ring a node finds out itself how so many nodes before it and behind it are; of others it hears."""
MANY_NODES = 64
FAR_TICKS = 3
BIG_FAR_TICKS = 10
"""The same in a big ring, where the first successor and the predecessor are looked after by guard.py."""
AT_ONCE = 32
"""Probes under way; others wait in a queue."""
SAID = frozenset({NodeState.JOINING, NodeState.READY, NodeState.LEAVING})
"""What a node may say of itself."""

Changed: TypeAlias = Callable[[Identifier, NodeState | None, NodeState], None]
Spawn: TypeAlias = Callable[[Any], Deferred[Any]]
"""Runs a coroutine by itself; gives what it returns, or None where it failed, which is logged."""


class Watch:
    """What we find out about other nodes' lives goes into the node table, and to `changed` (node, before, now)."""

    def __init__(
        self,
        me: Identifier,
        table: NodeTable,
        call: Call,
        clock: IReactorTime,
        chance: Random,
        changed: Changed,
        spawn: Spawn,
    ) -> None:
        self.detector = Detector()
        self._me, self._table, self._call, self._clock, self._chance = me, table, call, clock, chance
        self.clock = clock
        self._changed, self._spawn = changed, spawn
        self._waiting: dict[Identifier, list[Deferred[NodeState]]] = {}  # of the probes under way
        self._queue: dict[Identifier, None] = {}
        self._heard: dict[Identifier, float] = {}  # when a node last asked us something
        self._word: dict[Identifier, float] = {}  # when it last asked us or answered
        self._said_dead: set[Identifier] = set()  # another node found them dead, and we are asking them

    async def call(self, node: Identifier, command: type[amp.Command], **arguments: Any) -> dict[str, Any]:
        """Ask a quick question, with the time limit that this node's earlier answers give.

        Raises:
            TryElsewhere: no answer, or none that can be read.
        """
        return await self.ask(node, command, self.detector.limit(node), **arguments)

    async def ask(
        self, node: Identifier, command: type[amp.Command], seconds: float, **arguments: Any
    ) -> dict[str, Any]:
        """The same with a time limit of the caller's."""
        began = self._clock.seconds()
        try:
            answer = await self._call(node, command, timeout=seconds, **arguments)
        except (Busy, InternalError):
            raise
        except TryElsewhere:
            self.detector.missed(node)
            raise
        except Misbehaved as error:
            raise TryElsewhere(str(error)) from error
        self._answered(node, began)
        return answer

    async def ping(self, node: Identifier, least: float = 0.0) -> NodeState:
        """What a node says of itself; TryElsewhere if nothing.  `least`: seconds that it has at least."""
        limit = max(least, self.detector.limit(node))
        began = self._clock.seconds()
        try:
            answer = await self._call(node, Ping, timeout=limit)
        except (Busy, InternalError):
            return self._table.state(node) or NodeState.READY
        except TryElsewhere:
            self.detector.missed(node)
            raise
        except Misbehaved as error:
            raise TryElsewhere(str(error)) from error
        self._answered(node, began)
        said = answer.get("state") or NodeState.READY
        if said not in SAID:
            raise TryElsewhere("The node says that it is in no state that exists.")
        return NodeState(said)

    def _answered(self, node: Identifier, began: float) -> None:
        now = self._clock.seconds()
        self.detector.answered(node, now - began)
        self._word[node] = now

    def saw(self, node: Identifier, state: NodeState) -> None:
        """A node told us of its state, or we found it dead."""
        before = self._table.state(node)
        if self._table.set_state(node, state, self._clock.seconds()):
            if state is NodeState.DEAD:
                self.detector.forget(node)
                self._heard.pop(node, None)
                self._word.pop(node, None)
            self._changed(node, before, state)

    def heard(self, node: Identifier) -> None:
        """A node asked us something, so it lives."""
        self._heard[node] = self._word[node] = self._clock.seconds()

    def last_word(self, node: Identifier) -> float:
        """Seconds of the clock when a node last asked us something, or answered us."""
        return self._word.get(node, float("-inf"))

    def hear_dead(self, node: Identifier) -> None:
        """Another node found this one dead; if it does not answer us either, that is witness enough."""
        if self._table.state(node) in LIVE:
            self._said_dead.add(node)

    def is_silent(self, node: Identifier) -> bool:
        """Whether a node asked us nothing of late; so of two that watch each other only one has to ask."""
        return self._clock.seconds() - self._heard.get(node, -HEARD_SECONDS) >= HEARD_SECONDS

    def around(self, ticks: int, predecessor: Identifier | None, length: int, big: bool = False) -> list[Identifier]:
        """Who is asked in this tick whether it lives: the nodes around us, those further away in turn."""
        live = self._table.first_live(Identifier((self._me + 1) % CIRCLE), length)
        if big:
            turn, waits = divmod(ticks, BIG_FAR_TICKS)
            close = live[1:CLOSE]
            return [] if waits or not close else [close[turn % len(close)]]
        small = len(self._table.live()) <= CLOSE_NODES
        near, far = live[: WATCHED_SUCCESSORS if small else 1], live[WATCHED_SUCCESSORS if small else 1 :]
        if far and (small or ticks % FAR_TICKS == 0):
            near.append(far[(ticks if small else ticks // FAR_TICKS) % len(far)])
        if predecessor is not None:
            near.append(predecessor)
        return [node for node in dict.fromkeys(near) if node != self._me]

    def expel(self, is_out: Callable[[NodeRecord], bool]) -> None:
        """Forget nodes that are out for good: dead from now on, whatever they answer."""
        for node in list(self._table.states()):
            record = self._table.heard(node)
            if node != self._me and record is not None and is_out(record):
                self.saw(node, NodeState.DEAD)
                self._table.forget(node)

    def probe_soon(self, node: Identifier) -> None:
        """See whether a node lives, as soon as there is room."""
        if node == self._me or node in self._queue or node in self._waiting:
            return
        self._queue[node] = None
        self._go_on()

    def _go_on(self) -> None:
        while self._queue and len(self._waiting) < AT_ONCE:
            node = next(iter(self._queue))
            del self._queue[node]
            self.probe(node)

    def probe(self, node: Identifier) -> Deferred[NodeState]:
        """See whether a node lives; SUSPECTED: not from here, but a witness reaches it."""
        waiter: Deferred[NodeState] = Deferred()
        if node in self._waiting:
            self._waiting[node].append(waiter)
        else:
            self._waiting[node] = [waiter]
            # By callback and not in a `finally`: that would also run, and wake others, when an abandoned coroutine is
            # collected as garbage.
            self._spawn(self._probe(node)).addCallback(self._found, node)
        return waiter

    def _found(self, state: NodeState | None, node: Identifier) -> None:
        self._said_dead.discard(node)
        for waiter in self._waiting.pop(node):
            waiter.callback(NodeState.DEAD if state is None else state)
        self._go_on()

    async def _probe(self, node: Identifier) -> NodeState:
        try:
            state = await self.ping(node)
        except TryElsewhere:
            state = await self._suspect(node) if self._table.state(node) in LIVE else NodeState.DEAD
        self.saw(node, state)
        if state is NodeState.DEAD:
            self._table.missed(node, self._clock.seconds())
        return state

    async def _suspect(self, node: Identifier) -> NodeState:
        """Ask again, and two others; dead is who answers none of us."""
        self.saw(node, NodeState.SUSPECTED)
        others = [each for each in self._table.live() if each not in (node, self._me)]
        since = self._clock.seconds() - TALKED_SECONDS
        talked = [each for each in others if self.last_word(each) > since] if len(others) > MANY_NODES else []
        others = talked if len(talked) >= WITNESSES else others
        wanted = 0 if node in self._said_dead else WITNESSES
        witnesses = self._chance.sample(others, min(wanted, len(others)))
        questions = [self._second_try(node), *(self._witness(each, node) for each in witnesses)]
        found = await gatherResults([Deferred.fromCoroutine(question) for question in questions], consumeErrors=True)
        states: list[NodeState] = list(found)
        if states[0] is not NodeState.DEAD:
            return states[0]
        return NodeState.SUSPECTED if NodeState.READY in states else NodeState.DEAD

    async def _second_try(self, node: Identifier) -> NodeState:
        try:
            return await self.ping(node, SECOND_TRY_SECONDS)
        except TryElsewhere:
            return NodeState.DEAD

    async def _witness(self, witness: Identifier, node: Identifier) -> NodeState:
        try:
            answer = await self._call(witness, ProbeNode, timeout=WITNESS_SECONDS, node=node)
        except (TryElsewhere, Misbehaved):
            return NodeState.DEAD
        return NodeState.READY if answer["alive"] else NodeState.DEAD

    async def testify(self, node: Identifier) -> bool:
        """Whether a node answers us, for somebody who cannot reach it."""
        if node == self._me:
            return True
        try:
            state = await self.ping(node)
        except TryElsewhere:
            self.probe_soon(node)
            return False
        self.saw(node, state)
        return True
