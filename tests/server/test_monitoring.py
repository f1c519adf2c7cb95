"""The page of numbers of whole nodes: what it tells of copies that are missing."""

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from prometheus_client.openmetrics.parser import text_string_to_metric_families
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.test.requesthelper import DummyRequest

from p2pchat.identifiers import CIRCLE, Identifier
from p2pchat.replication.slots import RegisterKey
from p2pchat.server.census import Counted
from p2pchat.server.monitoring import monitored
from p2pchat.simulation.programs import NodeLife, Town

RECORDS = 12
KIND = 200
"""Of registers that are no accounts, so that values may be anything."""
GROWN_SECONDS = 20.0
HEALED_SECONDS = 30.0
NOTICED_SECONDS = 4.0


def _put(value: bytes, old: bytes | None) -> bytes:
    return value


class NoFile:
    """Stands for the count over a database, which in memory is none."""

    def count(self) -> "Deferred[Counted]":
        """Nothing."""
        return succeed(Counted({}, {}, {}, 0, None))


class DeficitTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.town = Town("deficit", 6, Path(folder))
        self.addCleanup(self.town.end)
        for number in range(6):
            self.town.start_node(number)
        self.town.clock.advance(GROWN_SECONDS)

    def done(self, work: Any) -> Any:
        """The result of an operation, letting time pass for it."""
        asked = Deferred.fromCoroutine(work)
        self.town.clock.run_while(lambda: not asked.called, 10.0)
        return self.successResultOf(asked)

    def number(self, life: NodeLife, name: str) -> float:
        """One number from the page of a node."""
        life.parts.census = NoFile()  # type: ignore[assignment]
        request = DummyRequest([b"metrics"])
        answered = request.notifyFinish()
        monitored(life.parts, life.clock.seconds).resource.children[b"metrics"].render(request)
        self.town.clock.run_while(lambda: not answered.called, 10.0)
        text = b"".join(request.written).decode()
        samples = [each for family in text_string_to_metric_families(text) for each in family.samples]
        return float(next(each.value for each in samples if each.name == name))

    def told(self) -> tuple[float, int]:
        """Copies that are missing in the whole ring: by all nodes' pages, and by the rows that one of them gathers."""
        lives = self.town.lives()
        rows, _ = self.done(lives[0].parts.rows.page(0))
        return sum(self.number(life, "p2pchat_deficit") for life in lives), sum(row.deficit for row in rows)

    def test_pages_and_rows_tell_what_a_dead_node_held_until_it_is_replaced(self) -> None:
        service = self.town.lives()[0].parts.replication
        for number in range(RECORDS):
            key = RegisterKey(Identifier((2 * number + 1) * CIRCLE // (2 * RECORDS)), KIND)
            self.done(service.change(key, partial(_put, b"value"), b"%d" % number))
        self.town.clock.advance(1.0)
        self.assertEqual(self.told(), (0.0, 0))
        held = {number: self._held(number) for number in range(1, 6)}
        victim = max(held, key=lambda number: held[number])
        self.assertGreater(held[victim], 0)
        self.town.kill_node(victim)
        self.town.clock.advance(NOTICED_SECONDS)
        self.assertEqual(self.told(), (float(held[victim]), held[victim]))
        self.town.clock.advance(HEALED_SECONDS)
        self.assertEqual(self.told(), (0.0, 0))
        self.assertEqual(self.town.failures, [])

    def _held(self, number: int) -> int:
        """Records that a node keeps as a member."""
        machine = self.town.machines[number]
        return sum(count for _, _, count in machine.store.tally())
