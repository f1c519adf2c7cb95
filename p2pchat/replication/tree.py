"""Digest trees: a slot's records in 256 buckets by key, a digest of each bucket, and a root over those.

Where two roots differ, nodes compare buckets and list only the records of those that differ: of a slot with 10,000
records, about 40 for one that is missing.  A tree is made from what a store holds and lives in memory only, so that no
crash can make it contradict the disk; a write notes that its bucket has to be read again, and nothing more.
Source: Merkle, "A Digital Signature Based on a Conventional Encryption Function", CRYPTO 1987; DeCandia et al.,
"Dynamo", SOSP 2007, 4.7.
"""

from dataclasses import dataclass
from hashlib import blake2b

from p2pchat.errors import Misbehaved
from p2pchat.identifiers import Identifier, to_bytes
from p2pchat.replication.register import Ballot, encode_ballot
from p2pchat.replication.slots import RegisterKey
from p2pchat.replication.uset import StoredItem

FAN_OUT = 256
DIGEST_BYTES = 16
MARK_BYTES = 1 + DIGEST_BYTES
ALL_BUCKETS = bytes(range(FAN_OUT))


@dataclass(frozen=True, slots=True)
class Tree:
    """The digests of one slot.

    Attributes:
        marks: of each bucket that holds something, ascending: its number (1 byte), and a digest of its records (16).
    """

    marks: bytes = b""

    @property
    def root(self) -> bytes:
        """16 bytes; equal exactly where all records are."""
        return blake2b(self.marks, digest_size=DIGEST_BYTES).digest()

    def by_bucket(self) -> dict[int, bytes]:
        """Digests by bucket; Misbehaved unless the marks are such as a sound node makes."""
        if len(self.marks) % MARK_BYTES:
            raise Misbehaved("A tree with half a mark was sent.")
        marks = [self.marks[start : start + MARK_BYTES] for start in range(0, len(self.marks), MARK_BYTES)]
        buckets = [mark[0] for mark in marks]
        if buckets != sorted(set(buckets)):
            raise Misbehaved("A tree whose buckets do not ascend was sent.")
        return {mark[0]: mark[1:] for mark in marks}

    def renewed(self, stale: bytes, digests: dict[int, bytes]) -> "Tree":
        """This tree, where the buckets of `stale` hold what `digests` says, or nothing."""
        kept = {bucket: digest for bucket, digest in self.by_bucket().items() if bucket not in stale}
        return Tree(b"".join(bytes([bucket]) + digest for bucket, digest in sorted((kept | digests).items())))

    def lacking(self, other: "Tree") -> bytes:
        """The buckets in which `other` has something, and not what this tree has."""
        mine = self.by_bucket()
        return bytes(bucket for bucket, digest in other.by_bucket().items() if mine.get(bucket) != digest)


EMPTY_ROOT = Tree().root


def bucket_of_point(point: Identifier) -> int:
    """Where the registers of a point are: points are hashes, so that their low byte spreads evenly."""
    return point & (FAN_OUT - 1)


def bucket_of_item(item_id: bytes) -> int:
    """Where an item is, by its id, which is a hash as well."""
    return item_id[-1]


class Buckets:
    """Digests of buckets in the making; records come in the order of their keys, registers first."""

    def __init__(self) -> None:
        self._hashes: dict[int, blake2b] = {}

    def add_register(self, key: RegisterKey, accepted: Ballot) -> None:
        """A register that accepted something."""
        self._add(bucket_of_point(key.point), b"r" + to_bytes(key.point) + bytes([key.kind]) + encode_ballot(accepted))

    def add_item(self, point: Identifier, item: StoredItem) -> None:
        """An item, or its tombstone."""
        self._add(bucket_of_item(item.id), b"i" + to_bytes(point) + item.id + bytes([item.state]))

    def _add(self, bucket: int, record: bytes) -> None:
        if bucket not in self._hashes:
            self._hashes[bucket] = blake2b(digest_size=DIGEST_BYTES)
        self._hashes[bucket].update(record)

    def digests(self) -> dict[int, bytes]:
        """By bucket, of those that hold something."""
        return {bucket: made.digest() for bucket, made in self._hashes.items()}


class Trees:
    """The trees that were made of a store's slots, and their buckets that were written since."""

    def __init__(self) -> None:
        self._trees: dict[int, Tree] = {}
        self._stale: dict[int, set[int]] = {}
        self._written: set[tuple[int, int]] = set()
        self._cleared: set[int] = set()

    def get(self, slot: int) -> tuple[Tree, bytes]:
        """The tree as it was made, and the buckets, ascending, that have to be read again; all if none was made."""
        tree = self._trees.get(slot)
        return (Tree(), ALL_BUCKETS) if tree is None else (tree, bytes(sorted(self._stale.get(slot, ()))))

    def keep(self, slot: int, tree: Tree) -> None:
        """Remember a tree that says what the store holds now."""
        self._trees[slot] = tree
        self._stale.pop(slot, None)

    def touch(self, slot: int, bucket: int) -> None:
        """A record of this bucket is being written."""
        self._written.add((slot, bucket))
        if slot in self._trees:
            self._stale.setdefault(slot, set()).add(bucket)

    def forget(self, slot: int) -> None:
        """Any record of this slot may be written."""
        self._cleared.add(slot)
        self._trees.pop(slot, None)
        self._stale.pop(slot, None)

    def settled(self) -> None:
        """Everything that was written so far is durable."""
        self._written.clear()
        self._cleared.clear()

    def undone(self) -> None:
        """What was written since the last `settled` may be undone: trees that were made meanwhile may be wrong."""
        for slot in list(self._cleared):
            self.forget(slot)
        for slot, bucket in list(self._written):
            self.touch(slot, bucket)
