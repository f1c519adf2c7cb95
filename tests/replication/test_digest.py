"""Comparing members: what digests see, and what is taken over by which rule."""

import contextlib
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import Misbehaved
from p2pchat.identifiers import CIRCLE, Identifier
from p2pchat.replication.configuration import Configuration, SlotRecord, State
from p2pchat.replication.digest import DIGEST_ROWS
from p2pchat.replication.formats import Formats
from p2pchat.replication.ground import Changed
from p2pchat.replication.register import Ballot, Register, Versioned
from p2pchat.replication.slots import KIND_ACCOUNT, RegisterKey
from p2pchat.replication.transfers import (
    CopiedItem,
    CopiedRegister,
    DigestRequest,
    ListedItem,
    ListedRegister,
    MirrorRequest,
    Missing,
    PullReply,
    SlotDigest,
)
from p2pchat.replication.uset import EXPIRY_SECONDS, ItemState, StoredItem

from .cases import ACCOUNT, FOUR, GENESIS, NOW, POINT, SLOTS, THREE, A, B, Lone, item_id

EPOCH = THREE.epoch


def low(counter: int) -> Ballot:
    return Ballot(EPOCH, counter, A)


def copied(counter: int, value: bytes) -> CopiedRegister:
    return CopiedRegister(ACCOUNT, low(counter), Versioned(counter, (), value))


def text(number: int, state: ItemState = ItemState.PRESENT, received: int = int(NOW)) -> CopiedItem:
    payload = b"text" if state is ItemState.PRESENT else b""
    return CopiedItem(POINT, StoredItem(item_id(number), state, received, payload))


def refuse(held: bytes | None, value: bytes) -> None:
    raise Misbehaved("It has no signature.")


class DigestCase(SynchronousTestCase):
    def member(self, me: Identifier = A, state: State = State.ACTIVE) -> Lone:
        """A member of slot 0 in the epoch of three members."""
        lone = Lone(me)
        lone.store.commit([lambda store: store.put_slot(SlotRecord(0, THREE, state))])
        return lone

    def turn(self, lone: Lone, work: Any) -> Any:
        results = lone.store.commit([work])
        if hasattr(results[0], "raiseException"):
            results[0].raiseException()
        return results[0]

    def digest(self, lone: Lone) -> bytes:
        (found,) = lone.ask(DigestRequest(EPOCH, (0,))).digests
        digest: bytes = found.digest
        return digest

    def mend(self, lone: Lone, *records: CopiedRegister | CopiedItem) -> Any:
        registers = [each for each in records if isinstance(each, CopiedRegister)]
        items = [each for each in records if isinstance(each, CopiedItem)]
        comparer = lone.member.comparer
        return self.turn(lone, lambda store: comparer.mend(store, THREE, registers, items, NOW, lone.events))


class DigestTests(DigestCase):
    def test_equal_records_have_equal_digests_whenever_they_came(self) -> None:
        one, other = self.member(A), self.member(B)
        self.mend(one, copied(1, b"x"), text(1, received=5 + int(NOW)), text(2))
        self.mend(other, text(2), text(1))
        self.assertNotEqual(self.digest(one), self.digest(other))
        self.mend(other, copied(1, b"x"))
        self.assertEqual(self.digest(one), self.digest(other))

    def test_promises_and_pending_removals_are_in_no_digest(self) -> None:
        lone = self.member()
        self.mend(lone, copied(1, b"x"), text(1))
        before = self.digest(lone)
        lone.prepare(9, EPOCH)
        lone.prepare(9, EPOCH, key=RegisterKey(POINT, 2))
        lone.mark(1, epoch=EPOCH)
        self.assertEqual(self.digest(lone), before)
        lone.bury(1, epoch=EPOCH)
        self.assertNotEqual(self.digest(lone), before)

    def test_who_does_not_serve_the_epoch_says_nothing(self) -> None:
        for state in (State.LEARN, State.SEALED, State.RETIRED, State.COPY):
            self.assertEqual(self.digest(self.member(state=state)), b"")
        (found,) = self.member().ask(DigestRequest(EPOCH + 1, (0,))).digests
        self.assertEqual(found, SlotDigest(0, b""))

    def test_one_turn_reads_a_bounded_number_of_records(self) -> None:
        lone = Lone(A)

        def fill(store: Any) -> None:
            for slot in range(SLOTS):
                store.put_slot(SlotRecord(slot, THREE, State.ACTIVE))
            for number in range(DIGEST_ROWS):
                store.put_register(RegisterKey(Identifier(number), KIND_ACCOUNT), Register(low(1), low(1)))

        self.turn(lone, fill)
        asked = tuple(range(SLOTS))
        self.assertEqual([each.slot for each in lone.ask(DigestRequest(EPOCH, asked)).digests], [0])
        self.assertEqual([each.slot for each in lone.ask(DigestRequest(EPOCH, asked[1:])).digests], [1, 2, 3])

    def test_slots_that_the_ring_does_not_have_are_refused(self) -> None:
        self.assertRaises(Misbehaved, self.member().ask, DigestRequest(EPOCH, (SLOTS,)))

    def test_only_slots_kept_in_the_same_epoch_differ(self) -> None:
        lone = self.member()
        others = [SlotDigest(0, bytes(16)), SlotDigest(1, bytes(16)), SlotDigest(SLOTS, bytes(16))]
        comparer = lone.member.comparer
        self.assertEqual(self.turn(lone, lambda store: comparer.differing(store, THREE, others)), (0,))
        self.assertEqual(self.turn(lone, lambda store: comparer.differing(store, FOUR, others)), ())
        same = [SlotDigest(0, self.digest(lone)), SlotDigest(0, b"")]
        self.assertEqual(self.turn(lone, lambda store: comparer.differing(store, THREE, same)), ())


class MendTests(DigestCase):
    def test_a_missed_value_is_taken_over_as_if_its_proposer_had_sent_it(self) -> None:
        lone = self.member()
        self.mend(lone, copied(5, b"x"))
        held = lone.store.register(ACCOUNT)
        self.assertEqual(held, Register(low(5), low(5), Versioned(5, (), b"x")))
        self.assertEqual(lone.events, [Changed(ACCOUNT, b"x")])

    def test_an_older_value_and_one_below_a_promise_are_not(self) -> None:
        lone = self.member()
        self.mend(lone, copied(5, b"x"))
        self.mend(lone, copied(4, b"older"))
        lone.prepare(9, EPOCH)
        self.mend(lone, copied(8, b"outbid"))
        held = lone.store.register(ACCOUNT)
        self.assertEqual((held and held.promised, held and held.content.value), (low(9), b"x"))
        self.mend(lone, copied(9, b"y"))
        held = lone.store.register(ACCOUNT)
        self.assertEqual(held and held.content.value, b"y")

    def test_who_has_stopped_serving_takes_nothing(self) -> None:
        for state in (State.SEALED, State.LEARN, State.RETIRED):
            lone = self.member(state=state)
            self.assertFalse(self.mend(lone, copied(5, b"x"), text(1)))
            self.assertIsNone(lone.store.register(ACCOUNT))

    def test_a_value_of_a_later_epoch_is_a_lie(self) -> None:
        later = CopiedRegister(ACCOUNT, Ballot(EPOCH + 1, 1, B), Versioned(1, (), b"x"))
        self.assertRaises(Misbehaved, self.mend, self.member(), later)

    def test_tombstones_win_and_what_is_over_stays_away(self) -> None:
        lone = self.member()
        self.mend(lone, text(1), text(2), text(3, received=int(NOW) - EXPIRY_SECONDS - 1))
        self.mend(lone, text(2, ItemState.ACKNOWLEDGED), text(1, ItemState.UNKNOWN))
        states = {number: lone.store.item(POINT, item_id(number)) for number in (1, 2, 3)}
        self.assertEqual(
            [held and held.state for held in states.values()], [ItemState.PRESENT, ItemState.ACKNOWLEDGED, None]
        )
        self.mend(lone, text(2))
        held = lone.store.item(POINT, item_id(2))
        self.assertEqual(held and held.state, ItemState.ACKNOWLEDGED)

    def test_a_page_says_what_is_lacking(self) -> None:
        lone = self.member()
        self.mend(lone, copied(5, b"x"), text(1))
        page = PullReply(
            full=(0,),
            old=(1,),
            registers=(
                ListedRegister(ACCOUNT, low(5)),
                ListedRegister(RegisterKey(POINT, 2), low(1)),
                ListedRegister(RegisterKey(Identifier(CIRCLE // 2 - 1), 1), low(9)),
            ),
            items=tuple(
                ListedItem(POINT, item_id(number), state, int(NOW))
                for number, state in ((1, ItemState.ACKNOWLEDGED), (2, ItemState.PRESENT))
            ),
        )
        comparer = lone.member.comparer
        missing = self.turn(lone, lambda store: comparer.lacking(store, THREE, page, NOW, lone.events))
        self.assertIsInstance(missing, Missing)
        self.assertEqual(missing.registers, (RegisterKey(POINT, 2),))
        self.assertEqual([each.id for each in missing.items], [item_id(2)])
        held = lone.store.item(POINT, item_id(1))
        self.assertEqual(held and held.state, ItemState.ACKNOWLEDGED)


class CopyTests(DigestCase):
    """Beside the only member."""

    def keeper(self) -> Lone:
        lone = Lone(B)
        self.follow(lone, GENESIS)
        return lone

    def follow(self, lone: Lone, configuration: Configuration) -> None:
        self.turn(lone, lambda store: lone.member.comparer.follow(store, [(0, configuration)], lone.events))

    def test_a_keeper_of_copies_keeps_what_the_only_member_sends(self) -> None:
        lone = self.keeper()
        first = CopiedRegister(ACCOUNT, Ballot(1, 1, A), Versioned(1, (), b"x"))
        self.assertTrue(lone.ask(MirrorRequest(GENESIS, (first,), (text(1),)), A).kept)
        held = lone.store.register(ACCOUNT)
        self.assertEqual(held and held.content.value, b"x")
        self.assertIsNotNone(lone.store.item(POINT, item_id(1)))

    def test_it_serves_nothing_and_has_no_vote(self) -> None:
        record = self.keeper().store.slot(0)
        self.assertEqual(record, SlotRecord(0, GENESIS, State.COPY))
        self.assertFalse(record and (record.serves(1) or record.votes(1)))
        lone = self.keeper()
        self.assertEqual(lone.pull(THREE).old, ())
        self.assertEqual(lone.store.slot(0), SlotRecord(0, THREE, State.LEARN))

    def test_what_may_not_follow_is_not_kept(self) -> None:
        for formats, value in ((Formats(validators={KIND_ACCOUNT: refuse}), b"forged"), (None, bytes(60_001))):
            lone = Lone(B, formats=formats)
            self.follow(lone, GENESIS)
            forged = CopiedRegister(ACCOUNT, Ballot(1, 1, A), Versioned(1, (), value))
            with contextlib.suppress(Misbehaved):
                lone.ask(MirrorRequest(GENESIS, (forged,)), A)
            self.assertIsNone(lone.store.register(ACCOUNT))

    def test_others_cannot_write_into_it(self) -> None:
        lone = self.keeper()
        self.assertRaises(Misbehaved, lone.ask, MirrorRequest(GENESIS), B)
        self.assertRaises(Misbehaved, lone.ask, MirrorRequest(THREE), A)

    def test_a_node_that_keeps_no_copy_says_so(self) -> None:
        first = CopiedRegister(ACCOUNT, Ballot(1, 1, A), Versioned(1, (), b"x"))
        self.assertFalse(Lone(B).ask(MirrorRequest(GENESIS, (first,)), A).kept)
        lone = self.member(B)
        self.assertFalse(lone.ask(MirrorRequest(GENESIS, (first,)), A).kept)
        self.assertIsNone(lone.store.register(ACCOUNT))

    def test_a_member_never_becomes_a_keeper(self) -> None:
        for state in (State.ACTIVE, State.LEARN, State.SEALED):
            lone = self.member(B, state)
            self.follow(lone, FOUR.followed_by((A,)))
            self.assertEqual(lone.store.slot(0), SlotRecord(0, THREE, state))

    def test_nor_of_what_is_older_than_what_it_knows(self) -> None:
        lone = self.member(B, State.RETIRED)
        self.follow(lone, GENESIS)
        self.assertEqual(lone.store.slot(0), SlotRecord(0, THREE, State.RETIRED))
