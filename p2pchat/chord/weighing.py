"""What others say about nodes' lives: in small rings it makes us ask those nodes, in big ones it is believed.

In a big ring each node asks only the nodes close to it.  Were each newcomer asked by all others, each would need a
connection to it, and they would cost more than everything else together.  So what is said of a node far away is taken
for true, and a few nodes, wherever they are, see whether it is; and the first live node behind one that is falsely said
to be dead contradicts (announcing.py).  As the ring is only a hint, a lie costs time.
"""

from collections.abc import Callable
from random import Random

from twisted.internet.interfaces import IReactorTime

from p2pchat.chord.status import NodeState
from p2pchat.chord.table import LIVE, NodeTable
from p2pchat.chord.watch import CLOSE
from p2pchat.identifiers import Identifier

WHOLE_NODES = 64
"""Rings of up to so many nodes compare tables with random nodes at each change; in bigger ones changes are announced,
and a node compares with its successor only."""
SPOT_CHECKS = 5
"""So many nodes, wherever they are, see whether what they heard of one far away is so."""
FEW = 4
"""News of so many nodes is news, and of more of them a table."""


class Weighing:
    """Compares what others say with what we believe.

    Args:
        doubt: another node says something else about this node than we believe; it asks the node itself.
        believe: takes what another node says about one far away for true.

    Attributes:
        believing: whether `believe` is being told something.
        told_big: another node says that the ring is big, while we know few nodes of it.
    """

    def __init__(
        self,
        me: Identifier,
        table: NodeTable,
        clock: IReactorTime,
        chance: Random,
        doubt: Callable[[Identifier], None],
        believe: Callable[[Identifier, NodeState], None],
    ) -> None:
        self._me, self._table, self._clock, self._chance = me, table, clock, chance
        self._doubt, self._believe = doubt, believe
        self.believing = self.told_big = False

    @property
    def is_big(self) -> bool:
        """Whether changes are announced."""
        return self.told_big or self._table.awake() > WHOLE_NODES

    def weigh(self, states: dict[Identifier, NodeState], fresh: bool = False) -> None:
        """Compare what another node says of nodes' lives with what we believe.

        Where that differs we ask those nodes; in a big ring only those close to us, and some.

        Args:
            fresh: it was announced just now; what only stands in another's table may be older than what we know.
        """
        close = self._close(states) if self.is_big else states.keys()
        for identifier, said in states.items():
            believed = self._table.state(identifier)
            if believed is None:
                continue
            if (believed in LIVE) != (said is NodeState.READY) or believed is NodeState.JOINING:
                known = believed is not NodeState.JOINING and not fresh
                if identifier not in close and said is not NodeState.JOINING and not known:
                    self._take_for_true(identifier, said)
                    continue
                if said in (NodeState.READY, NodeState.JOINING):
                    self._table.hasten(identifier, self._clock.seconds())
                elif believed not in LIVE:
                    continue
                self._doubt(identifier)

    def _close(self, states: dict[Identifier, NodeState]) -> set[Identifier]:
        """Which of these nodes we see after ourselves; those that are said to live count as neighbours."""
        if len(states) <= FEW:
            return {node for node in states if abs(self._table.position(self._me, node)) <= CLOSE}
        said = {node for node, state in states.items() if state is NodeState.READY}
        order = sorted({*self._table.live(), *said, self._me})
        at = order.index(self._me)
        around = {order[(at + i) % len(order)] for i in range(-CLOSE, CLOSE + 1)}
        return {node for node in states if node in around}

    def _take_for_true(self, node: Identifier, said: NodeState) -> None:
        believed = self._table.state(node)
        if (said is NodeState.READY) == (believed in LIVE) or (said is not NodeState.READY and believed not in LIVE):
            return
        if self._table.record(node) is None:
            return
        self.believing = True
        try:
            self._believe(node, said)
        finally:
            self.believing = False
        if self._chance.random() * len(self._table.live()) < SPOT_CHECKS:
            self._doubt(node)
