"""What members of a slot are asked, and what they answer: the values that commands carry.

Each request names the epoch that its sender knows.  An answer whose status is WRONG_EPOCH carries the newest
configuration that the member knows, which may be older than the asker's; nothing was done then.
"""

from dataclasses import dataclass, field
from enum import IntEnum

from p2pchat.identifiers import Identifier
from p2pchat.replication.configuration import Configuration, Group, State
from p2pchat.replication.register import NO_BALLOT, Ballot, Versioned
from p2pchat.replication.slots import RegisterKey
from p2pchat.replication.transfers import (
    CopyReply,
    CopyRequest,
    DigestReply,
    DigestRequest,
    FollowReply,
    FollowRequest,
    MirrorReply,
    MirrorRequest,
    PullReply,
    PullRequest,
)
from p2pchat.replication.uset import Item, ItemState

PAGE_BYTES = 62_000
"""What a page holds at most; the rest of an AMP value's 65,535 bytes is room for frames."""
BULK_SLOTS = 1_024
"""Slots in one request about many."""
MAX_IDS = 500


class Status(IntEnum):
    """How a member answered."""

    OK = 0
    WRONG_EPOCH = 1
    OUTBID = 2
    """A higher ballot was promised."""
    REFUSED = 3
    """The value does not follow from what this member holds."""
    STALE_KEY = 4
    """The fence of an add is not the mail key that this member accepted."""
    REPLACED = 5
    """The fence of a fetch or removal is lower than the session that this member accepted."""
    FULL = 6


# Registers


@dataclass(frozen=True, slots=True)
class PrepareRequest:
    """Promise `ballot` and say what you accepted."""

    key: RegisterKey
    ballot: Ballot


@dataclass(frozen=True, slots=True)
class AcceptRequest:
    """Accept `content` unless a higher ballot was promised; if you do, promise `following` as well."""

    key: RegisterKey
    ballot: Ballot
    content: Versioned
    following: Ballot | None = None


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """Say what you accepted, and promise nothing."""

    key: RegisterKey
    epoch: int


@dataclass(frozen=True, slots=True)
class RegisterReply:
    """Answer to the three: OK with what was accepted, or OUTBID with what was promised."""

    status: Status
    configuration: Configuration | None = None
    ballot: Ballot = NO_BALLOT
    content: Versioned | None = None
    reason: bytes = b""


# Sets


@dataclass(frozen=True, slots=True)
class AddRequest:
    """Keep these items, sealed to the mail key `fence`."""

    point: Identifier
    epoch: int
    fence: bytes
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class ListRequest:
    """Which ids after `after` do you hold, or know as removed?  `fence` is the asker's session epoch."""

    point: Identifier
    epoch: int
    fence: int
    after: bytes


@dataclass(frozen=True, slots=True)
class MarkRequest:
    """Mark these items for removal, as `proof` asks; the mark counts only once a majority has it."""

    point: Identifier
    epoch: int
    fence: int
    ids: tuple[bytes, ...]
    proof: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class BuryRequest:
    """A majority marked these items: turn them into tombstones, as `proof` asks."""

    point: Identifier
    epoch: int
    ids: tuple[bytes, ...]
    reason: ItemState
    proof: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class CollectRequest:
    """Send these items, as many as fit into a page."""

    point: Identifier
    epoch: int
    ids: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class LookRequest:
    """What do you know of these ids?"""

    point: Identifier
    epoch: int
    ids: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """An id and what a member knows of it."""

    id: bytes
    state: ItemState


@dataclass(frozen=True, slots=True)
class SetReply:
    """Answer to every question about a set; each question fills what belongs to it."""

    status: Status
    configuration: Configuration | None = None
    reason: ItemState = ItemState.UNKNOWN
    known: tuple[Known, ...] = ()
    items: tuple[Item, ...] = ()
    more: bool = False


# Configurations, for many slots at once


@dataclass(frozen=True, slots=True)
class AskRequest:
    """Which configurations do you know?  Slots from `first` on."""

    first: int


@dataclass(frozen=True, slots=True)
class AskReply:
    """Groups in one page; `next` is the first slot of the next page, or None after the last."""

    groups: tuple[Group, ...]
    next: int | None


@dataclass(frozen=True, slots=True)
class NominateRequest:
    """Promise `ballot` in the decision of what follows `epoch`; say what you accepted."""

    epoch: int
    ballot: Ballot
    slots: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """Slots for which these members were accepted under `ballot`."""

    ballot: Ballot
    members: tuple[Identifier, ...]
    slots: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ElectRequest:
    """Accept `members` as the next configuration after `epoch`."""

    epoch: int
    ballot: Ballot
    members: tuple[Identifier, ...]
    slots: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class VoteReply:
    """Answer to both: slots in none of the three lists were granted and had accepted nothing before."""

    proposals: tuple[Proposal, ...] = ()
    outbid: tuple[int, ...] = ()
    promised: Ballot = NO_BALLOT
    """The highest ballot that was in the way."""
    others: tuple[Group, ...] = ()
    """Slots for which the member has no vote in that epoch, with the newest configuration it knows."""
    unknown: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class AnnounceRequest:
    """These configurations were decided."""

    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class StandRequest:
    """Somebody says that `decided` came after the members of `epoch`, of whom you are one: do you stand against it?"""

    epoch: int
    decided: Configuration
    slots: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class StandReply:
    """Slots in which the member still serves (or learns) that epoch, and has voted for nothing that leads there."""

    slots: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """Slots that a member has in the same epoch and state."""

    epoch: int
    state: State
    slots: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AnnounceReply:
    """How the member stands afterwards; slots that it keeps nothing of are left out."""

    standings: tuple[Standing, ...]


Question = ReadRequest | ListRequest | CollectRequest | LookRequest
"""What a member answers from what is durable, without a turn of its disk."""
Request = (
    PrepareRequest
    | AcceptRequest
    | ReadRequest
    | AddRequest
    | ListRequest
    | MarkRequest
    | BuryRequest
    | CollectRequest
    | LookRequest
    | AskRequest
    | NominateRequest
    | ElectRequest
    | AnnounceRequest
    | StandRequest
    | PullRequest
    | CopyRequest
    | DigestRequest
    | MirrorRequest
    | FollowRequest
)
Reply = (
    RegisterReply
    | SetReply
    | AskReply
    | VoteReply
    | AnnounceReply
    | StandReply
    | PullReply
    | CopyReply
    | DigestReply
    | MirrorReply
    | FollowReply
)
