"""Slots move while they serve: newcomers have nearly everything before members change, and the rest is short."""

from functools import partial

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import Misbehaved
from p2pchat.identifiers import CIRCLE, Identifier
from p2pchat.replication import precopy
from p2pchat.replication.commands import Announce, Copy, Elect, Follow
from p2pchat.replication.configuration import Configuration, SlotRecord, State
from p2pchat.replication.slots import KIND_ACCOUNT, RegisterKey
from p2pchat.replication.transfers import FollowReply, FollowRequest
from p2pchat.replication.uset import Item

from .ring import Node, Ring

POINT = Identifier(CIRCLE // 8)
"""In slot 0 of four."""
MESSAGES = 200
MESSAGE_BYTES = 20_000


def _put(value: bytes, old: bytes | None) -> bytes:
    return value


class PrecopyCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.ring = Ring(1, in_memory=True)
        self.addCleanup(self.ring.close)
        self.sent: list[type] = []

    def fill(self, messages: int = MESSAGES) -> None:
        """Much mail in one slot."""
        for first in range(0, messages, 50):
            items = [Item(number.to_bytes(32, "big"), bytes(MESSAGE_BYTES)) for number in range(first, first + 50)]
            self.ring.ask(self.ring.nodes[0].service.add(POINT, b"", items))

    def listen(self) -> None:
        self.ring.network.watch = lambda node, command, what: self.sent.append(command) if what == "arrived" else None

    def add_nodes(self, *numbers: int) -> None:
        for number in numbers:
            self.ring.add(number)

    def is_served(self) -> bool:
        """Whether a majority of the newest members of slot 0 serves."""
        states = self.ring.states()[0]
        return 2 * states.count("ACTIVE") > len(states)

    def held(self, node: Node) -> int:
        return int(node.store.measure(POINT)[0])


class SealedTests(PrecopyCase):
    def test_a_slot_with_many_records_stops_for_what_came_last_only(self) -> None:
        self.fill()
        self.listen()
        self.add_nodes(1, 2)
        written, closed = 0, 0.0
        results: list[list[object]] = []
        while not self.ring.is_grown(3):
            item = Item((10_000 + written).to_bytes(32, "big"), bytes(100))
            results.append(self.ring.start(self.ring.nodes[0].service.add(POINT, b"", [item])))
            written += 1
            for _ in range(10):
                self.ring.run(0.01)
                closed += 0.0 if self.is_served() else 0.01
            self.assertLess(written, 300)
        before, after = self.sent[: self.sent.index(Announce)], self.sent[self.sent.index(Announce) :]
        self.assertGreater(before.count(Copy), 2 * MESSAGES * MESSAGE_BYTES // 62_000)
        self.assertLess(after.count(Copy), 10)
        self.assertLess(closed, 0.3)
        self.ring.run(5.0)
        self.assertEqual({len(each) for each in results}, {1})
        for node in self.ring.nodes:
            self.assertEqual(self.held(node), MESSAGES + written)

    def test_what_changed_meanwhile_is_not_lost(self) -> None:
        self.fill(50)
        self.add_nodes(1, 2)
        service, number = self.ring.nodes[0].service, 0
        while not self.ring.is_grown(3):
            number += 1
            value = b"%d" % number
            self.ring.ask(service.change(RegisterKey(POINT, KIND_ACCOUNT), partial(_put, value), value))
        self.ring.nodes[0].crash()
        read = self.ring.ask(self.ring.nodes[1].service.read(RegisterKey(POINT, KIND_ACCOUNT)))
        self.assertEqual(read.value, b"%d" % number)

    def test_members_that_stay_list_nothing_that_all_have(self) -> None:
        self.fill(50)
        self.add_nodes(1, 2)
        self.ring.grow(3)
        self.ring.run(5.0)
        self.add_nodes(3, 4)
        self.ring.grow(5)
        self.listen()
        self.ring.nodes[4].crash()
        self.ring.nodes[3].crash()
        self.ring.grow(3)
        self.assertIn(Elect, self.sent)
        self.assertEqual(self.sent.count(Copy), 0)


class ReturningTests(PrecopyCase):
    def test_who_was_a_member_fetches_only_what_it_missed(self) -> None:
        self.fill()
        self.add_nodes(1, 2, 3)
        self.ring.grow(3)
        away = next(node for node in self.ring.nodes[1:] if self.held(node))
        away.crash()
        self.ring.grow(3)
        for number in range(10):
            item = Item((20_000 + number).to_bytes(32, "big"), bytes(MESSAGE_BYTES))
            self.ring.ask(self.ring.nodes[0].service.add(POINT, b"", [item]))
        away.start()
        self.listen()
        self.ring.add(4)
        self.ring.grow(5)
        self.assertEqual(self.held(away), MESSAGES + 10)
        newcomer, returned = MESSAGES * MESSAGE_BYTES // 62_000, 10
        self.assertLess(self.sent.count(Copy), 1.3 * newcomer + returned)

    def test_mail_that_was_fetched_a_month_ago_does_not_come_back(self) -> None:
        self.fill(50)
        self.add_nodes(1, 2, 3)
        self.ring.grow(3)
        self.ring.run(5.0)
        away = next(node for node in self.ring.nodes[1:] if self.held(node))
        away.crash()
        page = self.ring.ask(self.ring.nodes[0].service.fetch(POINT, 0))
        self.ring.ask(self.ring.nodes[0].service.remove(POINT, 0, [item.id for item in page.items], b"proof"))
        self.ring.grow(3)
        self.ring.begin += 33 * 86_400.0
        self.ring.run(1_300.0)
        self.assertEqual(self.held(away), 50)
        away.start()
        self.ring.add(4)
        self.ring.grow(5)
        for node in self.ring.nodes:
            held = {int.from_bytes(item.id, "big") for _, item in node.store.items(POINT, POINT, None, 99)}
            self.assertFalse(held & {int.from_bytes(item.id, "big") for item in page.items})


class PaceTests(PrecopyCase):
    def test_copying_ahead_keeps_to_its_bytes_per_second(self) -> None:
        self.patch(precopy, "COPY_BYTES_PER_SECOND", 1_000_000)
        self.fill()
        self.add_nodes(1, 2)
        began = self.ring.clock.seconds()
        self.ring.grow(3)
        self.assertGreater(self.ring.clock.seconds() - began, 0.9 * MESSAGES * MESSAGE_BYTES / 1_000_000)

    def test_a_node_that_cannot_keep_up_is_not_elected(self) -> None:
        self.ring.run(1.0)
        self.add_nodes(1, 2)
        follow = precopy.Precopy.answer

        async def refuse(self_: precopy.Precopy, caller: Identifier, request: FollowRequest) -> FollowReply:
            return FollowReply((), 0) if slow else await follow(self_, caller, request)

        slow = True
        self.patch(precopy.Precopy, "answer", refuse)
        self.ring.run(20.0)
        self.assertTrue(self.ring.is_grown(1))
        slow = False
        self.ring.grow(3)


class SlowNewcomerTests(PrecopyCase):
    """A node that follows and never comes into step."""

    def setUp(self) -> None:
        super().setUp()
        follow = precopy.Precopy.answer
        self.claimed = 0

        async def answer(self_: precopy.Precopy, caller: Identifier, request: FollowRequest) -> FollowReply:
            if self.slow is None or self_._asking.me != self.slow.identifier:
                return await follow(self_, caller, request)
            self.claimed += self.claims
            return FollowReply((), self.claimed)

        self.slow: Node | None = None
        self.claims = 0
        self.patch(precopy.Precopy, "answer", answer)

    def grow_past(self, seconds: float) -> None:
        self.add_nodes(1)
        self.slow = self.ring.nodes[1]
        self.add_nodes(2, 3)
        self.ring.grow(3, seconds)
        members = self.ring.nodes[0].service.movement.records[0].newest.members
        self.assertNotIn(self.slow.identifier, members)

    def test_another_node_is_chosen(self) -> None:
        self.fill(50)
        self.grow_past(30.0)
        passed_over = [self.ring.ask(node.service.status()).passed_over for node in self.ring.nodes]
        self.assertIn((self.ring.nodes[1].identifier,), passed_over)

    def test_what_it_says_of_its_progress_is_not_believed_for_ever(self) -> None:
        self.patch(precopy, "DRIVE_SECONDS", 20.0)
        self.claims = 1 << 20
        self.fill(50)
        self.grow_past(60.0)

    def test_it_is_tried_again_and_becomes_a_member_when_it_keeps_up(self) -> None:
        self.fill(50)
        self.add_nodes(1)
        self.slow = self.ring.nodes[1]
        self.add_nodes(2)
        self.ring.run(60.0)
        self.assertTrue(self.ring.is_grown(1))
        self.slow = None
        self.ring.grow(3, 120.0)
        self.assertEqual(self.ring.ask(self.ring.nodes[0].service.status()).passed_over, ())


class LettingGoTests(PrecopyCase):
    def test_a_copy_that_nobody_asks_for_any_more_is_let_go(self) -> None:
        self.fill(50)
        self.add_nodes(1, 2)
        self.ring.grow(3)
        self.ring.add(3)
        stranger = self.ring.nodes[3]
        configuration = self.ring.nodes[0].service.movement.records[0].configuration
        call = self.ring.network.call_from(self.ring.nodes[0].host)  # type: ignore[arg-type]
        request = FollowRequest(configuration, (0,))
        reply = self.ring.ask(call(stranger.identifier, Follow, request=request))["reply"]
        self.assertEqual(reply.slots, (0,))
        self.assertEqual(self.held(stranger), 50)
        self.assertEqual(stranger.service.movement.records[0], SlotRecord(0, configuration, State.COPY))
        self.ring.run(precopy.LET_GO_SECONDS + 15.0)
        self.assertEqual(stranger.service.movement.records[0].state, State.RETIRED)
        self.assertEqual(self.held(stranger), 0)

    def test_only_a_member_has_its_slots_followed(self) -> None:
        self.ring.add(1)
        call = self.ring.network.call_from(self.ring.nodes[0].host)  # type: ignore[arg-type]
        me, other = self.ring.nodes[0].identifier, self.ring.nodes[1].identifier
        for members in ((other,), tuple(sorted((me, other)))):
            with self.assertRaises(Misbehaved):
                self.ring.ask(call(other, Follow, request=FollowRequest(Configuration(1, members), (0,))))

    def test_who_is_no_member_drives_nothing(self) -> None:
        for number in (1, 2):
            self.ring.add(number)
        newcomer = self.ring.nodes[1]
        others = sorted((node for node in self.ring.nodes if node is not newcomer), key=lambda node: node.identifier)
        driven = []
        for epoch, node in enumerate(others, 1):
            call = self.ring.network.call_from(node.host)  # type: ignore[arg-type]
            request = FollowRequest(Configuration(epoch, (node.identifier,)), (0,))
            driven.append(self.ring.ask(call(newcomer.identifier, Follow, request=request))["reply"].driven)
        self.assertEqual(driven, [(), ()])
