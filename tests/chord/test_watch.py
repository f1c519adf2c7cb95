"""Probes: one for all who wait for it, and none that wakes others when it is abandoned."""

import gc
from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.protocols.amp import Command
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chord.status import NodeState
from p2pchat.chord.table import NodeTable
from p2pchat.chord.watch import Watch
from p2pchat.errors import TryElsewhere
from p2pchat.identifiers import Identifier

ME, OTHER = Identifier(1), Identifier(2)


class WatchTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.asked: list[Deferred[Any]] = []
        table = NodeTable(lambda record: None)
        self.watch = Watch(ME, table, self.ask, Clock(), Random(1), lambda *_: None, self.spawn)

    async def ask(
        self, node: Identifier, command: type[Command], /, *, timeout: float = 0.0, **arguments: Any
    ) -> dict[str, Any]:
        self.asked.append(Deferred())
        answer: dict[str, Any] = await self.asked[-1]
        return answer

    def spawn(self, work: Any) -> Deferred[Any]:
        return Deferred.fromCoroutine(work).addErrback(lambda _: None)

    def test_one_probe_serves_all_who_wait(self) -> None:
        found = [self.watch.probe(OTHER) for _ in range(3)]
        self.assertEqual(len(self.asked), 1)
        self.asked[0].callback({"state": NodeState.READY})
        self.assertEqual([self.successResultOf(each) for each in found], [NodeState.READY] * 3)

    def test_who_does_not_answer_is_dead_and_may_be_asked_again(self) -> None:
        found = self.watch.probe(OTHER)
        self.asked[0].errback(TryElsewhere("silence"))
        self.assertEqual(self.successResultOf(found), NodeState.DEAD)
        self.watch.probe(OTHER)
        self.assertEqual(len(self.asked), 2)

    def test_a_probe_that_fails_leaves_nobody_waiting(self) -> None:
        found = self.watch.probe(OTHER)
        self.asked[0].errback(ValueError("a bug"))
        self.assertEqual(self.successResultOf(found), NodeState.DEAD)

    def test_abandoned_probes_wake_nobody(self) -> None:
        async def wait(gate: Deferred[None]) -> None:
            await gate
            await self.watch.probe(OTHER)

        gate: Deferred[None] = Deferred()
        for _ in range(3):
            Deferred.fromCoroutine(wait(gate))
        self.watch.probe(OTHER)
        for _ in range(3):
            Deferred.fromCoroutine(wait(gate))
        gate.callback(None)
        del gate, self.watch
        self.asked.clear()
        for _ in range(2):  # what fails in the first is logged by the second
            gc.collect()
        self.assertEqual(self.flushLoggedErrors(), [])
