"""A gap holds a text for two seconds at most, and never turns the order round."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chat.history import HOLD_SECONDS, MAX_HELD, Display
from p2pchat.chat.message import Line


def line(seq: int, author: str = "bob") -> Line:
    return Line(author, author, bytes([seq % 256]) * 16, seq, bytes([(seq - 1) % 256]) * 16, str(seq), 0, 0, "received")


def texts(lines: list[Line]) -> list[str]:
    return [each.text for each in lines]


class DisplayTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.display = Display()

    def test_without_a_gap_nothing_waits(self) -> None:
        self.assertEqual(texts(self.display.arrived(line(1), False, 0.0)), ["1"])
        self.assertIsNone(self.display.next_at())

    def test_the_missing_text_releases_those_behind_it_in_order(self) -> None:
        self.assertEqual(self.display.arrived(line(4), True, 0.0), [])
        self.assertEqual(self.display.arrived(line(3), True, 0.1), [])
        self.assertEqual(texts(self.display.arrived(line(2), False, 0.2)), ["2", "3", "4"])

    def test_a_hold_ends_after_two_seconds(self) -> None:
        self.display.arrived(line(3), True, 0.0)
        self.assertEqual(self.display.next_at(), HOLD_SECONDS)
        self.assertEqual(self.display.expired(HOLD_SECONDS - 0.1), [])
        self.assertEqual(texts(self.display.expired(HOLD_SECONDS)), ["3"])
        self.assertEqual(texts(self.display.arrived(line(2), False, 3.0)), ["2"])

    def test_a_text_after_a_held_one_waits_with_it(self) -> None:
        self.display.arrived(line(3), True, 0.0)
        self.assertEqual(self.display.arrived(line(4), False, 1.0), [])
        self.assertEqual(texts(self.display.expired(HOLD_SECONDS)), ["3", "4"])

    def test_authors_do_not_hold_each_other(self) -> None:
        self.display.arrived(line(3), True, 0.0)
        self.assertEqual(texts(self.display.arrived(line(1, "carol"), False, 0.0)), ["1"])

    def test_held_texts_are_limited(self) -> None:
        shown: list[Line] = []
        for seq in range(2, MAX_HELD + 3):
            shown += self.display.arrived(line(seq * 2), True, 0.0)
        self.assertEqual(len(shown), MAX_HELD + 1)
