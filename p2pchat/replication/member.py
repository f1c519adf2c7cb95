"""One node as a member of slots: every rule that safety rests on, over a store, without network, clock or chance.

Source of the rules: docs/protocol.md, "Slots"; CASPaxos inside an epoch, single-decree Paxos between epochs.
"""

from typing import assert_never

from p2pchat.errors import Misbehaved
from p2pchat.identifiers import Identifier
from p2pchat.replication.acceptor import Acceptor
from p2pchat.replication.digest import Comparer
from p2pchat.replication.elector import Elector
from p2pchat.replication.formats import Formats
from p2pchat.replication.ground import Event, Ground
from p2pchat.replication.inventory import Inventory
from p2pchat.replication.requests import (
    AcceptRequest,
    AddRequest,
    AnnounceRequest,
    AskRequest,
    BuryRequest,
    CollectRequest,
    ElectRequest,
    ListRequest,
    LookRequest,
    MarkRequest,
    NominateRequest,
    PrepareRequest,
    Question,
    ReadRequest,
    Reply,
    Request,
    StandRequest,
)
from p2pchat.replication.setkeeper import SetKeeper
from p2pchat.replication.store import Store, View
from p2pchat.replication.transfers import CopyRequest, DigestRequest, FollowRequest, MirrorRequest, PullRequest


class Member:
    """Answers requests of all nodes; the same requests in the same order give the same answers."""

    def __init__(self, me: Identifier, slots: int, founder: bool, formats: Formats) -> None:
        self.ground = Ground(me, slots, founder, formats)
        self.registers = Acceptor(self.ground)
        self.sets = SetKeeper(self.ground)
        self.elections = Elector(self.ground)
        self.inventory = Inventory(self.ground, self.registers.judge)
        self.comparer = Comparer(self.ground, self.registers)

    def answer(self, store: Store, caller: Identifier, request: Request, now: float) -> tuple[Reply, list[Event]]:
        """The answer, and what happened; both hold only once the store's turn is durable.

        Args:
            caller: the asking node, as TLS proved it.
            now: seconds since 1970, for expiry only.
        Raises:
            Misbehaved: the request is one that no sound node makes; nothing was done.
        """
        events: list[Event] = []
        return self._answer(store, caller, request, now, events), events

    def look(self, view: View, request: Question) -> Reply:
        """The answer to a request that changes nothing and promises nothing."""
        match request:
            case ReadRequest():
                return self.registers.read(view, request)
            case ListRequest():
                return self.sets.list(view, request)
            case CollectRequest():
                return self.sets.collect(view, request)
            case LookRequest():
                return self.sets.look(view, request)
        assert_never(request)

    def _answer(self, store: Store, caller: Identifier, request: Request, now: float, events: list[Event]) -> Reply:
        match request:
            case PrepareRequest():
                return self.registers.prepare(store, caller, request)
            case AcceptRequest():
                return self.registers.accept(store, caller, request, events)
            case ReadRequest() | ListRequest() | CollectRequest() | LookRequest():
                return self.look(store, request)
            case AddRequest():
                return self.sets.add(store, request, now, events)
            case MarkRequest():
                return self.sets.mark(store, request)
            case BuryRequest():
                return self.sets.bury(store, request, now)
            case AskRequest():
                return self.elections.ask(store, request)
            case NominateRequest():
                return self.elections.nominate(store, caller, request, events)
            case ElectRequest():
                return self.elections.elect(store, caller, request, events)
            case AnnounceRequest():
                return self.elections.announce(store, request, events)
            case StandRequest():
                return self.elections.stand(store, request)
            case PullRequest():
                return self.inventory.pull(store, request, events)
            case CopyRequest():
                return self.inventory.copy(store, request)
            case DigestRequest():
                return self.comparer.digests(store, request)
            case MirrorRequest():
                return self.comparer.mirror(store, caller, request, now, events)
            case FollowRequest():
                raise Misbehaved("To follow takes more than one turn.")
        assert_never(request)
