"""How a node's part in a slot goes on, event by event."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import Misbehaved
from p2pchat.identifiers import Identifier
from p2pchat.replication.configuration import (
    MAX_MEMBERS,
    Configuration,
    Keep,
    SlotRecord,
    State,
    adopted,
    genesis,
    majority,
    retired,
    sealed,
)

A, B, C, D = (Identifier(each) for each in range(1, 5))
FIRST = Configuration(1, (A,))
SECOND = FIRST.followed_by((A, B, C))
THIRD = SECOND.followed_by((B, C, D))


def part(record: SlotRecord | None) -> SlotRecord:
    assert record is not None
    return record


class ConfigurationTests(SynchronousTestCase):
    def test_members_are_ascending_distinct_and_few(self) -> None:
        for members in ((B, A), (A, A), (), tuple(Identifier(each) for each in range(MAX_MEMBERS + 1))):
            self.assertRaises(Misbehaved, Configuration, 1, members)
        self.assertRaises(Misbehaved, Configuration, 0, (A,))

    def test_majority_is_more_than_half(self) -> None:
        self.assertEqual([majority(count) for count in (1, 2, 3, 4, 5)], [1, 2, 2, 3, 3])


class AdoptionTests(SynchronousTestCase):
    def test_a_lone_member_goes_on_at_once(self) -> None:
        record, keep = adopted(genesis(0, A), 0, SECOND, A)
        self.assertEqual((part(record).state, keep), (State.ACTIVE, Keep.SETTLE))

    def test_a_newcomer_learns_from_nothing(self) -> None:
        record, keep = adopted(None, 0, SECOND, B)
        self.assertEqual(record, SlotRecord(0, SECOND, State.LEARN))
        self.assertEqual(keep, Keep.CLEAR)

    def test_a_member_of_three_keeps_its_records_frozen(self) -> None:
        record, keep = adopted(SlotRecord(0, SECOND, State.ACTIVE), 0, THIRD, B)
        self.assertEqual(record, SlotRecord(0, THIRD, State.LEARN, frozen=True))
        self.assertEqual(keep, Keep.AS_THEY_ARE)

    def test_what_a_member_only_learned_does_not_count_and_stays(self) -> None:
        record, keep = adopted(SlotRecord(0, SECOND, State.LEARN, frozen=True), 0, THIRD, B)
        self.assertEqual((part(record).frozen, keep), (False, Keep.AS_THEY_ARE))

    def test_records_of_a_skipped_epoch_do_not_count(self) -> None:
        later = THIRD.followed_by((A, B, C))
        record, keep = adopted(SlotRecord(0, SECOND, State.ACTIVE), 0, later, B)
        self.assertEqual((part(record).frozen, keep), (False, Keep.AS_THEY_ARE))

    def test_who_has_nothing_that_counts_and_is_left_out_keeps_a_copy(self) -> None:
        for state in (State.LEARN, State.COPY):
            record, keep = adopted(SlotRecord(0, SECOND, state), 0, THIRD, A)
            self.assertEqual(record, SlotRecord(0, SECOND, State.COPY, successor=THIRD))
            self.assertEqual(keep, Keep.AS_THEY_ARE)
        retired = SlotRecord(0, SECOND, State.RETIRED)
        self.assertEqual(adopted(retired, 0, THIRD, A), (SlotRecord(0, THIRD, State.RETIRED), Keep.AS_THEY_ARE))

    def test_who_is_left_out_serves_on_until_it_is_asked(self) -> None:
        record, keep = adopted(SlotRecord(0, SECOND, State.ACTIVE), 0, THIRD, A)
        self.assertTrue(part(record).serves(2))
        self.assertEqual((part(record).newest, keep), (THIRD, Keep.AS_THEY_ARE))

    def test_who_is_left_out_and_far_behind_stops(self) -> None:
        record, _ = adopted(genesis(0, A), 0, THIRD, A)
        self.assertEqual(part(record).state, State.SEALED)

    def test_old_news_change_nothing(self) -> None:
        record = SlotRecord(0, THIRD, State.ACTIVE)
        self.assertEqual(adopted(record, 0, SECOND, B), (record, Keep.AS_THEY_ARE))

    def test_two_configurations_of_an_epoch_are_never_believed(self) -> None:
        self.assertRaises(Misbehaved, adopted, SlotRecord(0, SECOND, State.ACTIVE), 0, FIRST.followed_by((A, B, D)), B)

    def test_strangers_keep_nothing(self) -> None:
        self.assertEqual(adopted(None, 0, SECOND, D), (None, Keep.AS_THEY_ARE))

    def test_a_sealed_member_votes_but_does_not_serve(self) -> None:
        record = sealed(SlotRecord(0, SECOND, State.ACTIVE))
        self.assertEqual((record.votes(2), record.serves(2)), (True, False))

    def test_a_retired_member_keeps_the_way_on(self) -> None:
        record, _ = adopted(SlotRecord(0, SECOND, State.ACTIVE), 0, THIRD, A)
        self.assertEqual(retired(part(record)), SlotRecord(0, THIRD, State.RETIRED))
