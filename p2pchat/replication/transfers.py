"""What nodes ask each other to hand records on: an inventory for who joins, copies of what is missing, comparisons."""

from dataclasses import dataclass

from p2pchat.identifiers import Identifier
from p2pchat.replication.configuration import Configuration, Group
from p2pchat.replication.register import Ballot, Versioned
from p2pchat.replication.slots import RegisterKey
from p2pchat.replication.uset import ItemState, StoredItem


@dataclass(frozen=True, slots=True)
class PullRequest:
    """Stop serving what came before `configuration`, and list the records of these slots after `after`.

    Slots in ascending order; `after` is a position in the page order: a point, then registers before items.
    `digests` are the asker's own, one for each slot in order, or none: of a slot in which the member has the same,
    nothing is listed, and of one with many records its tree comes instead.  `buckets` are those of which records are
    to be listed, for each slot in order, or none given: all.
    """

    configuration: Configuration
    slots: tuple[int, ...]
    after: "Position | None" = None
    digests: tuple[bytes, ...] = ()
    buckets: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page of records ended: the last register or item that it lists."""

    point: Identifier
    kind: int
    """The register's kind, or ITEMS."""
    id: bytes = b""


ITEMS = 255
"""As a position's kind: an item of the point's set, which come after its registers."""


@dataclass(frozen=True, slots=True)
class ListedRegister:
    """A register that a member holds, and under which ballot."""

    key: RegisterKey
    accepted: Ballot


@dataclass(frozen=True, slots=True)
class ListedItem:
    """An item that a member holds, or its tombstone."""

    point: Identifier
    id: bytes
    state: ItemState
    received: int


@dataclass(frozen=True, slots=True)
class SlotTree:
    """What a member holds of a slot, in short: the marks of its tree (tree.py)."""

    slot: int
    marks: bytes


@dataclass(frozen=True, slots=True)
class PullReply:
    """A page of the inventory.

    `full` are slots in which the member is active or sealed in the asked epoch, `old` those whose records are the
    member's own of the epoch before; `others` are served by neither, with the newest configuration known.  Slots of
    which the tree comes are not listed: ask again for the buckets that differ.
    """

    full: tuple[int, ...] = ()
    old: tuple[int, ...] = ()
    others: tuple[Group, ...] = ()
    registers: tuple[ListedRegister, ...] = ()
    items: tuple[ListedItem, ...] = ()
    next: Position | None = None
    trees: tuple[SlotTree, ...] = ()


@dataclass(frozen=True, slots=True)
class ItemName:
    """An item by its set and id."""

    point: Identifier
    id: bytes


@dataclass(frozen=True, slots=True)
class CopyRequest:
    """Send these records for a pull of `configuration`, as many as fit into a page."""

    configuration: Configuration
    registers: tuple[RegisterKey, ...] = ()
    items: tuple[ItemName, ...] = ()


@dataclass(frozen=True, slots=True)
class CopiedRegister:
    """A register as a member holds it."""

    key: RegisterKey
    accepted: Ballot
    content: Versioned


@dataclass(frozen=True, slots=True)
class CopiedItem:
    """An item as a member holds it."""

    point: Identifier
    item: StoredItem


@dataclass(frozen=True, slots=True)
class CopyReply:
    """What fitted; a record that was asked for and is in neither is asked for again."""

    registers: tuple[CopiedRegister, ...] = ()
    items: tuple[CopiedItem, ...] = ()
    gone: bool = False
    """The member no longer holds a slot of them: pull from another one."""


@dataclass(frozen=True, slots=True)
class Missing:
    """What a node lacks of an inventory."""

    registers: tuple[RegisterKey, ...]
    items: tuple[ItemName, ...]


@dataclass(frozen=True, slots=True)
class DigestRequest:
    """What do you hold of these slots, in short?  Slots in ascending order."""

    epoch: int
    slots: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SlotDigest:
    """A hash over a slot's registers, items and tombstones; b"" where the member does not serve the epoch."""

    slot: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class DigestReply:
    """The first of the slots that were asked for, as many as one turn may read."""

    digests: tuple[SlotDigest, ...]


@dataclass(frozen=True, slots=True)
class MirrorRequest:
    """The only member of `configuration` has written these: keep a copy, if you keep copies of their slot."""

    configuration: Configuration
    registers: tuple[CopiedRegister, ...] = ()
    items: tuple[CopiedItem, ...] = ()


@dataclass(frozen=True, slots=True)
class MirrorReply:
    """Whether the copy is durable."""

    kept: bool


@dataclass(frozen=True, slots=True)
class FollowRequest:
    """You are to become a member of these slots after `configuration`: keep a copy of them from now on."""

    configuration: Configuration
    slots: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FollowReply:
    """Slots of which the node has a copy that was in step a moment ago, and bytes that it has fetched so far.

    `driven` are slots for which another member asks already.
    """

    slots: tuple[int, ...]
    fetched: int
    driven: tuple[int, ...] = ()
