"""Handing records on: who answers a pull with what, and how pulled records are put together."""

from functools import partial
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import Misbehaved
from p2pchat.identifiers import Identifier
from p2pchat.replication.configuration import Configuration, Group, SlotRecord, State
from p2pchat.replication.formats import Formats
from p2pchat.replication.ground import Added, Event
from p2pchat.replication.inventory import Inventory
from p2pchat.replication.register import EMPTY, Ballot, Versioned
from p2pchat.replication.requests import MAX_IDS, AcceptRequest, Status
from p2pchat.replication.slots import KIND_ACCOUNT, RegisterKey
from p2pchat.replication.store import Store
from p2pchat.replication.transfers import (
    CopiedItem,
    CopiedRegister,
    CopyReply,
    CopyRequest,
    ListedItem,
    ListedRegister,
    Missing,
    PullReply,
    PullRequest,
)
from p2pchat.replication.uset import MAX_PAYLOAD_BYTES, ItemState, StoredItem

from .cases import ACCOUNT, FOUR, NOW, POINT, THREE, A, B, C, D, Lone, item_id

FIVE = FOUR.followed_by((A, B, C))


def learn(pupil: Lone, teacher: Lone, configuration: Configuration, slots: tuple[int, ...] = (0,)) -> list[PullReply]:
    """Everything a teacher hands on, taken over by the pupil; the pages of the inventory."""
    pages, after = list[PullReply](), None
    inventory = pupil.member.inventory
    while True:
        teacher.believe(configuration, slots)
        page = teacher.ask(PullRequest(configuration, slots, after))
        pages.append(page)
        missing = pupil.store.commit([partial(_missing, inventory, configuration, page)])[0]
        registers, items = list(missing.registers), list(missing.items)
        while registers or items:
            copies = teacher.ask(CopyRequest(configuration, tuple(registers[:MAX_IDS]), tuple(items[:MAX_IDS])))
            pupil.store.commit([partial(_merge, inventory, configuration, copies)])
            registers, items = registers[len(copies.registers) :], items[len(copies.items) :]
        after = page.next
        if after is None:
            return pages


def _missing(inventory: Inventory, configuration: Configuration, page: PullReply, store: Store) -> Missing:
    return inventory.missing(store, configuration, page)


def _merge(inventory: Inventory, configuration: Configuration, copies: CopyReply, store: Store) -> None:
    inventory.merge(store, configuration, copies, [])


def begin(pupil: Lone, configuration: Configuration, slots: tuple[int, ...] = (0,)) -> None:
    pupil.store.commit([lambda store: pupil.member.inventory.activate(store, configuration, slots, pupil.events)])


class PullTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.founder = Lone(A, founder=True)
        self.founder.accept(5, b"x")
        self.founder.add(1, 2, 3)
        self.founder.bury(3)
        self.founder.mark(2)
        self.founder.announce(THREE)

    def state(self, lone: Lone) -> State:
        record = lone.store.slot(0)
        assert record is not None
        return record.state

    def test_a_newcomer_gets_everything_and_serves(self) -> None:
        newcomer = Lone(B)
        newcomer.announce(THREE)
        pages = learn(newcomer, self.founder, THREE)
        self.assertEqual([page.full for page in pages], [(0,)])
        begin(newcomer, THREE)
        self.assertEqual(newcomer.read(epoch=2).content.value, b"x")
        states = [each.state for each in newcomer.list(epoch=2).known]
        self.assertEqual(states, [ItemState.PRESENT, ItemState.PRESENT, ItemState.ACKNOWLEDGED])

    def test_who_leaves_stops_serving_before_it_answers(self) -> None:
        page = self.founder.pull(FOUR)
        self.assertEqual((page.full, page.old), ((), (0,)))
        self.assertEqual(self.state(self.founder), State.SEALED)
        self.assertEqual(self.founder.accept(9, b"y", epoch=2).status, Status.WRONG_EPOCH)

    def test_who_stays_hands_on_its_frozen_records(self) -> None:
        stays = Lone(B)
        stays.announce(THREE)
        learn(stays, self.founder, THREE)
        begin(stays, THREE)
        page = stays.pull(FOUR)
        self.assertEqual((page.full, page.old), ((), (0,)))
        self.assertEqual(page.registers, (ListedRegister(ACCOUNT, Ballot(1, 5, A)),))
        self.assertEqual(self.state(stays), State.LEARN)

    def test_who_never_served_hands_on_nothing(self) -> None:
        newcomer = Lone(B)
        newcomer.announce(THREE)
        page = newcomer.pull(THREE)
        self.assertEqual((page.full, page.old, page.others), ((), (), (Group(THREE, (0,)),)))

    def test_later_configurations_are_named(self) -> None:
        self.founder.announce(FOUR)
        self.founder.announce(FIVE)
        self.assertEqual(self.founder.pull(FOUR).others, (Group(FIVE, (0,)),))

    def test_the_highest_ballot_wins(self) -> None:
        pupil = Lone(D)
        pupil.announce(FOUR)
        for number, value in ((7, b"new"), (6, b"old")):
            teacher = Lone(A, founder=True)
            teacher.accept(number, value)
            teacher.announce(THREE)
            learn(pupil, teacher, FOUR)
        begin(pupil, FOUR)
        self.assertEqual(pupil.read(epoch=3).content.value, b"new")

    def test_a_tombstone_wins_in_either_order(self) -> None:
        for buried_first in (True, False):
            pupil = Lone(D)
            pupil.announce(FOUR)
            for buried in (buried_first, not buried_first):
                teacher = Lone(A, founder=True)
                teacher.add(1)
                if buried:
                    teacher.bury(1)
                teacher.announce(THREE)
                learn(pupil, teacher, FOUR)
            begin(pupil, FOUR)
            self.assertEqual(pupil.list(epoch=3).known[0].state, ItemState.ACKNOWLEDGED)

    def test_many_records_come_in_pages(self) -> None:
        keys = [RegisterKey(Identifier(number), KIND_ACCOUNT) for number in range(1, 1500)]
        self.founder.store.commit(
            [
                lambda store: [
                    self.founder.member.answer(
                        store, A, AcceptRequest(key, Ballot(2, 1, A), Versioned(1, (), b"v")), 0.0
                    )
                    for key in keys
                ]
            ]
        )
        self.founder.add(*range(10, 400), epoch=2)
        newcomer = Lone(B)
        newcomer.announce(THREE, (0, 1))
        pages = learn(newcomer, self.founder, THREE, (0, 1))
        self.assertGreater(len(pages), 2)
        self.assertEqual(sum(len(page.registers) for page in pages), 1500)
        self.assertEqual(newcomer.store.tally(), [(0, 255, 392)])
        self.assertEqual(len(newcomer.store.ballots(*newcomer.member.ground.span(0), None, 9999)), 1500)

    def test_long_values_come_in_several_copies(self) -> None:
        for number in range(1, 5):
            key = RegisterKey(Identifier(number), KIND_ACCOUNT)
            self.founder.accept(1, bytes(50_000), epoch=2, key=key)
        copies = self.founder.ask(
            CopyRequest(THREE, tuple(RegisterKey(Identifier(number), KIND_ACCOUNT) for number in range(1, 5)))
        )
        self.assertEqual(len(copies.registers), 1)

    def test_a_copy_of_what_was_not_sealed_is_refused(self) -> None:
        self.assertTrue(self.founder.ask(CopyRequest(FOUR, (ACCOUNT,))).gone)
        self.founder.pull(FOUR)
        self.assertFalse(self.founder.ask(CopyRequest(FOUR, (ACCOUNT,))).gone)

    def test_a_later_epoch_takes_no_records_of_an_earlier_pull(self) -> None:
        newcomer = Lone(B)
        newcomer.announce(THREE)
        copies: Any = self.founder.ask(CopyRequest(THREE, (ACCOUNT,)))
        newcomer.announce(FOUR)
        newcomer.store.commit([lambda store: newcomer.member.inventory.merge(store, THREE, copies, newcomer.events)])
        begin(newcomer, THREE)
        self.assertIsNone(newcomer.store.register(ACCOUNT))
        self.assertEqual(self.state(newcomer), State.LEARN)

    def test_items_that_come_by_a_pull_are_told_as_those_that_somebody_adds(self) -> None:
        """Who was the owner before a partition, and is it again, hears by this of mail that the others took."""
        newcomer = Lone(B)
        newcomer.announce(THREE)
        mail = StoredItem(item_id(1), ItemState.PRESENT, int(NOW), b"mail")
        gone = StoredItem(item_id(2), ItemState.ACKNOWLEDGED, int(NOW))
        copies = CopyReply((), (CopiedItem(POINT, mail), CopiedItem(POINT, gone)))
        events: list[Event] = []
        for _ in range(2):
            newcomer.store.commit([lambda store: newcomer.member.inventory.merge(store, THREE, copies, events)])
        self.assertEqual(events, [Added(POINT, (item_id(1),))])

    def test_records_of_a_membership_before_stay_as_a_source_more_and_serve_nothing(self) -> None:
        self.founder.pull(FOUR)
        self.founder.announce(FIVE)
        record = self.founder.store.slot(0)
        self.assertEqual(record, SlotRecord(0, FIVE, State.LEARN))
        self.assertIsNotNone(self.founder.store.register(ACCOUNT))
        self.assertEqual(self.founder.pull(FIVE).full, ())


def demand_signature(held: bytes | None, value: bytes) -> None:
    if not value.startswith(b"signed"):
        raise Misbehaved("It has no signature.")
    if held is not None and held > value:
        raise Misbehaved("It does not follow.")


class HostileSourceTests(SynchronousTestCase):
    """What a member of before hands on is judged as what a proposer sends."""

    def setUp(self) -> None:
        self.pupil = Lone(B, formats=Formats(validators={KIND_ACCOUNT: demand_signature}))
        self.pupil.announce(THREE)

    def merge(self, *registers: CopiedRegister, items: tuple[CopiedItem, ...] = ()) -> Any:
        """What became of the turn: None, or the Failure."""
        copies = CopyReply(registers, items)
        return self.pupil.store.commit([partial(_merge, self.pupil.member.inventory, THREE, copies)])[0]

    def register(self, value: bytes | None, counter: int = 1, epoch: int = 1, version: int = 1) -> CopiedRegister:
        return CopiedRegister(ACCOUNT, Ballot(epoch, counter, A), Versioned(version, (), value))

    def refused(self, *registers: CopiedRegister, items: tuple[CopiedItem, ...] = ()) -> None:
        self.merge(*registers, items=items).trap(Misbehaved)
        self.assertIsNone(self.pupil.store.register(ACCOUNT))
        self.assertEqual(self.pupil.store.items(*self.pupil.member.ground.span(0), None, 9), [])

    def test_what_is_signed_is_taken(self) -> None:
        self.assertIsNone(self.merge(self.register(b"signed 1")))
        self.assertEqual((self.pupil.store.register(ACCOUNT) or EMPTY).content.value, b"signed 1")

    def test_a_forged_value_ends_the_pull(self) -> None:
        self.refused(self.register(b"forged"))

    def test_a_forged_value_takes_nothing_with_it(self) -> None:
        item = CopiedItem(POINT, StoredItem(item_id(1), ItemState.PRESENT, int(NOW), b"mail"))
        self.refused(self.register(b"forged"), items=(item,))

    def test_a_value_beyond_its_limits_ends_the_pull(self) -> None:
        self.refused(self.register(b"signed" + bytes(60_000)))

    def test_a_ballot_of_a_later_epoch_ends_the_pull(self) -> None:
        self.refused(self.register(b"signed 1", epoch=3))

    def test_no_value_where_there_was_one_ends_the_pull(self) -> None:
        self.refused(self.register(None, version=4))

    def test_items_beyond_their_limits_end_the_pull(self) -> None:
        for wrong in (
            StoredItem(b"short", ItemState.PRESENT, int(NOW), b"mail"),
            StoredItem(item_id(1), ItemState.PRESENT, int(NOW), bytes(MAX_PAYLOAD_BYTES + 1)),
        ):
            self.refused(items=(CopiedItem(POINT, wrong),))

    def test_a_listed_tombstone_beyond_its_limits_ends_the_pull(self) -> None:
        page = PullReply(items=(ListedItem(POINT, b"short", ItemState.ACKNOWLEDGED, int(NOW)),))
        missing = self.pupil.store.commit([partial(_missing, self.pupil.member.inventory, THREE, page)])[0]
        missing.trap(Misbehaved)
        self.assertEqual(self.pupil.store.items(*self.pupil.member.ground.span(0), None, 9), [])

    def test_a_value_beside_another_one_is_no_forgery(self) -> None:
        """Which of two signed values was chosen the ballots say: a source must not be able to discredit another."""
        held = CopiedRegister(ACCOUNT, Ballot(1, 1, A), Versioned(1, (bytes(16),), b"signed 2"))
        self.merge(held)
        later = Versioned(2, (bytes(16), b"1" * 16), b"signed 1")
        self.assertIsNone(self.merge(CopiedRegister(ACCOUNT, Ballot(1, 2, C), later)))
        self.assertEqual((self.pupil.store.register(ACCOUNT) or EMPTY).content, later)
