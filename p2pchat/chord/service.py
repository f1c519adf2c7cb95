"""Keeps our node on the ring: the parts that do, put together, and what the rest of the node asks about membership."""

from collections.abc import Callable, Coroutine, Iterable, Sequence
from random import Random
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from p2pchat.chord.announcing import Announcing
from p2pchat.chord.guard import ROW, Guard
from p2pchat.chord.joining import REGREET_SECONDS, Greet, Joining, Seeds, addresses
from p2pchat.chord.lookup import Lookups
from p2pchat.chord.pace import BIG, SMALL, Pace
from p2pchat.chord.ring import (
    SUCCESSORS,
    Discovered,
    Failed,
    Founded,
    Joined,
    Left,
    Notified,
    Ring,
    Stabilized,
    View,
)
from p2pchat.chord.rounds import Rounds
from p2pchat.chord.routing import Step
from p2pchat.chord.spreading import Spreading
from p2pchat.chord.status import Found, NodeState, NodeStatus, RingStatus
from p2pchat.chord.table import LIVE, NodeTable
from p2pchat.chord.upkeep import Upkeep
from p2pchat.chord.watch import Watch
from p2pchat.chord.weighing import Weighing
from p2pchat.crypto.noderecord import NodeRecord
from p2pchat.identifiers import CIRCLE, Address, Identifier, between, name
from p2pchat.wire.connection import Call

RIPPLE_SECONDS = 0.15
"""In a big ring a change so many nodes away needs so much longer to show in our successor's list."""
FORGET_TICKS = 600
MAX_TOLD = 64
"""Nodes that are told when we leave; the others hear it from them."""


class ChordService(Service):
    """Keeps our node on the ring while it runs.

    The caller gives it the links' news: `met` for each node that proved itself in a HELLO, `link_lost` when its link
    broke.  In return `record` tells the dialer where a node is.
    """

    _log = Logger()

    def __init__(
        self,
        me: NodeRecord,
        table: NodeTable,
        call: Call,
        greet: Greet,
        clock: IReactorTime,
        chance: Random,
        founder: bool = False,
        length: int = SUCCESSORS,
    ) -> None:
        """A node that is not on the ring yet.

        Args:
            me: our own record.
            table: the node table, loaded from disk where there was one.
            founder: may start a ring of one at once (the first node of all); one with a loaded table may after a while.
            length: r, entries of the successor list.
        """
        self.me, self.table, table.center = me.identifier, table, me.identifier
        self.on_change: list[Callable[[], None]] = []
        """Called after each change of who lives, or of our neighbours."""
        self.state = NodeState.JOINING
        self._own, self._clock, self._chance = me, clock, chance
        self._founder, self._returning = founder, len(table) > (me.identifier in table)
        self._ring = Ring(self.me, length)
        self._rounds = Rounds(
            clock, chance, self._pace, self._is_ready, self._is_settled, self._look, self._stabilize, self._spread
        )
        self._watch = Watch(self.me, table, call, clock, chance, self._life_changed, self._spawn)
        self._weighing = Weighing(self.me, table, clock, chance, self._watch.probe_soon, self._watch.saw)
        self._spreading = Spreading(
            self.me, table, call, clock, chance, self._weighing, self._spawn, self._rounds.spread_soon
        )
        self._announcing = Announcing(self.me, table, self._watch, self._spreading, self._weighing, clock, self._spawn)
        self.announced = self._announcing.hear
        self.fetched, self.likened = self._spreading.fetched, self._spreading.likened
        self.mended = self._spreading.mended
        self._guard = Guard(self.me, table, self._watch, self._is_guarding, clock)
        self._seeds = Seeds(greet, self.met, clock)
        self._upkeep = Upkeep(
            self._ring, table, self._watch, self._spreading, self._weighing,
            self._spawn, self._named, self._rounds.again, self._moved,
        )  # fmt: skip
        self._lookups = Lookups(self._ring, table, self._upkeep.ask_step, self._upkeep.answers, clock, chance)
        self._joining = Joining(
            self.me, table, self._watch, self._seeds, clock, chance, self._spawn,
            self._upkeep.ask_step, self._upkeep.ask_view, self._joined, self._found,
        )  # fmt: skip
        self.expel, self.found = self._watch.expel, self._joining.begin_anew
        self.upkeep, self.lookups = self._upkeep, self._lookups
        self._running: set[Deferred[Any]] = set()
        table.learn(me, clock.seconds(), NodeState.JOINING, proven=True)
        table.set_state(self.me, NodeState.JOINING, clock.seconds())

    # -- life of the service

    def startService(self) -> None:
        super().startService()
        self._rounds.start()
        self._guard.start()

    def stopService(self) -> None:
        super().stopService()
        self._rounds.stop()
        self._guard.stop()
        for running in list(self._running):
            running.cancel()

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> "Deferred[Any]":
        """Run a coroutine until it ends or the service does; what it raises is logged, and None comes instead."""
        if not self.running:
            work.close()
            return Deferred()
        running = Deferred.fromCoroutine(work)
        self._running.add(running)
        return running.addBoth(self._ended, running)

    def _ended(self, result: Any, running: "Deferred[Any]") -> Any:
        self._running.discard(running)
        failed = isinstance(result, Failure)
        if failed and self.running and result.check(CancelledError) is None:
            self._log.failure("upkeep of the ring failed", result)
        return None if failed else result

    async def join(self, seeds: Iterable[Address] = ()) -> None:
        """Become a member of the ring; returns when we are one, and tries until then.  The service must run."""
        for seed in seeds:
            self._seeds.add(seed)
        await self._spawn(self._joining.run(self._founder, self._returning))

    def hear(self, address: Address) -> None:
        """An address where a node of our ring may be (multicast, another seed): greeted soon."""
        if address != self._own.ring_address and self._seeds.add(address):
            self._joining.wake()
            if self.state is NodeState.READY:
                self._spawn(self._greet_seeds())

    async def leave(self) -> None:
        """Tell the others that we leave, and answer as leaving from now on."""
        told = self._upkeep.told_of_leaving(MAX_TOLD)
        self.state = NodeState.LEAVING
        self.table.set_state(self.me, NodeState.LEAVING, self._clock.seconds())
        self._upkeep.feed(Left())
        for goodbye in [self._spawn(self._upkeep.say_goodbye(node)) for node in told]:
            await goodbye
        self._notify_change()

    def readdress(self, me: NodeRecord) -> None:
        """Our own record has new addresses (and a higher sequence): spread it."""
        self._own = me
        self.table.learn(me, self._clock.seconds(), proven=True)
        self._rounds.spread_soon()

    def met(self, record: NodeRecord) -> None:
        """This node proved itself to us on a link just now (the record is verified)."""
        if record.identifier != self.me:
            self.table.learn(record, self._clock.seconds(), NodeState.JOINING, proven=True)
            self.seen(record.identifier)

    def seen(self, identifier: Identifier) -> None:
        """A node asked us something: if we do not take it for live, see whether it is."""
        self._watch.heard(identifier)
        self._named(identifier)

    def _named(self, identifier: Identifier) -> None:
        """A lookup led to this node."""
        if self.table.state(identifier) not in LIVE:
            self._watch.probe_soon(identifier)

    def link_lost(self, identifier: Identifier) -> None:
        """The link to this node broke: it is asked at once whether it lives."""
        if self.table.state(identifier) in LIVE:
            self._watch.probe_soon(identifier)

    # -- what the rest of the node asks

    def record(self, identifier: Identifier) -> NodeRecord | None:
        """The verified record of a node, where we know one."""
        return self.table.record(identifier)

    def live(self) -> list[Identifier]:
        """All nodes that we believe alive and on the ring, we ourselves among them once joined; sorted."""
        return list(self.table.live())

    def is_live(self, identifier: Identifier) -> bool:
        """Whether we believe that this node is alive and on the ring."""
        return self.table.state(identifier) in LIVE

    def wanted(self, point: Identifier, count: int) -> list[Identifier]:
        """The first `count` live nodes clockwise from `point` (one exactly there included); fewer in a small ring."""
        return self.table.first_live(point, count)

    async def find_owner(self, point: Identifier) -> Found:
        """Ask the ring who owns `point`; LookupFailed while it changes too much, retry in a few seconds."""
        return await self._lookups.find_owner(point)

    def status(self) -> RingStatus:
        """Everything that we know about the ring."""
        states = sorted(self.table.states().items())
        nodes = [(node, state, self.table.heard(node)) for node, state in states]
        return RingStatus(
            self.me,
            self.state,
            self._ring.predecessor,
            tuple(node for node in self._ring.successors if self.is_live(node)),
            self._lookups.fingers(),
            tuple(NodeStatus(node, record, state) for node, state, record in nodes if record is not None),
        )

    # -- what other nodes ask (through the locator)

    def view(self) -> View | None:
        """Our place on the ring; None: pending, or not on the ring."""
        return self._ring.view()

    def notified(self, candidate: Identifier) -> None:
        """A node believes that it precedes us."""
        self.seen(candidate)
        self._upkeep.feed(Notified(candidate))

    def next_step(self, point: Identifier, without: Sequence[Identifier] = ()) -> Step:
        """One step of a lookup over none of the nodes `without`; TryElsewhere if we are not on the ring."""
        for node in without:
            self.link_lost(node)
        return self._lookups.next_step(point, without)

    def compared(
        self, partner: Identifier, incarnation: int, until: int, entries: bytes, heard_incarnation: int, heard: int
    ) -> dict[str, Any]:
        """A node compares its node table with ours."""
        self._spawn(self._spreading.hear(partner, incarnation, until, entries))
        return self._spreading.answer(partner, heard_incarnation, heard)

    def records(self, nodes: Iterable[Identifier]) -> list[bytes]:
        """The records of these nodes, encoded, as far as we have them."""
        records = (self.table.heard(node) for node in nodes)
        return [record.encode() for record in records if record is not None]

    async def testify(self, node: Identifier) -> bool:
        """Whether a node answers us."""
        return await self._watch.testify(node)

    def left(self, node: Identifier) -> None:
        """A node says that it leaves."""
        self._watch.saw(node, NodeState.LEAVING)

    # -- what changes

    def _joined(self, contact: Identifier, view: View) -> bool:
        self._upkeep.feed(Joined(contact, view))
        if self._ring.member:
            self._become_ready()
        return self._ring.member

    def _found(self) -> None:
        self._upkeep.feed(Founded())
        self._become_ready()

    def _become_ready(self) -> None:
        self.state = NodeState.READY
        self.table.set_state(self.me, NodeState.READY, self._clock.seconds())
        self._log.info("on the ring: {nodes} nodes known", nodes=len(self.table))
        self._rounds.disturbed()
        self._notify_change()

    def _life_changed(self, node: Identifier, before: NodeState | None, now: NodeState) -> None:
        self._log.info("node {node} is {now}", node=name(node), now=now.value)
        near = self._ring.is_near(node)
        if abs(self.table.position(self.me, node)) <= ROW:
            self._guard.changed()
        if now in LIVE and before not in LIVE:
            self._joining.wake()
            self._upkeep.feed(Discovered(node))
        elif now not in LIVE:
            self._lookups.drop(node)
            self._spreading.forget(node)
            self._upkeep.feed(Failed(node))
        if (now in LIVE) != (before in LIVE):
            self._announcing.changed(node, before)
            if near:
                self._rounds.disturbed(self._upkeep.rank(node) * RIPPLE_SECONDS if self._weighing.is_big else 0.0)
        self._notify_change()

    def _moved(self) -> None:
        if not self._is_settled():
            self._rounds.disturbed()
        self._notify_change()

    def _notify_change(self) -> None:
        for told in list(self.on_change):
            try:
                told()
            except Exception:
                self._log.failure("somebody could not take a change of the ring")

    # -- what is looked after, when `Rounds` says so

    def _pace(self) -> Pace:
        return BIG if self._weighing.is_big else SMALL

    def _is_ready(self) -> bool:
        return self.state is NodeState.READY

    def _is_settled(self) -> bool:
        return self._weighing.is_big and self._upkeep.settled

    def _is_guarding(self) -> bool:
        return self._is_ready() and self._weighing.is_big

    def _stabilize(self) -> None:
        nearest = next(iter(self.table.first_live(Identifier((self.me + 1) % CIRCLE), 1)), None)
        if nearest is not None and between(self.me, nearest, self._ring.head):
            self._upkeep.feed(Discovered(nearest))
        self._upkeep.feed(Stabilized())

    def _look(self, ticks: int) -> None:
        now, pace = self._clock.seconds(), self._pace()
        if ticks % pace.due == 0:
            for node in [each for each in self.table.due(now) if each != self.me][: pace.due_at_once]:
                self._watch.probe_soon(node)
        if ticks % FORGET_TICKS == 0:
            self.table.forget_dead(now)
        if not self._is_ready():
            return
        predecessor, length = self._ring.predecessor, self._ring.length
        for node in self._watch.around(ticks, predecessor, length, self._weighing.is_big):
            if self._watch.is_silent(node):
                self._watch.probe_soon(node)
        if ticks % pace.spread == 0:
            self._rounds.spread_soon()
        if not self._ring.successors:
            self._spawn(self._greet_seeds())
        if ticks % pace.finger == 0 and (self.table.full or not self._weighing.is_big):
            self._spawn(self._lookups.fix_finger())
        if ticks % pace.self_lookup == 0:
            others = self._announcing.links() if self._weighing.is_big else self.table.live()
            self._spawn(self._lookups.look_up_ourselves([node for node in others if node != self.me]))

    def _spread(self) -> None:
        self._spreading.go_round(self._announcing.partners(self._ring.successors[:1]))

    async def _greet_seeds(self) -> None:
        await self._seeds.greet(addresses(self.table, self.table.live()), REGREET_SECONDS)
