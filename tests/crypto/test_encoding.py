"""Tests of length-prefixed fields under labels."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.crypto.encoding import T, lv, number, sized, split, text, u64, untagged, user_name
from p2pchat.errors import Misbehaved
from tests.crypto.keys import RING


class EncodingTests(SynchronousTestCase):
    def test_t_is_label_ring_and_fields(self) -> None:
        expected = b"\0\0\0\x10p2pchat/1 record" + b"\0\0\0\x20" + RING + b"\0\0\0\x01a" + b"\0\0\0\0"
        self.assertEqual(T("record", RING, b"a", b""), expected)
        self.assertEqual(untagged(expected, "record", RING, 2), [b"a", b""])

    def test_other_label_ring_or_number_of_fields_is_refused(self) -> None:
        encoded = T("record", RING, b"a")
        for label, ring, count in (("other", RING, 1), ("record", bytes(32), 1), ("record", RING, 2)):
            with self.assertRaises(Misbehaved):
                untagged(encoded, label, ring, count)

    def test_every_truncation_and_extension_is_refused(self) -> None:
        encoded = T("record", RING, b"abc", b"d")
        for end in range(len(encoded)):
            with self.assertRaises(Misbehaved):
                untagged(encoded[:end], "record", RING, 2)
        for more in (b"\0", b"\0\0\0\0", lv(b"x")):
            with self.assertRaises(Misbehaved):
                untagged(encoded + more, "record", RING, 2)

    def test_lengths_beyond_the_end_are_refused(self) -> None:
        for encoded in (b"\xff\xff\xff\xff", b"\0\0\0\x02a", b"\0"):
            with self.assertRaises(Misbehaved):
                split(encoded)

    def test_numbers_and_texts_are_exact(self) -> None:
        self.assertEqual(number(u64(2**64 - 1)), 2**64 - 1)
        refused = (
            lambda: number(b"\0" * 7),
            lambda: sized(b"", 1, "It"),
            lambda: text(b"\xff"),
            lambda: user_name(b""),
            lambda: user_name(b"x" * 129),
        )
        for each in refused:
            self.assertRaises(Misbehaved, each)
