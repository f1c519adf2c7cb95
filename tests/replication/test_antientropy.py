"""Members find what they missed and fetch it, and little travels where nothing is missing."""

from collections.abc import Callable
from functools import partial

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.identifiers import CIRCLE, Identifier
from p2pchat.replication import antientropy, comparing
from p2pchat.replication.commands import CompareSlots, Copy, Pull
from p2pchat.replication.ground import Event
from p2pchat.replication.inventory import Inventory
from p2pchat.replication.slots import KIND_ACCOUNT, RegisterKey
from p2pchat.replication.store import Store
from p2pchat.replication.transfers import ITEMS, Position, PullReply, PullRequest
from p2pchat.replication.uset import Item

from .ring import Node, Ring

POINTS = [Identifier((2 * number + 1) * CIRCLE // 16) for number in range(8)]


def _put(name: bytes, old: bytes | None) -> bytes:
    return name


class AntiEntropyCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.ring = Ring(nodes=5, slots=8, in_memory=True, repair_after=1000.0)
        self.addCleanup(self.ring.close)
        self.ring.grow(5)

    def fill(self, node: Node, round_: int = 1) -> None:
        """An account and two messages in every slot."""
        for number, point in enumerate(POINTS):
            value = b"name %d of round %d" % (number, round_)
            self.ring.ask(node.service.change(RegisterKey(point, KIND_ACCOUNT), partial(_put, value), value))
            items = [Item((1000 * round_ + each).to_bytes(32, "big"), bytes(30_000)) for each in range(2)]
            self.ring.ask(node.service.add(point, b"", items))

    def held(self, node: Node) -> list[tuple[bytes | None, int]]:
        """What a node's own disk has."""
        found: list[tuple[bytes | None, int]] = []

        def turn(store: Store) -> None:
            for point in POINTS:
                register = store.register(RegisterKey(point, KIND_ACCOUNT))
                found.append((None if register is None else register.content.value, store.measure(point)[0]))

        node.disk.run(turn)
        return found

    def whole(self, round_: int, messages: int) -> list[tuple[bytes | None, int]]:
        return [(b"name %d of round %d" % (number, round_), messages) for number in range(8)]


class MissedWritesTests(AntiEntropyCase):
    def test_a_member_that_was_away_catches_up(self) -> None:
        self.fill(self.ring.nodes[0])
        self.ring.nodes[4].crash()
        self.fill(self.ring.nodes[1], round_=2)
        self.ring.nodes[4].start()
        self.assertNotEqual(self.held(self.ring.nodes[4]), self.whole(2, 4))
        self.ring.run(30.0)
        self.assertEqual(self.held(self.ring.nodes[4]), self.whole(2, 4))
        self.assertGreater(self.ring.nodes[4].service.antientropy.mended, 0)

    def test_records_that_vanished_from_a_disk_come_back(self) -> None:
        self.fill(self.ring.nodes[0])
        self.ring.run(30.0)

        def lose(store: Store) -> None:
            for point in POINTS:
                store.clear(point, point)

        self.ring.nodes[2].disk.run(lose)
        self.ring.run(30.0)
        self.assertEqual(self.held(self.ring.nodes[2]), self.whole(1, 2))

    def test_removed_mail_is_removed_everywhere(self) -> None:
        self.fill(self.ring.nodes[0])
        self.ring.nodes[4].crash()
        for point in POINTS:
            page = self.ring.ask(self.ring.nodes[0].service.fetch(point, 0))
            ids = [item.id for item in page.items]
            self.ring.ask(self.ring.nodes[0].service.remove(point, 0, ids, b"proof"))
        self.ring.nodes[4].start()
        self.ring.run(30.0)
        self.assertEqual(self.held(self.ring.nodes[4]), self.whole(1, 0))


class TrafficTests(AntiEntropyCase):
    def test_where_nothing_is_missing_only_digests_travel(self) -> None:
        self.fill(self.ring.nodes[0])
        self.ring.run(30.0)
        sent: list[type] = []
        self.ring.network.watch = lambda node, command, what: sent.append(command)
        self.ring.run(60.0)
        self.assertIn(CompareSlots, sent)
        self.assertEqual([command for command in sent if command in (Pull, Copy)], [])
        self.assertLessEqual(sum(command is CompareSlots for command in sent), 2 * 5 * 31)

    def test_one_turn_fetches_a_bounded_number_of_bytes(self) -> None:
        self.patch(antientropy, "MEND_BYTES", 70_000)
        node = self.ring.nodes[4]
        node.crash()
        self.fill(self.ring.nodes[1])
        sent: list[type] = []
        self.ring.network.watch = lambda to, command, what: sent.append(command) if what == "arrived" else None
        node.start()
        self.ring.run(3.5)
        self.assertIn(sent.count(Copy), (1, 2))
        self.assertNotEqual(self.held(node), self.whole(1, 2))
        self.ring.run(100.0)
        self.assertEqual(self.held(node), self.whole(1, 2))


class LyingTests(AntiEntropyCase):
    """A member whose pages never end, while another one misses something."""

    def setUp(self) -> None:
        super().setUp()
        self.ring.nodes[4].crash()
        self.fill(self.ring.nodes[0])
        self.asked: list[type] = []
        self.ring.network.watch = lambda to, command, what: self.asked.append(command) if what == "arrived" else None

    def lie(self, next_: Callable[[PullRequest], Position]) -> None:
        def pull(self_: Inventory, store: Store, request: PullRequest, events: list[Event]) -> PullReply:
            return PullReply((), (), (), (), (), next_(request))

        self.patch(Inventory, "pull", pull)
        self.ring.nodes[4].start()

    def test_pages_that_begin_again_end_the_comparison(self) -> None:
        self.lie(lambda request: Position(POINTS[-1], ITEMS))
        self.ring.run(10.0)
        self.assertLess(self.asked.count(Pull), 3 * self.asked.count(CompareSlots))

    def test_pages_without_an_end_end_with_their_time(self) -> None:
        self.patch(comparing, "MEND_SECONDS", 5.0)
        numbers, turn = iter(range(1, 1_000_000)), antientropy.AntiEntropy.turn
        ended: list[antientropy.AntiEntropy] = []

        async def noted(self_: antientropy.AntiEntropy) -> None:
            await turn(self_)
            ended.append(self_)

        self.patch(antientropy.AntiEntropy, "turn", noted)
        self.lie(lambda request: Position(POINTS[-1], ITEMS, next(numbers).to_bytes(32, "big")))
        self.ring.run(60.0)
        self.assertGreater(ended.count(self.ring.nodes[4].service.antientropy), 3)
