"""Handing records on: who answers a pull with what, and how pulled records are put together."""

from functools import partial
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.identifiers import Identifier
from p2pchat.replication.configuration import Configuration, Group, State
from p2pchat.replication.inventory import Inventory
from p2pchat.replication.register import Ballot, Versioned
from p2pchat.replication.requests import MAX_IDS, AcceptRequest, Status
from p2pchat.replication.slots import KIND_ACCOUNT, RegisterKey
from p2pchat.replication.store import Store
from p2pchat.replication.transfers import CopyReply, CopyRequest, ListedRegister, Missing, PullReply, PullRequest
from p2pchat.replication.uset import ItemState

from .cases import ACCOUNT, FOUR, THREE, A, B, C, D, Lone, item_id

FIVE = FOUR.followed_by((A, B, C))


def learn(pupil: Lone, teacher: Lone, configuration: Configuration, slots: tuple[int, ...] = (0,)) -> list[PullReply]:
    """Everything a teacher hands on, taken over by the pupil; the pages of the inventory."""
    pages, after = list[PullReply](), None
    inventory = pupil.member.inventory
    while True:
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
    inventory.merge(store, configuration, copies)


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
        newcomer.store.commit([lambda store: newcomer.member.inventory.merge(store, THREE, copies)])
        begin(newcomer, THREE)
        self.assertIsNone(newcomer.store.register(ACCOUNT))
        self.assertEqual(self.state(newcomer), State.LEARN)

    def test_records_of_a_life_before_do_not_come_back(self) -> None:
        self.founder.pull(FOUR)
        self.founder.announce(FIVE)
        self.assertEqual(self.state(self.founder), State.LEARN)
        self.assertIsNone(self.founder.store.register(ACCOUNT))
        self.assertIsNone(self.founder.store.item(ACCOUNT.point, item_id(1)))
