"""Points, arcs and addresses behave as on the circle of the Chord paper."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.identifiers import (
    CIRCLE,
    Address,
    Arc,
    Identifier,
    account_identifier,
    between,
    distance,
    from_bytes,
    name,
    to_bytes,
)

points = st.integers(0, CIRCLE - 1).map(Identifier)


class CircleTests(SynchronousTestCase):
    @given(points, points, points)
    def test_a_point_is_on_exactly_one_side(self, start: Identifier, point: Identifier, end: Identifier) -> None:
        if len({start, point, end}) == 3:
            self.assertNotEqual(between(start, point, end), between(end, point, start))

    @given(points, points)
    def test_the_whole_circle_misses_only_its_start(self, start: Identifier, point: Identifier) -> None:
        self.assertEqual(between(start, point, start), point != start)

    @given(points, points)
    def test_an_arc_holds_its_end_and_never_its_start(self, start: Identifier, end: Identifier) -> None:
        self.assertIn(end, Arc(start, end))
        if start != end:
            self.assertNotIn(start, Arc(start, end))

    @given(points, points)
    def test_there_and_back_is_once_around(self, start: Identifier, end: Identifier) -> None:
        self.assertEqual((distance(start, end) + distance(end, start)) % CIRCLE, 0)

    @given(points, points)
    def test_the_order_of_bytes_is_the_order_of_the_ring(self, one: Identifier, other: Identifier) -> None:
        self.assertEqual(one < other, to_bytes(one) < to_bytes(other))
        self.assertEqual(from_bytes(to_bytes(one)), one)

    def test_another_length_is_no_identifier(self) -> None:
        for length in (0, 31, 33):
            self.assertRaises(ValueError, from_bytes, bytes(length))

    def test_people_see_the_first_eight_digits(self) -> None:
        self.assertEqual(name(from_bytes(bytes.fromhex("1a2b3c4d") + bytes(28))), "1a2b3c4d")

    def test_two_users_live_at_two_places(self) -> None:
        self.assertNotEqual(account_identifier("alice"), account_identifier("bob"))


class AddressTests(SynchronousTestCase):
    def test_what_is_printed_is_read_back(self) -> None:
        for text in ("127.0.0.1:7401", "[::1]:0", "node.example:65535"):
            self.assertEqual(str(Address.parse(text)), text)

    def test_what_is_no_address_says_so(self) -> None:
        for text in (
            "",
            "host",
            "host:",
            ":7401",
            "host:70000",
            "host:-1",
            "host:٣",
            "::1:7401",
            "[x]:1",
            "a b:1",
            "[]:1",
        ):
            self.assertRaises(ValueError, Address.parse, text)
