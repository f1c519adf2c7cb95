"""Whole agents over whole nodes: nothing is lost under faults, planted bugs are noticed, and a ring's events repeat."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from twisted.internet.defer import succeed
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chat.receiving import Incoming, Receiving
from p2pchat.chat.syncing import Log
from p2pchat.client.handover import HandOver
from p2pchat.simulation import chat
from p2pchat.simulation.programs import Town

SEEDS = (1, 2021)
"""2021: a receipt came to the new home before the message that it was for, and was forgotten."""


class ChatTests(SynchronousTestCase):
    def noticed_within(self, seeds: Sequence[int]) -> bool:
        """Whether a run of one of these seeds finds something wrong."""
        return any(not chat.simulate(seed).faultless for seed in seeds)

    def test_every_message_arrives_once_and_in_order(self) -> None:
        for seed in SEEDS:
            outcome = chat.simulate(seed)
            self.assertEqual((outcome.violations, outcome.lost, outcome.story), (0, 0, ()))
            self.assertGreater(outcome.operations, 20)

    def test_an_agent_that_acknowledges_what_it_does_not_keep(self) -> None:
        keep = Receiving.take

        def promise(receiving: Receiving, messages: Sequence[Incoming], receipts: bool = True) -> list[Incoming]:
            keep(receiving, [message for message in messages if message.id[0] % 8], receipts)
            return list(messages)

        self.patch(Receiving, "take", promise)
        self.assertTrue(self.noticed_within([2]))

    def test_an_agent_that_promises_what_its_disk_may_lose(self) -> None:
        self.patch(Log, "synced", lambda _: succeed(None))
        self.patch(Log, "sync", lambda _: None)
        self.assertTrue(self.noticed_within([1, 2, 3]))

    def test_an_old_agent_that_hands_nothing_over(self) -> None:
        self.patch(HandOver, "give", lambda *_: None)
        self.assertTrue(self.noticed_within([1, 2]))


class TownTests(SynchronousTestCase):
    """Whole nodes with accounts."""

    def run_once(self, seed: int, fault: bool) -> str:
        with tempfile.TemporaryDirectory() as folder:
            town = Town(seed, 5, Path(folder))
            for number in range(5):
                town.start_node(number)
            town.clock.advance(6.0)
            if fault:
                town.kill_node(2)
                town.clock.advance(4.0)
                town.start_node(2)
                town.streams.partition([["10.0.0.1", "10.0.0.2"], ["10.0.0.3", "10.0.0.4", "10.0.0.5"]])
                town.clock.advance(4.0)
                town.streams.mend()
                town.clock.advance(20.0)
            self.assertEqual(town.failures, [])
            self.assertEqual([len(life.parts.chord.live()) for life in town.lives()], [5] * 5)
            return town.streams.digest

    def test_one_seed_gives_one_run_of_a_ring(self) -> None:
        digests = [self.run_once(seed, fault=True) for seed in (7, 7, 8)]
        self.assertEqual(digests[0], digests[1])
        self.assertNotEqual(digests[0], digests[2])
