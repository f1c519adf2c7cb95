"""Where two node tables differ, in few bytes: a sum for each part of the circle, short hashes for parts that differ.

Hashes are salted anew for each comparison, so that nobody can prepare two nodes that look alike.
"""

from collections.abc import Iterable
from hashlib import blake2b

from p2pchat.errors import Misbehaved
from p2pchat.identifiers import BITS, Identifier, to_bytes

SALT_BYTES = 8
HASH_BYTES = 4
MAX_PARTS = 256
FEWEST_PARTS = 8


def parts_for(nodes: int) -> int:
    """Into how many parts so many nodes are divided: about as many as nodes in one part, a power of two."""
    parts = FEWEST_PARTS
    while parts * parts < nodes and parts < MAX_PARTS:
        parts *= 2
    return parts


class Sketch:
    """The nodes of one table that live, for one comparison.

    Args:
        salt: SALT_BYTES, drawn by the one who compares.
        entries: node and sequence of its record.
        parts: a power of two, at most MAX_PARTS.
    """

    def __init__(self, salt: bytes, entries: Iterable[tuple[Identifier, int]], parts: int) -> None:
        shift = BITS - (parts.bit_length() - 1)
        self._parts: list[dict[bytes, Identifier]] = [{} for _ in range(parts)]
        for node, sequence in entries:
            packed = to_bytes(node) + sequence.to_bytes(8, "big")
            short = blake2b(packed, digest_size=HASH_BYTES, key=salt).digest()
            self._parts[node >> shift][short] = node

    def sums(self) -> bytes:
        """One sum for each part, HASH_BYTES each."""
        return b"".join(map(_sum, self._parts))

    def unlike(self, sums: bytes) -> list[int]:
        """The parts whose sum is another one in `sums`, which has as many."""
        own = self.sums()
        return [i for i in range(len(self._parts)) if _hash(own, i) != _hash(sums, i)]

    def hashes(self, parts: Iterable[int]) -> bytes:
        """All hashes of these parts, one after the other."""
        return b"".join(short for part in parts for short in self._parts[part])

    def nodes(self, hashes: bytes) -> list[Identifier]:
        """The nodes that have one of these hashes."""
        wanted = set(split(hashes))
        return [node for part in self._parts for short, node in part.items() if short in wanted]

    def difference(self, parts: Iterable[int], hashes: bytes) -> tuple[list[Identifier], list[bytes]]:
        """Nodes of these parts that are not among the hashes, and hashes of none of our nodes."""
        theirs, ours = dict.fromkeys(split(hashes)), dict[bytes, Identifier]()
        for part in parts:
            ours.update(self._parts[part])
        only_ours = [node for short, node in ours.items() if short not in theirs]
        return only_ours, [short for short in theirs if short not in ours]


def count_of(sums: bytes) -> int:
    """How many parts these sums are of; Misbehaved unless that is a power of two up to MAX_PARTS."""
    count, rest = divmod(len(sums), HASH_BYTES)
    if rest or not 1 <= count <= MAX_PARTS or count & (count - 1):
        raise Misbehaved("Sums of a node table that has no such parts were sent.")
    return count


def split(hashes: bytes) -> list[bytes]:
    """The single hashes; Misbehaved for half a one."""
    if len(hashes) % HASH_BYTES:
        raise Misbehaved("A part of a hash was sent.")
    return [hashes[start : start + HASH_BYTES] for start in range(0, len(hashes), HASH_BYTES)]


def _sum(part: Iterable[bytes]) -> bytes:
    total = 0
    for short in part:
        total ^= int.from_bytes(short, "big")
    return total.to_bytes(HASH_BYTES, "big")


def _hash(sums: bytes, index: int) -> bytes:
    return sums[index * HASH_BYTES : (index + 1) * HASH_BYTES]
