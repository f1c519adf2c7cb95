"""Tells a big ring what became of one node: along a tree, so that each node hears it once.

The first live node behind it announces a change, to the whole circle; whoever hears it passes it on to the part of the
circle that it was given, through its fingers: so each node sends about log2(nodes) messages at most, one on average,
and always over the same links, whoever began.  A node that does not answer is stepped over.  Whom the tree misses hears
of it when it compares tables.
Source of the tree: El-Ansary et al., "Efficient Broadcast in Structured P2P Networks", IPTPS 2003.
"""

from bisect import bisect_left, bisect_right

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from p2pchat.chord.commands import POINT_BYTES, AnnounceNode
from p2pchat.chord.packing import pack, unpack
from p2pchat.chord.spreading import Spreading
from p2pchat.chord.status import NodeState
from p2pchat.chord.table import LIVE, Hearsay, NodeTable
from p2pchat.chord.table import unpack as unpack_entries
from p2pchat.chord.watch import CLOSE, Spawn, Watch
from p2pchat.chord.weighing import Weighing
from p2pchat.crypto.noderecord import NodeRecord
from p2pchat.errors import Misbehaved, TryElsewhere
from p2pchat.identifiers import BITS, CIRCLE, Identifier, distance, name, to_bytes

ONCE_SECONDS = 30.0
"""The same news is passed on at most so often."""
MAX_WAITING = 64
MAX_PASSED = 4_096
"""News that we remember to have passed on."""
TRIES = 4
"""Nodes that one part of the circle is offered to."""


class Announcing:
    """What our node announces and passes on."""

    _log = Logger()

    def __init__(
        self,
        me: Identifier,
        table: NodeTable,
        watch: Watch,
        spreading: Spreading,
        weighing: Weighing,
        clock: IReactorTime,
        spawn: Spawn,
    ) -> None:
        self._me, self._table, self._watch = me, table, watch
        self._spreading, self._weighing = spreading, weighing
        self._clock, self._spawn = clock, spawn
        self._rounds = 0
        self._waiting: dict[Identifier, None] = {}  # close to us, and we were not the first behind them
        self._passed: dict[Hearsay, float] = {}  # when we passed something on, oldest first

    def changed(self, node: Identifier, before: NodeState | None) -> None:
        """We found out that a node lives, or does not any more: announce it if that is up to us."""
        if not self._weighing.is_big or self._weighing.believing:
            return
        self._waiting.pop(node, None)
        if self._is_ours(node) or before is NodeState.DEAD:
            self._announce(node, before is not NodeState.DEAD)
        elif abs(self._table.position(self._me, node)) <= CLOSE:
            self._waiting[node] = None
        self._announce_waiting()

    def _announce_waiting(self) -> None:
        """A row of nodes died: with the last one of it, those before it are ours to announce as well."""
        for node in [each for each in self._waiting if self._is_ours(each)]:
            del self._waiting[node]
            if node in self._table and self._table.state(node) not in LIVE:
                self._announce(node, with_record=False)
        while len(self._waiting) > MAX_WAITING:
            del self._waiting[next(iter(self._waiting))]

    def _is_ours(self, node: Identifier) -> bool:
        """Whether we are the first live node behind a node."""
        return self._table.first_live(Identifier((node + 1) % CIRCLE), 1) == [self._me]

    def _announce(self, node: Identifier, with_record: bool) -> None:
        (said,) = unpack_entries(self._table.packed(node))
        if self._is_new(said):
            self._pass_on(said, self._me, with_record and said.state is NodeState.READY)

    def hear(self, caller: Identifier, until: bytes, entry: bytes | None, record: bytes | None) -> bool:
        """A node announced something; it goes on to those between us and what begins with `until`.

        Returns:
            Whether we could read it: a record comes in the words of the caller's own, which may be another one now.
        """
        try:
            said = self._read(caller, record) if record is not None else unpack_entries(entry or b"")[0]
        except (Misbehaved, IndexError) as error:
            self._log.debug("news of {node} cannot be read: {error}", node=name(caller), error=error)
            return False
        point = Identifier(int.from_bytes(until, "big") << (BITS - 8 * POINT_BYTES))
        if said.identifier != self._me and self._is_new(said):
            self._spawn(self._hear(caller, point, said, record is not None))
        return True

    def _read(self, caller: Identifier, packed: bytes) -> Hearsay:
        """Take the record of a newcomer into the table; Misbehaved if it cannot be read, or is false."""
        like = self._table.heard(caller)
        if like is None:
            raise Misbehaved("The caller's own record is not known.")
        record = NodeRecord.parse(unpack(packed, like.encode()))
        said = Hearsay(record.identifier, record.sequence, NodeState.READY)
        if said not in self._passed and said.identifier != self._me:
            self._table.learn(record, self._clock.seconds())
            if self._table.record(record.identifier) is None:
                raise Misbehaved("The record is false.")
        return said

    async def _hear(self, caller: Identifier, until: Identifier, said: Hearsay, with_record: bool) -> None:
        node = said.identifier
        try:
            if self._table.unknown([said]):
                await self._spreading.fetch(caller, [node], {node: said.state})
            verified = self._table.record(node)
        except (TryElsewhere, Misbehaved) as error:
            self._log.info("news of {node} was not taken: {error}", node=name(caller), error=error)
            return
        if verified is None or verified.sequence != said.sequence:
            return  # or else somebody could make news without end out of sequences that do not exist
        self._pass_on(said, until, with_record)
        self._waiting.pop(node, None)
        if said.state is not NodeState.READY:
            self._watch.hear_dead(node)
        was_live = self._table.state(node) in LIVE
        self._weighing.weigh({node: said.state}, fresh=True)
        if was_live and said.state is not NodeState.READY and self._is_ours(node):
            self._spawn(self._contradict(node))

    async def _contradict(self, node: Identifier) -> None:
        """Others say that this node is gone, and we are next to it: if that is not so, tell them."""
        if await self._watch.probe(node) is NodeState.READY:
            self._announce(node, with_record=False)

    def _is_new(self, said: Hearsay) -> bool:
        """Whether we did not pass this on a moment ago; from now on we did."""
        now = self._clock.seconds()
        for passed, when in list(self._passed.items())[:2]:
            if now - when > ONCE_SECONDS or len(self._passed) >= MAX_PASSED:
                del self._passed[passed]
        if now - self._passed.pop(said, -ONCE_SECONDS) < ONCE_SECONDS:
            self._passed[said] = now
            return False
        self._passed[said] = now
        return True

    def _pass_on(self, said: Hearsay, until: Identifier, with_record: bool) -> None:
        packed, own, record = None, self._table.heard(self._me), self._table.heard(said.identifier)
        if with_record and own is not None and record is not None:
            packed = pack(record.encode(), own.encode())
        for part in self._parts([node for node in self._before(until) if node != said.identifier]):
            self._spawn(self._tell_first(part[:TRIES], said, until, packed))
            until = part[0]

    def links(self) -> list[Identifier]:
        """The nodes that we pass news on to, the furthest first."""
        return [part[0] for part in self._parts(self._before(self._me))]

    def partners(self, successors: tuple[Identifier, ...]) -> tuple[Identifier, ...]:
        """With whom tables are compared now: with our successor, in a big ring with one of `links` every other time."""
        self._rounds += 1
        others = self.links() if self._weighing.is_big else []
        turn, other = divmod(self._rounds, 2)
        return (others[turn % len(others)],) if others and other else successors

    def _parts(self, order: list[Identifier]) -> list[list[Identifier]]:
        """The live nodes behind us, cut before our fingers; the furthest part first."""
        parts, reach = list[list[Identifier]](), CIRCLE
        away = [distance(self._me, node) for node in order]
        while order:
            reach //= 2
            at = bisect_left(away, reach, 0, len(order))
            if at < len(order):
                parts.append(order[at:])
                order = order[:at]
        return parts

    def _before(self, until: Identifier) -> list[Identifier]:
        """The live nodes behind us, up to a point; all others for our own."""
        live = self._table.live()
        start, end = bisect_right(live, self._me), bisect_left(live, until)
        return live[start:end] if self._me < until else live[start:] + live[:end]

    async def _tell_first(self, part: list[Identifier], said: Hearsay, until: Identifier, record: bytes | None) -> None:
        """Give a part of the circle to its first node that answers."""
        for node in part:
            try:
                if record is not None and await self._tell(node, until, record=record):
                    return
                await self._tell(node, until, entry=said.pack())
            except TryElsewhere:
                self._watch.probe_soon(node)
            else:
                return

    async def _tell(self, node: Identifier, until: Identifier, **news: bytes) -> bool:
        """Whether a node could read it."""
        answer = await self._watch.call(node, AnnounceNode, until=to_bytes(until)[:POINT_BYTES], **news)
        return not answer.get("unread")
