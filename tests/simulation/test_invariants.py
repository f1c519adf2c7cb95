"""The oracle itself: each predicate must be able to fail."""

from collections.abc import Mapping

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.identifiers import Identifier
from p2pchat.simulation.invariants import (
    Place,
    best,
    ideal,
    lost_principals,
    principals,
    ring_members,
    violations,
)


def snapshot(**places: tuple[int, ...]) -> dict[Identifier, Place]:
    """`n10=(20, 30)` is node 10 with these successors; predecessors play no part in the predicates."""
    return {
        Identifier(int(node[1:])): Place(None, tuple(Identifier(each) for each in successors))
        for node, successors in places.items()
    }


GOOD = snapshot(n0=(10, 20), n10=(20, 30), n20=(30, 0), n30=(0, 10))


class InvariantTests(SynchronousTestCase):
    def broken(self, places: Mapping[Identifier, Place]) -> set[str]:
        return set(violations(places, 2))

    def test_a_good_ring(self) -> None:
        self.assertEqual(self.broken(GOOD), set())
        self.assertEqual(principals(GOOD), set(GOOD))
        self.assertEqual(ring_members(GOOD), set(GOOD))

    def test_each_predicate_can_fail(self) -> None:
        two_rings = snapshot(n0=(20, 0), n20=(0, 20), n10=(30, 10), n30=(10, 30))
        for name, places in {
            "OneLiveSuccessor": snapshot(n0=(10, 20), n10=(5, 6)),
            "SufficientPrincipals": snapshot(n0=(10, 0), n10=(0, 10)),
            "NoDuplicates": snapshot(n0=(10, 10), n10=(0, 0)),
            "OrderedSuccessorLists": snapshot(n0=(20, 10), n10=(20, 0), n20=(0, 10)),
            "AtLeastOneRing": snapshot(n0=(5, 6)),
            "AtMostOneRing": two_rings,
            "OrderedRing": snapshot(n0=(20, 10), n20=(10, 0), n10=(0, 20)),
            "ConnectedAppendages": snapshot(n0=(10, 20), n10=(0, 20), n20=(5, 6)),
            "PrincipalsInRing": snapshot(n0=(5, 6)),
        }.items():
            self.assertIn(name, self.broken(places), name)

    def test_a_placeholder_is_a_point_that_skips_nobody_but_no_successor(self) -> None:
        place = Place(None, (Identifier(10),), padding=2)
        self.assertEqual(place.points, (10, 11, 12))
        self.assertIsNone(best({Identifier(0): place, Identifier(11): place}, Identifier(0)))

    def test_a_skipped_principal_is_lost(self) -> None:
        after = {**GOOD, Identifier(0): Place(None, (Identifier(20), Identifier(30)))}
        self.assertEqual(lost_principals(GOOD, after), {10})
        self.assertEqual(lost_principals(GOOD, {node: GOOD[node] for node in GOOD if node != 10}), set())

    def test_ideal_needs_predecessors_and_whole_lists(self) -> None:
        order = sorted(GOOD)
        right = {node: Place(order[i - 1], GOOD[node].successors) for i, node in enumerate(order)}
        self.assertTrue(ideal(right, 2))
        self.assertFalse(ideal(GOOD, 2))
        self.assertFalse(ideal(right, 3))
