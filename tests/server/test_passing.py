"""Lookups in a few bytes: what is packed comes back, and anything else is refused."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chord.lookup import Passed
from p2pchat.errors import Misbehaved
from p2pchat.identifiers import Identifier
from p2pchat.server.passing import MAX_HOPS, MAX_LOOKUPS, MAX_PASSING_BYTES, Passing, pack, unpack


def node(number: int) -> Identifier:
    """An identifier that begins with these 8 hex digits."""
    return Identifier(number << 224 | 5)


class PassingTests(SynchronousTestCase):
    def test_what_is_packed_comes_back_the_latest_last(self) -> None:
        lookups = [Passed(number, (node(0x10), node(0xABCDEF01)), node(0x20)) for number in range(1, 7)]
        expected = [Passing(number, ("00000010", "abcdef01"), "00000020") for number in range(3, 7)]
        self.assertEqual(list(unpack(pack(lookups))), expected)
        self.assertEqual(unpack(pack([])), ())

    def test_the_longest_fits(self) -> None:
        long = Passed(2**64 - 1, tuple(map(node, range(32))), node(99))
        packed = pack([long] * 10)
        self.assertEqual(len(packed), MAX_PASSING_BYTES)
        self.assertEqual(len(unpack(packed)), MAX_LOOKUPS)
        self.assertEqual(len(unpack(packed)[0].hops), MAX_HOPS)

    def test_other_forms_are_refused(self) -> None:
        one = pack([Passed(1, (), node(1))])
        for packed in (one[:-1], one + b"x", b"x", one[:8] + b"\0", one[:8] + bytes([9]) + b"x" * 36, one * 5):
            self.assertRaises(Misbehaved, unpack, packed)
