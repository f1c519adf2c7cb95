"""Online, offline after 15 s of silence, unknown to a new owner; the highest beat wins."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.heartbeat.presence import Moment, PresenceTable
from p2pchat.heartbeat.tenure import Tenure
from p2pchat.identifiers import Identifier

ALICE, HERE, THERE = Identifier(1), Identifier(5), Identifier(6)


class PresenceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.table = PresenceTable()

    def beat(self, counter: int, now: float, presence: str = "visible", epoch: int = 1, at: Identifier = HERE) -> bool:
        return self.table.receive(ALICE, Moment(epoch, 0, counter), presence, at, now)

    def test_fifteen_seconds_of_silence_are_offline(self) -> None:
        self.assertTrue(self.beat(1, 100.0))
        self.assertEqual(self.table.state(ALICE, 0.0, 114.9), "online")
        self.assertEqual(self.table.expire(114.9), [])
        self.assertEqual(self.table.state(ALICE, 0.0, 115.0), "offline")
        self.assertEqual(self.table.expire(115.0), [ALICE])
        self.assertEqual(self.table.expire(130.0), [])

    def test_a_beat_in_time_keeps_somebody_online(self) -> None:
        self.beat(1, 100.0)
        self.assertFalse(self.beat(2, 110.0))
        self.assertEqual(self.table.expire(115.0), [])
        self.assertEqual(self.table.expire(125.0), [ALICE])

    def test_the_highest_beat_wins(self) -> None:
        self.beat(5, 100.0, epoch=2, at=THERE)
        self.assertFalse(self.beat(9, 101.0, epoch=1, at=HERE))
        self.assertEqual(self.table.gateway(ALICE, 102.0), THERE)

    def test_leaving_and_invisible_look_the_same_to_others(self) -> None:
        self.beat(1, 100.0)
        self.assertTrue(self.beat(2, 101.0, "invisible"))
        self.assertEqual(self.table.state(ALICE, 0.0, 102.0), "offline")
        self.assertEqual(self.table.gateway(ALICE, 102.0), HERE)
        self.beat(3, 103.0, "leaving")
        self.assertIsNone(self.table.gateway(ALICE, 104.0))
        self.assertTrue(self.beat(4, 105.0))

    def test_nobody_hears_twice_that_an_invisible_one_is_gone(self) -> None:
        self.beat(1, 100.0, "invisible")
        self.assertEqual(self.table.expire(120.0), [])

    def test_a_new_owner_says_unknown_for_fifteen_seconds(self) -> None:
        self.assertEqual(self.table.state(ALICE, 100.0, 114.0), "unknown")
        self.assertEqual(self.table.state(ALICE, 100.0, 115.0), "offline")
        self.beat(1, 101.0)
        self.assertEqual(self.table.state(ALICE, 100.0, 102.0), "online")

    @given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 9), st.sampled_from([HERE, THERE])), max_size=20))
    def test_order_of_arrival_does_not_matter(self, beats: list[tuple[int, int, Identifier]]) -> None:
        known = {Moment(epoch, 0, counter): at for epoch, counter, at in reversed(beats)}
        table = PresenceTable()
        for epoch, counter, at in beats:
            table.receive(ALICE, Moment(epoch, 0, counter), "visible", at, 100.0)
        expected = known[max(known)] if known else None
        self.assertEqual(table.gateway(ALICE, 101.0), expected)


class TenureTests(SynchronousTestCase):
    def test_time_counts_from_the_last_time_that_we_became_owner(self) -> None:
        tenure = Tenure(lambda account: int(account) % 4)
        tenure.update([1, 2], 10.0)
        tenure.update([1, 3], 20.0)
        self.assertEqual([tenure.since(Identifier(slot)) for slot in range(4)], [None, 10.0, None, 20.0])
        tenure.update([1, 2, 3], 30.0)
        self.assertEqual(tenure.since(Identifier(6)), 30.0)
