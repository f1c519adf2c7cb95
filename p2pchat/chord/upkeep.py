"""Carries out what the ring's state machine asks for: questions to neighbours and steps of lookups."""

from bisect import bisect_left
from collections.abc import Callable

from twisted.logger import Logger

from p2pchat.chord import commands
from p2pchat.chord.ring import (
    Action,
    Again,
    Alive,
    Answered,
    Ask,
    Check,
    Event,
    Failed,
    Pended,
    Ring,
    Stabilized,
    Tell,
    View,
)
from p2pchat.chord.routing import Step
from p2pchat.chord.spreading import Spreading
from p2pchat.chord.status import NodeState
from p2pchat.chord.table import LIVE, NodeTable
from p2pchat.chord.watch import Spawn, Watch
from p2pchat.chord.weighing import Weighing
from p2pchat.errors import TryElsewhere
from p2pchat.identifiers import CIRCLE, Identifier, name

LEAVE_SECONDS = 2.0


class Upkeep:
    """Feeds events into the state machine and its actions into the network.

    After each answer the world has changed: the machine gets the fact, never a conclusion.

    Args:
        named: is told of nodes that lookups name.
        again: stabilize again after a short pause.
        changed: our neighbours changed, or none is left.
    """

    _log = Logger()

    def __init__(
        self,
        ring: Ring,
        table: NodeTable,
        watch: Watch,
        spreading: Spreading,
        weighing: Weighing,
        spawn: Spawn,
        named: Callable[[Identifier], None],
        again: Callable[[], None],
        changed: Callable[[], None],
    ) -> None:
        self._ring, self._table, self._watch = ring, table, watch
        self._spreading, self._weighing = spreading, weighing
        self._spawn, self._named, self._again, self._changed = spawn, named, again, changed
        self.rounds = self.failures = 0
        """Rounds of stabilization that were begun, and neighbours that did not answer in one."""
        self.confirmed_at: float | None = None
        """When a successor last said who stands around it, in seconds of the clock."""
        self._told: tuple[Identifier, View | None] = (ring.me, None)  # by which node, and its view, the last time

    def feed(self, event: Event) -> None:
        """One step of the state machine, and all that follows from it."""
        before = (self._ring.predecessor, self._ring.successors)
        self.rounds += isinstance(event, Stabilized)
        self.failures += isinstance(event, Failed)
        if isinstance(event, Answered):
            self.confirmed_at = self._watch.clock.seconds()
        for action in self._ring.receive(event):
            self._carry_out(action)
        if (self._ring.predecessor, self._ring.successors) != before:
            self._changed()

    @property
    def settled(self) -> bool:
        """Whether our neighbours are those that the node table has."""
        ring = self._ring
        live = self._table.live()
        around = self._table.first_live(Identifier((ring.me + 1) % CIRCLE), ring.length)
        before = live[bisect_left(live, ring.me) - 1]
        return ring.predecessor == before and ring.successors == tuple(around)

    def rank(self, node: Identifier) -> int:
        """How many live nodes stand between us and a node."""
        return self._table.position(self._ring.me, node) % max(1, len(self._table.live()))

    def _carry_out(self, action: Action) -> None:
        match action:
            case Ask(node):
                self._spawn(self._ask(node)).addCallback(lambda event: self.feed(event or Pended(node)))
            case Check(node):
                self._spawn(self._check(node)).addCallback(lambda event: self.feed(event or Failed(node)))
            case Tell(node):
                self._spawn(self._tell(node))
            case Again():
                self._again()
            case _:
                # Without a successor the next tick looks for one, in the node table and at the seeds.
                self._changed()

    async def _ask(self, node: Identifier) -> Event:
        try:
            if self._table.state(node) is NodeState.DEAD:
                raise TryElsewhere("The node did not answer a moment ago.")
            view = await self.ask_view(node)
            return Pended(node) if view is None else Answered(node, view)
        except TryElsewhere:
            known = self._table.state(node)
            found = known if known is NodeState.DEAD else await self._watch.probe(node)
            # A node that only others reach can be nobody's successor here; the ring is a hint, so that costs time only.
            return Pended(node) if found is NodeState.READY else Failed(node)

    async def ask_view(self, node: Identifier) -> View | None:
        """A node's view; None: pending.  TryElsewhere: it is not on the ring."""
        told, known = self._told
        answer = await self._watch.call(node, commands.AskView, known=known.hash() if told == node and known else None)
        if answer["state"] != NodeState.READY:
            raise TryElsewhere("The node is not on the ring.")
        self._watch.saw(node, NodeState.READY)
        if answer["pending"]:
            return None
        if answer["same"] and told == node and known is not None:
            return known
        if answer["successors"] is None:
            raise TryElsewhere("The node named no successors.")
        view = View(answer["predecessor"], tuple(answer["successors"]), answer["padding"] or 0)
        named = [*view.successors, *([] if view.predecessor is None else [view.predecessor])]
        await self._spreading.fetch(node, [each for each in dict.fromkeys(named) if each not in self._table])
        self._told = node, view
        return view

    async def _known(self, partner: Identifier, named: list[Identifier]) -> list[Identifier]:
        """These nodes as far as we have records of them; what lacks is fetched from who named them."""
        for _ in range(2):  # a full table may forget some while we fetch others
            await self._spreading.fetch(partner, [each for each in named if each not in self._table])
        return [each for each in named if each in self._table]

    async def _check(self, node: Identifier) -> Event:
        return Alive(node) if await self._watch.probe(node) in LIVE else Failed(node)

    async def _tell(self, node: Identifier) -> None:
        try:
            await self._watch.call(node, commands.Notify)
        except TryElsewhere:
            self._watch.probe_soon(node)

    async def answers(self, node: Identifier) -> bool:
        """Whether a node answers a short question; who does not is under suspicion."""
        try:
            await self._watch.ping(node)
        except TryElsewhere:
            if self._table.state(node) in LIVE:
                self._watch.saw(node, NodeState.SUSPECTED)
                self._watch.probe_soon(node)
            return False
        return True

    def told_of_leaving(self, most: int) -> list[Identifier]:
        """Whom we tell that we leave; the others hear it from them."""
        before = [] if self._ring.predecessor is None else [self._ring.predecessor]
        following = Identifier((self._ring.me + 1) % CIRCLE)
        around = self._table.first_live(following, self._ring.length if self._weighing.is_big else most)
        return [node for node in dict.fromkeys([*before, *around]) if node != self._ring.me]

    async def say_goodbye(self, node: Identifier) -> None:
        """Tell a node that we leave, if it can be told."""
        try:
            await self._watch.ask(node, commands.Leave, LEAVE_SECONDS)
        except TryElsewhere as error:
            self._log.debug("{node} was not told that we leave: {error}", node=name(node), error=error)

    async def ask_step(self, node: Identifier, point: Identifier, without: tuple[Identifier, ...]) -> Step:
        """Ask a node for the next step of a lookup; TryElsewhere where it does not answer."""
        try:
            answer = await self._watch.call(node, commands.NextHop, point=point, without=list(without), short=True)
        except TryElsewhere:
            self._watch.probe_soon(node)
            raise
        if answer["nodes"] is None:
            nodes = self._spreading.learn(answer["records"], {})
        else:
            nodes = await self._known(node, answer["nodes"])
        for each in nodes:
            self._named(each)
        if answer["owned"] and not nodes:
            raise TryElsewhere("The node named an owner without a record of it.")
        return Step(answer["owned"], tuple(nodes))
