"""Tells a big ring what became of one node: along a tree, so that each node hears it once.

The first live node behind it announces a change, to the whole circle; whoever hears it passes it on to the part of the
circle that it was given, by halves: so each node sends about log2(nodes) messages at most, and one on average.  A node
that does not answer is stepped over.  What is heard is hearsay: each node asks the one that it is about.  Whom the tree
misses hears of it when it compares tables.
Source of the tree: El-Ansary et al., "Efficient Broadcast in Structured P2P Networks", IPTPS 2003.
"""

from bisect import bisect_left, bisect_right

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from p2pchat.chord.commands import Announce
from p2pchat.chord.packing import pack, unpack
from p2pchat.chord.spreading import Spreading
from p2pchat.chord.status import NodeState
from p2pchat.chord.table import Hearsay, NodeTable
from p2pchat.chord.table import unpack as unpack_entries
from p2pchat.chord.watch import Spawn, Watch
from p2pchat.errors import Misbehaved, TryElsewhere
from p2pchat.identifiers import Identifier, name

ONCE_SECONDS = 30.0
"""The same news is passed on at most so often."""
MAX_PASSED = 4_096
"""News that we remember to have passed on."""
TRIES = 4
"""Nodes that one part of the circle is offered to."""


class Announcing:
    """What our node announces and passes on."""

    _log = Logger()

    def __init__(
        self, me: Identifier, table: NodeTable, watch: Watch, spreading: Spreading, clock: IReactorTime, spawn: Spawn
    ) -> None:
        self._me, self._table, self._watch, self._spreading = me, table, watch, spreading
        self._clock, self._spawn = clock, spawn
        self._passed: dict[Hearsay, float] = {}  # when we passed something on, oldest first

    def changed(self, node: Identifier, before: NodeState | None) -> None:
        """We found out that a node lives, or does not any more: announce it if that is up to us."""
        following = self._table.first_live(Identifier(node + 1), 1)
        if not self._spreading.is_big or (following != [self._me] and before is not NodeState.DEAD):
            return
        entry = self._table.packed(node)
        (said,) = unpack_entries(entry)
        if self._is_new(said):
            self._pass_on(said, entry, self._me, before is not NodeState.DEAD)

    def hear(self, caller: Identifier, entry: bytes, until: Identifier, record: bytes | None) -> None:
        """A node announced something; we answer for the nodes between us and `until`."""
        self._spawn(self._hear(caller, entry, until, record))

    async def _hear(self, caller: Identifier, entry: bytes, until: Identifier, record: bytes | None) -> None:
        try:
            (said,) = unpack_entries(entry)
            if said.identifier == self._me or not self._is_new(said):
                return
            if self._table.unknown([said]):
                await self._learn(caller, said, record)
            record_of_it = self._table.record(said.identifier)
            if record_of_it is None or record_of_it.sequence != said.sequence:
                return  # so that nobody makes news without end out of sequences that do not exist
        except (TryElsewhere, Misbehaved) as error:
            self._log.info("news of {node} was not taken: {error}", node=name(caller), error=error)
            return
        self._pass_on(said, entry, until, record is not None)
        if said.state is not NodeState.READY:
            self._watch.hear_dead(said.identifier)
        self._spreading.weigh({said.identifier: said.state})

    async def _learn(self, caller: Identifier, said: Hearsay, record: bytes | None) -> None:
        if record is not None and (like := self._table.heard(caller)) is not None:
            try:
                self._spreading.learn([unpack(record, like.encode())], {said.identifier: said.state})
            except Misbehaved as error:  # the caller's own record may have changed
                self._log.debug("a record came in words that we do not know: {error}", error=error)
        if self._table.unknown([said]):
            await self._spreading.fetch(caller, [said.identifier], {said.identifier: said.state})

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

    def _pass_on(self, said: Hearsay, entry: bytes, until: Identifier, with_record: bool) -> None:
        order = [node for node in self._before(until) if node != said.identifier]
        if not order:
            return
        packed, own, record = None, self._table.heard(self._me), self._table.heard(said.identifier)
        if with_record and said.state is NodeState.READY and own is not None and record is not None:
            packed = pack(record.encode(), own.encode())
        while order:
            middle = len(order) // 2
            part, order = order[middle:], order[:middle]
            self._spawn(self._tell_first(part[:TRIES], entry, until, packed))
            until = part[0]

    def _before(self, until: Identifier) -> list[Identifier]:
        """The live nodes behind us, up to a point; all others for our own."""
        live = self._table.live()
        start, end = bisect_right(live, self._me), bisect_left(live, until)
        return live[start:end] if self._me < until else live[start:] + live[:end]

    async def _tell_first(self, part: list[Identifier], entry: bytes, until: Identifier, record: bytes | None) -> None:
        """Give a part of the circle to its first node that answers."""
        for node in part:
            try:
                await self._watch.call(node, Announce, entry=entry, until=until, record=record)
            except TryElsewhere:
                self._watch.probe_soon(node)
            else:
                return
