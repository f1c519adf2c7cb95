"""One node that lies about who holds a slot: nothing ends on its word, and nothing is deleted."""

from collections.abc import Sequence
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import Misbehaved
from p2pchat.identifiers import CIRCLE, Identifier
from p2pchat.replication.commands import Announce, Follow, Pull, Stand
from p2pchat.replication.configuration import NUMBER_BITS, Configuration, Group, SlotRecord, State
from p2pchat.replication.directory import MAX_RUMOURS, Directory
from p2pchat.replication.requests import BULK_SLOTS, AnnounceRequest
from p2pchat.replication.slots import KIND_ACCOUNT, RegisterKey
from p2pchat.replication.transfers import FollowRequest, PullRequest
from p2pchat.replication.uset import Item

from .ring import Node, Ring

POINT = Identifier(CIRCLE // 8)
NAME = RegisterKey(POINT, KIND_ACCOUNT)
MAIL = Item(bytes(32), b"mail")
NODES = 6


class LyingCase(SynchronousTestCase):
    """A ring of six; the last one admitted lies, and is no member of slot 0."""

    def setUp(self) -> None:
        self.ring = Ring(NODES, in_memory=True, repair_after=1_000.0)
        self.addCleanup(self.ring.close)
        self.ring.grow(5)
        self.ring.run(30.0)
        members = self.known().members
        self.liar = next(node for node in self.ring.nodes if node.identifier not in members)
        self.honest = [node for node in self.ring.nodes if node is not self.liar]
        self.ring.ask(self.honest[0].service.change(NAME, lambda old: b"ann", b"1"))
        self.ring.ask(self.honest[0].service.add(POINT, b"", [MAIL]))

    def known(self) -> Configuration:
        records = [record for node in self.ring.nodes if (record := node.service.movement.records.get(0)) is not None]
        return max((record.newest for record in records), key=lambda each: each.epoch)

    def tell(self, node: Node, command: Any, request: Any) -> Any:
        """The liar sends one message; what came of it."""
        assert self.liar.host is not None
        call = self.ring.network.call_from(self.liar.host)
        return self.ring.ask(call(node.identifier, command, request=request))["reply"]

    def lies(self) -> list[Configuration]:
        """What it may say came after."""
        known, me = self.known(), self.liar.identifier
        alone = [
            Configuration(known.epoch + step, (me,), previous)
            for step in (1, 2, 1_000, (1 << NUMBER_BITS) - 1 - known.epoch)
            for previous in (known.members, (me,))
        ]
        with_one = [
            Configuration(known.epoch + step, tuple(sorted((me, node.identifier))), (me,))
            for step in (1, 5)
            for node in self.honest
        ]
        own = [Configuration(known.epoch + 1, (node.identifier,), (node.identifier,)) for node in self.honest]
        return [*alone, *with_one, *own]

    def assert_unharmed(self) -> None:
        """Every member serves as before, and has everything."""
        self.assertEqual(self.ring.states()[0], ["ACTIVE"] * 5)
        for node in self.honest:
            self.assertEqual(node.service.movement.records[0].state, State.ACTIVE)
            register = node.store.register(NAME)
            self.assertEqual(register and register.content.value, b"ann")
            self.assertIsNotNone(node.store.item(POINT, MAIL.id))
        for node in self.honest:
            self.assertEqual(self.ring.ask(node.service.read(NAME)).value, b"ann")


class AnnouncementTests(LyingCase):
    def test_announcements_of_one_node_change_nothing(self) -> None:
        for lie in self.lies():
            for node in self.honest:
                self.tell(node, Announce, AnnounceRequest((Group(lie, (0,)),)))
        self.ring.run(30.0)
        self.assert_unharmed()

    def test_nor_do_pulls(self) -> None:
        for lie in self.lies():
            for node in self.honest:
                self.assertEqual(self.tell(node, Pull, PullRequest(lie, (0,))).old, ())
        self.ring.run(30.0)
        self.assert_unharmed()

    def test_nor_do_requests_to_follow(self) -> None:
        me = self.liar.identifier
        for epoch in (self.known().epoch + 1, self.known().epoch + 1_000):
            for node in self.honest:
                self.tell(node, Follow, FollowRequest(Configuration(epoch, (me,), (me,)), (0,)))
        self.ring.run(90.0)
        self.assert_unharmed()

    def test_a_generation_that_nobody_signed_changes_nothing(self) -> None:
        for epoch in (1 << NUMBER_BITS, (1 << 63), (1 << 64) - 1):
            for node in self.honest:
                lie = Configuration(epoch, (self.liar.identifier,), self.known().members)
                self.tell(node, Announce, AnnounceRequest((Group(lie, (0,)),)))
                self.tell(node, Pull, PullRequest(lie, (0,)))
        self.ring.run(10.0)
        self.assert_unharmed()

    def test_a_node_without_a_part_is_not_shut_out_by_an_absurd_epoch(self) -> None:
        stranger = self.ring.add(NODES)
        self.ring.run(30.0)
        me = self.liar.identifier
        self.assertNotIn(0, stranger.service.movement.records)
        for epoch in (self.known().epoch + 1, (1 << NUMBER_BITS) - 1):
            lie = Configuration(epoch, tuple(sorted((me, stranger.identifier))), (me,))
            self.tell(stranger, Announce, AnnounceRequest((Group(lie, (0,)),)))
            follow = FollowRequest(Configuration(epoch, (me,), (me,)), (0,))
            self.tell(stranger, Follow, follow)
        wished = [*(node.identifier for node in self.honest[:4]), stranger.identifier]
        self.ring.ask(self.honest[0].service.propose(0, wished))
        self.ring.run(20.0)
        self.assertEqual(self.known().members, tuple(sorted(wished)))
        self.assertEqual(self.ring.states()[0], ["ACTIVE"] * 5)

    def test_slots_that_the_ring_does_not_have_are_refused_before_anybody_is_asked(self) -> None:
        sent: list[type] = []
        self.ring.network.watch = lambda to, command, what: sent.append(command) if what == "arrived" else None
        node, me = self.honest[0], self.liar.identifier
        both = tuple(sorted((me, node.identifier)))
        for slots in ((self.ring.slots,), (1 << 40,), tuple([0] * (BULK_SLOTS + 1))):
            for epoch in (self.known().epoch + 1, (1 << NUMBER_BITS) - 1):
                lie = Configuration(epoch, both, (me,))
                for command, request in (
                    (Announce, AnnounceRequest((Group(lie, slots),))),
                    (Pull, PullRequest(lie, slots)),
                    (Follow, FollowRequest(Configuration(epoch, (me,), (me,)), slots)),
                ):
                    self.assertRaises(Misbehaved, self.tell, node, command, request)
        self.assertNotIn(Stand, sent)
        self.assert_unharmed()

    def test_members_change_afterwards_as_before(self) -> None:
        for lie in self.lies():
            for node in self.honest:
                self.tell(node, Announce, AnnounceRequest((Group(lie, (0,)),)))
        epoch = self.known().epoch
        wished = [node.identifier for node in self.ring.nodes if node is not self.honest[-1]]
        self.ring.ask(self.honest[0].service.propose(0, wished))
        self.ring.run(20.0)
        self.assertEqual(self.ring.states()[0], ["ACTIVE"] * 5)
        self.assertEqual((self.known().epoch, self.known().members), (epoch + 1, tuple(sorted(wished))))
        self.assertEqual(self.honest[-1].service.movement.records[0].state, State.RETIRED)

    def test_little_is_asked_for_many_lies(self) -> None:
        sent: list[type] = []
        self.ring.network.watch = lambda to, command, what: sent.append(command) if what == "arrived" else None
        lie = Configuration(self.known().epoch + 1, (self.liar.identifier,), self.known().members)
        for _ in range(50):
            self.tell(self.honest[0], Announce, AnnounceRequest((Group(lie, (0,)),)))
        self.assertLess(sent.count(Stand), 50)


class ElectionTests(LyingCase):
    """It may propose members, as every node may; members vote for sound ones only."""

    def elect(self, members: tuple[Identifier, ...]) -> None:
        """The liar's own election, as a node that may vote for anything would hold it."""
        known = self.known()
        self.ring.ask(self.liar.service.movement.election.run(known, tuple(sorted(members)), (0,)))
        self.ring.run(10.0)

    def test_a_slot_is_not_given_to_one_node(self) -> None:
        self.elect((self.liar.identifier,))
        self.assert_unharmed()

    def test_nor_to_nodes_that_nobody_knows(self) -> None:
        kept = self.known().members[:3]
        self.elect((*kept, Identifier(4_711), Identifier(4_712)))
        self.assert_unharmed()

    def test_nor_does_it_shrink(self) -> None:
        self.elect((*self.known().members[:2], self.liar.identifier))
        self.assert_unharmed()


class GatewayTests(LyingCase):
    """What a node believes about slots that it asks for others."""

    def known_by(self, node: Node) -> Configuration | None:
        return node.service._directory.get(0)

    def test_one_node_s_word_leads_no_gateway_astray(self) -> None:
        gateway = self.honest[0].service._directory
        before = self.known_by(self.honest[0])
        for lie in self.lies():
            for _ in range(3):
                gateway.heard(0, lie, self.liar.identifier)
        self.assertEqual(self.known_by(self.honest[0]), before)

    def test_two_words_are_believed(self) -> None:
        known = self.known()
        later = Configuration(known.epoch + 1, known.members, known.members)
        for node in self.honest[1:3]:
            self.honest[0].service._directory.heard(0, later, node.identifier)
        self.assertEqual(self.known_by(self.honest[0]), later)

    def test_one_word_is_where_nobody_is_left_to_contradict(self) -> None:
        known = self.known()
        later = Configuration(known.epoch + 1, known.members, known.members)
        for node in self.honest[2:]:
            node.crash()
        self.honest[0].service._directory.heard(0, later, self.honest[1].identifier)
        self.assertEqual(self.known_by(self.honest[0]), later)

    def test_what_one_node_tells_in_passing_is_confirmed_at_once(self) -> None:
        last, *others = self.honest
        known = self.known()
        later = Configuration(known.epoch + 1, known.members, known.members)
        for node in others:
            node.store.put_slot(SlotRecord(0, later, State.ACTIVE))
        self.ring.ask(last.service._directory.compare([others[0].identifier]))
        self.assertEqual(self.known_by(last), known)
        wanted = [node.identifier for node in others[:3]]
        self.ring.ask(last.service._directory.compare(wanted))
        self.assertEqual(self.known_by(last), later)

    def stranger(self) -> Directory:
        """What a node knows that has just begun: nothing."""
        service = self.honest[0].service
        return Directory(self.ring.slots, service._asking, lambda point, count: [])

    def test_the_first_word_about_a_slot_is_put_right_by_two_others_whatever_epoch_it_names(self) -> None:
        known = self.known()
        for lie in (*self.lies(), Configuration((1 << 64) - 1, (self.liar.identifier,))):
            gateway = self.stranger()
            gateway.heard(0, lie, self.liar.identifier)
            self.assertEqual(gateway.get(0), lie)
            for node in (self.honest[0], self.honest[0], self.honest[1]):
                self.assertEqual(gateway.get(0), lie)
                gateway.heard(0, lie, self.liar.identifier)
                gateway.heard(0, known, node.identifier)
            self.assertEqual(gateway.get(0), known)
            gateway.heard(0, lie, self.liar.identifier)
            self.assertEqual(gateway.get(0), known)

    def test_who_told_alone_makes_nothing_sure_by_telling_more(self) -> None:
        gateway, known, me = self.stranger(), self.known(), self.liar.identifier
        for epoch, members in ((50, (me,)), (60, (Identifier(1), Identifier(2))), (70, (me,)), (80, known.members)):
            gateway.heard(0, Configuration(epoch, members), me)
        self.assertEqual(gateway.get(0), Configuration(80, known.members))
        for node in self.honest[:2]:
            gateway.heard(0, known, node.identifier)
        self.assertEqual(gateway.get(0), known)

    def test_a_first_word_that_another_node_repeats_is_not_taken_back(self) -> None:
        gateway, known = self.stranger(), self.known()
        later = Configuration(known.epoch + 1, known.members, known.members)
        for node in self.honest[:2]:
            gateway.heard(0, later, node.identifier)
        for node in self.honest[2:]:
            gateway.heard(0, known, node.identifier)
        self.assertEqual(gateway.get(0), later)

    def test_what_a_node_is_sure_of_counts_more_than_a_first_word(self) -> None:
        gateway, known = self.stranger(), self.known()
        gateway.heard(0, Configuration(known.epoch + 9, (self.liar.identifier,)), self.liar.identifier)
        self.assertTrue(gateway.learn(0, known))
        self.assertEqual(gateway.get(0), known)
        self.assertFalse(gateway.learn(0, known))

    def test_what_was_known_before_does_not_come_back(self) -> None:
        gateway, known = self.stranger(), self.known()
        gateway.learn(0, known)
        later = Configuration(known.epoch + 1, known.members, known.members)
        for node in self.honest[2:]:
            node.crash()
        gateway.heard(0, later, self.honest[1].identifier)
        self.assertFalse(gateway.learn(0, known))
        for node in self.honest[2:4]:
            gateway.heard(0, known, node.identifier)
        self.assertEqual(gateway.get(0), later)

    def test_few_lies_are_remembered(self) -> None:
        gateway = self.honest[0].service._directory
        for epoch in range(100, 200):
            gateway.heard(0, Configuration(epoch, (self.liar.identifier,)), self.liar.identifier)
        self.assertEqual(len(gateway._rumours[0]), MAX_RUMOURS)


class TruthTests(LyingCase):
    """Who missed an election learns of it, also from one node."""

    def change_without(self, away: Sequence[Node]) -> Configuration:
        """The newest members, elected while some nodes were down."""
        for node in away:
            node.crash()
        self.ring.run(1.0)
        wished = [node.identifier for node in self.ring.nodes if node is not away[0]]
        self.ring.ask(self.honest[0].service.propose(0, wished))
        self.ring.run(10.0)
        self.assertEqual(self.known().members, tuple(sorted(wished)))
        return self.known()

    def test_a_member_that_was_away_when_it_was_replaced(self) -> None:
        away = self.honest[-1]
        self.change_without([away])
        away.start()
        self.ring.run(40.0)
        self.assertEqual(away.service.movement.records[0].state, State.RETIRED)

    def test_a_member_that_was_away_and_stays_one(self) -> None:
        away = self.honest[-2:]
        self.change_without(away)
        for node in away:
            node.start()
        self.ring.run(40.0)
        self.assertEqual(self.ring.states()[0], ["ACTIVE"] * 5)
        self.assertEqual(away[1].service.movement.records[0].configuration, self.known())


class DeletionTests(SynchronousTestCase):
    """What may be all that is left is never deleted."""

    def test_the_copy_of_a_ring_of_two_stays_when_the_only_member_is_gone(self) -> None:
        ring = Ring(2, in_memory=True)
        self.addCleanup(ring.close)
        ring.run(20.0)
        ring.ask(ring.nodes[0].service.change(NAME, lambda old: b"ann", b"1"))
        ring.nodes[0].crash()
        ring.run(600.0)
        held = ring.nodes[1].store.register(NAME)
        self.assertEqual(held and held.content.value, b"ann")
        self.assertEqual(ring.nodes[1].service.movement.records[0].state, State.COPY)

    def test_who_was_replaced_keeps_its_records_until_two_nodes_have_them(self) -> None:
        ring = Ring(3, in_memory=True)
        self.addCleanup(ring.close)
        ring.grow(3)
        ring.ask(ring.nodes[0].service.change(NAME, lambda old: b"ann", b"1"))
        last = ring.nodes[2]
        before = last.service.movement.records[0].newest
        after = Configuration(before.epoch + 2, (ring.nodes[1].identifier,), before.members)
        last.store.put_slot(SlotRecord(0, before, State.SEALED, successor=after))
        ring.nodes[1].store.put_slot(SlotRecord(0, after, State.ACTIVE))
        last.service.movement.moved(SlotRecord(0, before, State.SEALED, successor=after))
        ring.run(60.0)
        self.assertEqual(last.service.movement.records[0].state, State.SEALED)
        self.assertIsNotNone(last.store.register(NAME))
