"""The parser of boxes against Twisted's own, whatever the pieces in which bytes arrive."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.protocols import amp
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import Misbehaved
from p2pchat.wire.boxes import BoxParser

boxes = st.dictionaries(st.binary(min_size=1, max_size=255), st.binary(max_size=600), min_size=1, max_size=6).map(
    amp.AmpBox
)


def parser(most_bytes: int = 1 << 20, most_keys: int = 64) -> BoxParser:
    return BoxParser(most_bytes, most_keys)


class BoxTests(SynchronousTestCase):
    @given(st.lists(boxes, max_size=6), st.lists(st.integers(1, 400), max_size=40))
    @settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
    def test_same_boxes_as_twisted_in_any_pieces(self, sent: list[amp.AmpBox], cuts: list[int]) -> None:
        encoded = b"".join(box.serialize() for box in sent)
        reading, found, start = parser(), [], 0
        for cut in [*cuts, len(encoded)]:
            found += list(reading.feed(encoded[start : start + cut]))
            start += cut
        self.assertEqual(found, amp.parseString(encoded))
        self.assertEqual(found, sent)

    @given(st.binary(max_size=2000), st.integers(1, 50))
    @settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
    def test_any_bytes_are_boxes_or_misbehaved_and_bounded(self, received: bytes, piece: int) -> None:
        reading = parser(500, 4)
        try:
            for start in range(0, len(received), piece):
                for box in reading.feed(received[start : start + piece]):
                    self.assertLessEqual(len(box.serialize()), 500)
                    self.assertLessEqual(len(box), 4)
        except Misbehaved:
            return

    def test_reader_may_stop_in_the_middle(self) -> None:
        encoded = amp.AmpBox(a=b"1").serialize() * 3
        reading = parser()
        self.assertEqual(next(iter(reading.feed(encoded))), {b"a": b"1"})

    def test_limit_of_bytes_is_exact(self) -> None:
        encoded = amp.AmpBox(key=bytes(90)).serialize()
        self.assertEqual(len(list(parser(len(encoded)).feed(encoded))), 1)
        with self.assertRaises(Misbehaved):
            list(parser(len(encoded) - 1).feed(encoded))
