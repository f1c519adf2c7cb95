"""Looks after our two neighbours in a big ring: each is asked whether it lives, unless it gave word in time anyway.

The predecessor asks first; the successor asks only if no question came.  So each two neighbours exchange about one
question in AHEAD_SECONDS, and a silent one is dead within 3 seconds: BEHIND_SECONDS, the limit of one answer, and
`watch.SECOND_TRY_SECONDS` for the second question and the witnesses.  A new neighbour is asked at once, so that it is
known how long its answers take.
"""

from bisect import bisect_left
from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from p2pchat.chord.status import NodeState
from p2pchat.chord.table import NodeTable
from p2pchat.chord.watch import Watch
from p2pchat.identifiers import Identifier

AHEAD_SECONDS, BEHIND_SECONDS = 1.4, 1.75
"""After the last word of the first successor, and of the predecessor."""
ROW = 4
"""So many in a row are looked after where the first one is suspected."""


class Guard:
    """Timer of one node.

    Args:
        active: whether our neighbours are to be looked after now.
    """

    def __init__(
        self, me: Identifier, table: NodeTable, watch: Watch, active: Callable[[], bool], clock: IReactorTime
    ) -> None:
        self._me, self._table, self._watch, self._active, self._clock = me, table, watch, active, clock
        self._timer: IDelayedCall | None = None

    def start(self) -> None:
        self._timer = self._clock.callLater(AHEAD_SECONDS, self._look)

    def stop(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def changed(self) -> None:
        """Other neighbours may be ours now: look at once."""
        if self._timer is not None and self._timer.active():
            self._timer.reset(0.0)

    def _look(self) -> None:
        now, pause = self._clock.seconds(), AHEAD_SECONDS
        for node, seconds in self._neighbours() if self._active() else []:
            known = self._watch.detector.knows(node)
            left = self._watch.last_word(node) + (seconds if known else 0.0) - now
            if left <= 0:
                self._watch.probe_soon(node)
            else:
                pause = min(pause, left)
        self._timer = self._clock.callLater(pause, self._look)

    def _neighbours(self) -> list[tuple[Identifier, float]]:
        """By the node table, so that behind a dead one the next one is looked after.

        Nodes often die in a row: behind a suspected one the next ones are looked after as well.
        """
        live = self._table.live()
        at = bisect_left(live, self._me)
        found = []
        for direction, seconds in ((1, AHEAD_SECONDS), (-1, BEHIND_SECONDS)):
            row = [live[(at + direction * i) % len(live)] for i in range(1, ROW + 1)]
            suspected = self._table.state(row[0]) is NodeState.SUSPECTED
            found += [(node, seconds) for node in (row if suspected else row[:1]) if node != self._me]
        return found
