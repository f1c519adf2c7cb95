"""A ring that lost majorities: what survivors report, who goes on, and that nothing they had is lost."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import Moving, NoQuorum
from p2pchat.identifiers import Identifier
from p2pchat.replication.configuration import (
    Configuration,
    Keep,
    SlotRecord,
    State,
    adopted,
    first_epoch,
    follows,
    generation_of,
    needed_sources,
    shown_epoch,
)
from p2pchat.replication.generation import Held, Plan, Report, named_nodes, planned
from p2pchat.replication.packing import pack, unpack
from p2pchat.replication.slots import KIND_ACCOUNT, RegisterKey
from p2pchat.replication.uset import Item
from tests.replication.ring import Node, Ring

A, B, C, D, E = (Identifier(each << 200) for each in range(1, 6))
OLD = Configuration(7, (A, B, C, D, E), (A, B, C))
NEXT = OLD.followed_by((A, B, C))
PLANNED = Configuration(first_epoch(1), (A, B), (A, B))


def report(newest: Configuration, own: int, state: State, slot: int = 0) -> Report:
    return Report((Held(newest, own, state, (slot,)),))


class EpochTests(SynchronousTestCase):
    """How epochs are counted."""

    def test_a_generation_is_above_every_epoch_before_and_follows_all_of_them(self) -> None:
        self.assertGreater(first_epoch(1), 1 << 39)
        self.assertEqual(
            [generation_of(7), generation_of(first_epoch(2)), generation_of(first_epoch(2) + 9)], [0, 2, 2]
        )
        self.assertTrue(follows(8, 7) and follows(first_epoch(1), 7) and follows(first_epoch(2), first_epoch(1) + 5))
        self.assertFalse(follows(9, 7) or follows(first_epoch(1), first_epoch(1)))
        self.assertEqual([shown_epoch(7), shown_epoch(first_epoch(2) + 3)], ["7", "2.3"])

    def test_a_planned_epoch_needs_every_survivor_and_later_ones_a_majority(self) -> None:
        self.assertEqual(needed_sources(Configuration(first_epoch(1), (A, B, C), (A, B, C))), 3)
        self.assertEqual(needed_sources(Configuration(first_epoch(1) + 1, (A, B, C), (A, B, C))), 2)


class PlanTests(SynchronousTestCase):
    """Who goes on, and what that may cost."""

    def plan(self, **reports: Report) -> tuple[Plan, tuple[int, ...], tuple[int, ...]]:
        named = {"a": A, "b": B, "c": C, "d": D, "e": E}
        plan, losses = planned({named[each]: said for each, said in reports.items()}, 1, 4, 1)
        return plan, losses.empty, losses.doubtful

    def test_survivors_that_have_everything_are_the_beginning_and_older_ones_are_not_asked(self) -> None:
        plan, empty, doubtful = self.plan(
            a=report(NEXT, 8, State.SEALED), b=report(NEXT, 8, State.SEALED), d=report(OLD, 7, State.SEALED)
        )
        (group,) = plan.groups
        self.assertEqual(group.configuration, Configuration(first_epoch(1), (A, B, D), (A, B)))
        self.assertEqual((empty, doubtful), ((), ()))

    def test_without_a_complete_one_everybody_who_has_something_is_asked(self) -> None:
        plan, empty, doubtful = self.plan(a=report(NEXT, 8, State.LEARN), d=report(NEXT, 7, State.SEALED))
        (group,) = plan.groups
        self.assertEqual((group.configuration.previous, empty, doubtful), ((A, D), (), (0,)))

    def test_a_minority_is_in_doubt_and_nobody_is_a_loss(self) -> None:
        _, empty, doubtful = self.plan(a=report(OLD, 7, State.SEALED), b=report(OLD, 7, State.SEALED))
        self.assertEqual((empty, doubtful), ((), (0,)))
        plan, empty, doubtful = self.plan(a=report(OLD, 7, State.RETIRED), b=Report(()))
        self.assertEqual((plan.groups[0].configuration.previous, empty, doubtful), ((), (0,), ()))

    def test_a_plan_travels_and_names_whom_a_report_names(self) -> None:
        plan, _, _ = self.plan(a=report(OLD, 7, State.SEALED))
        self.assertEqual(unpack(Plan, pack(plan)), plan)
        self.assertEqual(named_nodes({A: report(OLD, 7, State.SEALED)}), {A, B, C, D, E})


class AdoptionTests(SynchronousTestCase):
    """A node's part in a slot, when a plan comes."""

    def test_what_a_survivor_has_counts_whatever_it_was(self) -> None:
        for state in (State.ACTIVE, State.SEALED, State.LEARN):
            record, keep = adopted(SlotRecord(0, OLD, state), 0, PLANNED, A)
            self.assertEqual((record, keep), (SlotRecord(0, PLANNED, State.LEARN, frozen=True), Keep.AS_THEY_ARE))

    def test_a_survivor_that_is_no_member_keeps_its_records_for_those_who_are(self) -> None:
        planned = Configuration(first_epoch(1), (B,), (A, B))
        for state in (State.ACTIVE, State.SEALED, State.LEARN):
            record, keep = adopted(SlotRecord(0, OLD, state), 0, planned, A)
            self.assertEqual((record, keep), (SlotRecord(0, OLD, State.SEALED, successor=planned), Keep.AS_THEY_ARE))

    def test_where_nothing_is_left_members_begin_at_once(self) -> None:
        record, keep = adopted(None, 0, Configuration(first_epoch(1), (A, B)), A)
        self.assertEqual((record is not None and record.state, keep), (State.ACTIVE, Keep.CLEAR))

    def test_a_node_that_is_not_counted_on_starts_anew(self) -> None:
        planned = Configuration(first_epoch(1), (A, B), (B,))
        record, keep = adopted(SlotRecord(0, OLD, State.SEALED), 0, planned, A)
        self.assertEqual((record, keep), (SlotRecord(0, planned, State.LEARN), Keep.CLEAR))


class LostMajorityTests(SynchronousTestCase):
    """Real services: three of five die, the others go on."""

    def setUp(self) -> None:
        self.ring = Ring(nodes=5, in_memory=True)
        self.addCleanup(self.ring.close)
        self.ring.grow(members=5)
        self.key = RegisterKey(Identifier(7), KIND_ACCOUNT)

    def change(self, node: Node, value: bytes) -> None:
        self.ring.ask(node.service.change(self.key, lambda _: value, value))

    def kill(self, *numbers: int) -> list[Node]:
        for number in numbers:
            self.ring.nodes[number].service.stopService()
            self.ring.nodes[number].crash()
        return [node for node in self.ring.nodes if node.host is not None]

    def sealed(self, survivors: list[Node], generation: int) -> Plan:
        reports = {node.identifier: self.ring.ask(node.service.succession.seal(generation)) for node in survivors}
        return planned(reports, self.ring.slots, self.ring.replicas, generation)[0]

    def test_what_two_survivors_have_is_there_again(self) -> None:
        self.change(self.ring.nodes[0], b"olga")
        self.ring.ask(self.ring.nodes[0].service.add(Identifier(9), b"", [Item(bytes(32), b"mail")]))
        survivors = self.kill(0, 1, 2)
        self.assertRaises(NoQuorum, self.ring.ask, survivors[0].service.read(self.key))
        plan = self.sealed(survivors, 1)
        for node in survivors:
            self.ring.ask(node.service.succession.adopt(plan))
        self.ring.run(5)
        self.assertEqual(self.ring.ask(survivors[0].service.read(self.key)).value, b"olga")
        page = self.ring.ask(survivors[1].service.fetch(Identifier(9), 0))
        self.assertEqual([item.payload for item in page.items], [b"mail"])
        self.change(survivors[1], b"ivan")
        self.assertEqual(self.ring.ask(survivors[0].service.read(self.key)).value, b"ivan")

    def test_the_ring_grows_again_and_a_second_loss_is_survived(self) -> None:
        self.change(self.ring.nodes[0], b"olga")
        survivors = self.kill(0, 1, 2)
        plan = self.sealed(survivors, 1)
        for node in survivors:
            self.ring.ask(node.service.succession.adopt(plan))
        self.ring.run(5)
        survivors.append(self.ring.add(7))
        self.ring.grow(members=3, seconds=60)
        self.change(survivors[0], b"ivan")
        self.ring.run(1)  # until the third member has it too
        last = self.kill(3, 4)
        plan = self.sealed(last, 2)
        self.ring.ask(last[0].service.succession.adopt(plan))
        self.ring.run(5)
        self.assertEqual(self.ring.ask(last[0].service.read(self.key)).value, b"ivan")
        self.assertEqual(shown_epoch(self.ring.ask(last[0].service.trace(self.key.point)).epoch), "2.0")

    def test_a_sealed_node_takes_part_in_nothing_that_is_over(self) -> None:
        self.change(self.ring.nodes[0], b"olga")
        self.sealed(self.ring.nodes, 1)
        self.ring.run(30)
        for node in self.ring.nodes:
            records = node.service.movement.records.values()
            self.assertEqual({record.state for record in records}, {State.SEALED})
        self.assertRaises(Moving, self.ring.ask, self.ring.nodes[0].service.read(self.key))

    def test_adopting_twice_changes_nothing(self) -> None:
        survivors = self.kill(0, 1, 2)
        plan = self.sealed(survivors, 1)
        for _ in range(2):
            for node in survivors:
                self.ring.ask(node.service.succession.adopt(plan))
            self.ring.run(3)
        states = {record.state for record in survivors[0].service.movement.records.values()}
        self.assertEqual(states, {State.ACTIVE})
