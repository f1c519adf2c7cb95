"""Argument types: what goes in comes out, and nothing else is accepted."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.protocols import amp
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import Misbehaved
from p2pchat.identifiers import CIRCLE, Address, Identifier
from p2pchat.wire.arguments import (
    AddressesArgument,
    Blob,
    Blobs,
    Flag,
    IdentifierArgument,
    IdentifiersArgument,
    Natural,
    Real,
    Text,
    Texts,
    joined,
    split,
)

identifiers = st.integers(0, CIRCLE - 1).map(Identifier)
addresses = st.one_of(
    st.builds(Address, st.ip_addresses().map(str), st.integers(0, 65_535)),
    st.builds(Address, st.from_regex(r"[a-z0-9.-]{1,60}", fullmatch=True), st.integers(0, 65_535)),
)
ALL: list[tuple[amp.Argument, st.SearchStrategy[Any]]] = [
    (IdentifierArgument(), identifiers),
    (IdentifiersArgument(20), st.lists(identifiers, max_size=20)),
    (Natural(), st.integers(0, 2**64 - 1)),
    (Natural(7), st.integers(0, 7)),
    (Real(), st.floats(allow_nan=False, allow_infinity=False)),
    (Flag(), st.booleans()),
    (Blob(100, 2), st.binary(min_size=2, max_size=100)),
    (Blobs(5, 20), st.lists(st.binary(max_size=20), max_size=5)),
    (Text(40), st.text(max_size=10)),
    (Texts(5, 40), st.lists(st.text(max_size=10), max_size=5)),
    (AddressesArgument(4), st.lists(addresses, max_size=4)),
]


class ArgumentTests(SynchronousTestCase):
    @given(st.data())
    @settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
    def test_value_survives_the_wire(self, data: st.DataObject) -> None:
        argument, values = data.draw(st.sampled_from(ALL))
        value = data.draw(values)
        self.assertEqual(argument.fromString(argument.toString(value)), value)

    @given(st.sampled_from([argument for argument, _ in ALL]), st.binary(max_size=300))
    @settings(deadline=None, max_examples=500, suppress_health_check=[HealthCheck.too_slow])
    def test_any_bytes_are_a_value_or_misbehaved(self, argument: amp.Argument, received: bytes) -> None:
        try:
            value = argument.fromString(received)
        except Misbehaved:
            return
        self.assertEqual(argument.fromString(argument.toString(value)), value)

    def test_limits_hold_on_both_sides(self) -> None:
        cases: list[tuple[amp.Argument, Any, bytes]] = [
            (Natural(7), 8, (8).to_bytes(8, "big")),
            (Natural(), -1, b"\1"),
            (Real(), float("nan"), b"inf"),
            (Blob(3), b"four", b"four"),
            (Blob(9, 5), b"four", b"four"),
            (Text(3), "four", b"four"),
            (Text(3), "äöü", "äöü".encode()),
            (Texts(1, 9), ["a", "b"], joined([b"a", b"b"])),
            (Texts(2, 1), ["aa"], joined([b"aa"])),
            (Blobs(1, 9), [b"", b""], joined([b"", b""])),
            (IdentifiersArgument(1), [Identifier(1), Identifier(2)], bytes(64)),
            (AddressesArgument(1), [Address("a", 1)] * 2, joined([b"a:1"] * 2)),
        ]
        for argument, value, received in cases:
            self.assertRaises(ValueError, argument.toString, value)
            self.assertRaises(Misbehaved, argument.fromString, received)

    def test_bad_bytes_are_misbehaved(self) -> None:
        cases: list[tuple[amp.Argument, bytes]] = [
            (IdentifierArgument(), bytes(31)),
            (IdentifiersArgument(), bytes(33)),
            (Flag(), b"True"),
            (Text(9), b"\xff"),
            (AddressesArgument(), joined([b"nowhere"])),
            (AddressesArgument(), joined([b"a:99999"])),
            (AddressesArgument(), joined([b"a\x1b[2J:80"])),
            (AddressesArgument(), joined([b"a" * 2000 + b":1"])),
            (Blobs(5), b"\0"),
            (Blobs(5), b"\0\5ab"),
        ]
        for argument, received in cases:
            self.assertRaises(Misbehaved, argument.fromString, received)

    def test_list_that_does_not_fit_one_value_is_refused(self) -> None:
        self.assertRaises(ValueError, joined, [bytes(40_000), bytes(40_000)])

    @given(st.lists(st.binary(max_size=30), max_size=30))
    @settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def test_split_is_the_inverse_of_joined(self, parts: list[bytes]) -> None:
        self.assertEqual(split(joined(parts), 30), parts)
