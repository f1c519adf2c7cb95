"""Time is the median of the ring, and a clock that is far off is told once."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import TryElsewhere
from p2pchat.identifiers import Identifier
from p2pchat.server.clocks import RingClock

NODES = [Identifier(number) for number in range(4)]


class RingClockTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.offsets = [0.0, 0.0, 0.0, 0.0]
        self.away: set[int] = set()
        self.warnings: list[str] = []
        self.clock = RingClock(Clock(), lambda: 1_000_000.0, lambda: NODES, self.ask)
        hear: Any = self.hear
        globalLogPublisher.addObserver(hear)
        self.addCleanup(globalLogPublisher.removeObserver, hear)

    def hear(self, event: LogEvent) -> None:
        if event.get("log_namespace") == "p2pchat.server.clocks.RingClock":
            self.warnings.append(str(event["way"]))

    async def ask(self, node: Identifier) -> float:
        if node in self.away:
            raise TryElsewhere("No answer.")
        return 1_000_000.0 + self.offsets[node]

    def compare(self) -> None:
        self.successResultOf(Deferred.fromCoroutine(self.clock.compare()))

    def test_one_wrong_node_moves_nobody(self) -> None:
        self.offsets[0] = 3_600.0
        self.compare()
        self.assertEqual((self.clock.now(), self.warnings), (1_000_000.0, []))

    def test_a_node_an_hour_behind_goes_by_the_others_and_says_so_once(self) -> None:
        self.offsets = [3_600.0] * 4
        self.compare()
        self.compare()
        self.assertEqual((self.clock.now(), self.warnings), (1_003_600.0, ["behind"]))
        self.offsets = [0.0] * 4
        self.compare()
        self.assertEqual(self.clock.now(), 1_000_000.0)

    def test_alone_it_goes_by_itself(self) -> None:
        self.away = set(NODES)
        self.compare()
        self.assertEqual(self.clock.now(), 1_000_000.0)
