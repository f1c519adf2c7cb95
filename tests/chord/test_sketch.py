"""Two node tables are compared in few bytes, and what differs is found exactly."""

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chord.sketch import HASH_BYTES, MAX_PARTS, SALT_BYTES, Sketch, count_of, parts_for, split
from p2pchat.errors import Misbehaved
from p2pchat.identifiers import BITS, Identifier

CHANCE = Random("sketch")
NODES = [Identifier(CHANCE.getrandbits(BITS)) for _ in range(300)]
SALT = CHANCE.randbytes(SALT_BYTES)
PARTS = 32


def sketch(nodes: list[Identifier], salt: bytes = SALT, moved: tuple[Identifier, ...] = ()) -> Sketch:
    """Of nodes with records of sequence 1; of `moved` ones 2."""
    return Sketch(salt, [(node, 1 + (node in moved)) for node in nodes], PARTS)


class SketchTests(SynchronousTestCase):
    def test_tables_of_one_content_are_alike(self) -> None:
        one, two = sketch(NODES), sketch(NODES[::-1])
        self.assertEqual(one.sums(), two.sums())
        self.assertEqual(one.unlike(two.sums()), [])

    def test_what_either_side_lacks_is_found(self) -> None:
        for _ in range(20):
            extra = CHANCE.sample(NODES, 20)
            here, there = (
                sketch([each for each in NODES if each not in extra[:9]]),
                sketch([each for each in NODES if each not in extra[9:]]),
            )
            unlike = there.unlike(here.sums())
            self.assertLessEqual(len(unlike), len(extra))
            only_ours, lacking = here.difference(unlike, there.hashes(unlike))
            self.assertEqual(sorted(only_ours), sorted(extra[9:]))
            self.assertEqual(sorted(there.nodes(b"".join(lacking))), sorted(extra[:9]))

    def test_another_sequence_is_a_difference(self) -> None:
        here, there = sketch(NODES), sketch(NODES, moved=(NODES[5],))
        unlike = there.unlike(here.sums())
        only_ours, lacking = here.difference(unlike, there.hashes(unlike))
        self.assertEqual((only_ours, there.nodes(lacking[0])), ([NODES[5]], [NODES[5]]))

    def test_each_salt_gives_other_hashes(self) -> None:
        other = sketch(NODES, CHANCE.randbytes(SALT_BYTES))
        self.assertEqual(len(other.unlike(sketch(NODES).sums())), PARTS)

    def test_what_is_sent_stays_small(self) -> None:
        for nodes in (1, 100, 1_000, 10_000):
            parts = parts_for(nodes)
            self.assertLessEqual(parts, MAX_PARTS)
            self.assertLessEqual(HASH_BYTES * (parts + nodes / parts), 1_000)

    def test_sums_of_no_parts_and_half_hashes_are_refused(self) -> None:
        self.assertEqual(count_of(bytes(4 * 32)), 32)
        for sums in (b"", bytes(5), bytes(4 * 3), bytes(4 * 2 * MAX_PARTS)):
            self.assertRaises(Misbehaved, count_of, sums)
        self.assertRaises(Misbehaved, split, bytes(7))
