"""Commands between nodes about slots: registers, sets, configurations and pulls.

Each carries one value of requests.py as `request` and answers with one as `reply`; requests.py says what they mean.
A refusal that belongs to the protocol (another epoch, a higher ballot) is a status in the reply and not an error.
"""

from typing import Any

from twisted.protocols import amp

from p2pchat.errors import Busy, Damaged, DiskFull, InternalError, Misbehaved, TryElsewhere, on_wire
from p2pchat.replication import requests, transfers
from p2pchat.replication.packing import pack, unpack
from p2pchat.wire.boxes import MAX_VALUE_BYTES


class Packed(amp.Argument):
    """One dataclass of requests.py."""

    def __init__(self, kind: type[Any]) -> None:
        super().__init__()
        self.kind = kind

    def toString(self, inObject: Any) -> bytes:
        encoded = pack(inObject)
        if len(encoded) > MAX_VALUE_BYTES:
            raise ValueError(f"a {self.kind.__name__} of {len(encoded)} bytes does not fit into one value")
        return encoded

    def fromString(self, inString: bytes) -> Any:
        return unpack(self.kind, inString)


ERRORS = on_wire(TryElsewhere, Busy, DiskFull, InternalError, Damaged, Misbehaved)


class PrepareRegister(amp.Command):
    """First half of a change: promise a ballot."""

    arguments = [(b"request", Packed(requests.PrepareRequest))]
    response = [(b"reply", Packed(requests.RegisterReply))]
    errors = ERRORS


class AcceptRegister(amp.Command):
    """Second half of a change: accept a value."""

    arguments = [(b"request", Packed(requests.AcceptRequest))]
    response = [(b"reply", Packed(requests.RegisterReply))]
    errors = ERRORS


class ReadRegister(amp.Command):
    """What was accepted; changes nothing."""

    arguments = [(b"request", Packed(requests.ReadRequest))]
    response = [(b"reply", Packed(requests.RegisterReply))]
    errors = ERRORS


class AddItems(amp.Command):
    """Keep items in a set."""

    arguments = [(b"request", Packed(requests.AddRequest))]
    response = [(b"reply", Packed(requests.SetReply))]
    errors = ERRORS


class ListItems(amp.Command):
    """Ids of a set, page by page."""

    arguments = [(b"request", Packed(requests.ListRequest))]
    response = [(b"reply", Packed(requests.SetReply))]
    errors = ERRORS


class MarkItems(amp.Command):
    """First half of a removal: a mark that does not count yet."""

    arguments = [(b"request", Packed(requests.MarkRequest))]
    response = [(b"reply", Packed(requests.SetReply))]
    errors = ERRORS


class BuryItems(amp.Command):
    """Second half of a removal: tombstones."""

    arguments = [(b"request", Packed(requests.BuryRequest))]
    response = [(b"reply", Packed(requests.SetReply))]
    errors = ERRORS


class CollectItems(amp.Command):
    """Items by id."""

    arguments = [(b"request", Packed(requests.CollectRequest))]
    response = [(b"reply", Packed(requests.SetReply))]
    errors = ERRORS


class LookAtItems(amp.Command):
    """What is known of ids."""

    arguments = [(b"request", Packed(requests.LookRequest))]
    response = [(b"reply", Packed(requests.SetReply))]
    errors = ERRORS


class AskConfigurations(amp.Command):
    """Every configuration that a node knows, page by page."""

    arguments = [(b"request", Packed(requests.AskRequest))]
    response = [(b"reply", Packed(requests.AskReply))]
    errors = ERRORS


class Nominate(amp.Command):
    """First half of a decision about next configurations, for many slots."""

    arguments = [(b"request", Packed(requests.NominateRequest))]
    response = [(b"reply", Packed(requests.VoteReply))]
    errors = ERRORS


class Elect(amp.Command):
    """Second half of that decision."""

    arguments = [(b"request", Packed(requests.ElectRequest))]
    response = [(b"reply", Packed(requests.VoteReply))]
    errors = ERRORS


class Announce(amp.Command):
    """Decided configurations."""

    arguments = [(b"request", Packed(requests.AnnounceRequest))]
    response = [(b"reply", Packed(requests.AnnounceReply))]
    errors = ERRORS


class Stand(amp.Command):
    """Whether members of an epoch know of nothing that could have led to a later configuration."""

    arguments = [(b"request", Packed(requests.StandRequest))]
    response = [(b"reply", Packed(requests.StandReply))]
    errors = ERRORS


class Pull(amp.Command):
    """An inventory of slots for somebody who joins them; whoever answers has stopped serving the epoch before."""

    arguments = [(b"request", Packed(transfers.PullRequest))]
    response = [(b"reply", Packed(transfers.PullReply))]
    errors = ERRORS


class Copy(amp.Command):
    """Records of an inventory."""

    arguments = [(b"request", Packed(transfers.CopyRequest))]
    response = [(b"reply", Packed(transfers.CopyReply))]
    errors = ERRORS


class CompareSlots(amp.Command):
    """Digests of slots; changes nothing."""

    arguments = [(b"request", Packed(transfers.DigestRequest))]
    response = [(b"reply", Packed(transfers.DigestReply))]
    errors = ERRORS


class Mirror(amp.Command):
    """What the only member of a slot has written, for the node that keeps a copy."""

    arguments = [(b"request", Packed(transfers.MirrorRequest))]
    response = [(b"reply", Packed(transfers.MirrorReply))]
    errors = ERRORS


class Follow(amp.Command):
    """Keep a copy of slots of which you are to become a member; answers within a second how far that is."""

    arguments = [(b"request", Packed(transfers.FollowRequest))]
    response = [(b"reply", Packed(transfers.FollowReply))]
    errors = ERRORS


COMMANDS: dict[type[requests.Request], type[amp.Command]] = {
    requests.PrepareRequest: PrepareRegister,
    requests.AcceptRequest: AcceptRegister,
    requests.ReadRequest: ReadRegister,
    requests.AddRequest: AddItems,
    requests.ListRequest: ListItems,
    requests.MarkRequest: MarkItems,
    requests.BuryRequest: BuryItems,
    requests.CollectRequest: CollectItems,
    requests.LookRequest: LookAtItems,
    requests.AskRequest: AskConfigurations,
    requests.NominateRequest: Nominate,
    requests.ElectRequest: Elect,
    requests.AnnounceRequest: Announce,
    requests.StandRequest: Stand,
    transfers.PullRequest: Pull,
    transfers.CopyRequest: Copy,
    transfers.DigestRequest: CompareSlots,
    transfers.MirrorRequest: Mirror,
    transfers.FollowRequest: Follow,
}
"""Which command carries a request."""
