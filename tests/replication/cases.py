"""One member over a real store, and the requests that tests ask it."""

from pathlib import Path
from typing import Any

from p2pchat.identifiers import CIRCLE, Identifier
from p2pchat.replication.configuration import Configuration, Group
from p2pchat.replication.formats import Formats
from p2pchat.replication.ground import Event
from p2pchat.replication.member import Member
from p2pchat.replication.register import Ballot, Versioned
from p2pchat.replication.requests import (
    AcceptRequest,
    AddRequest,
    AnnounceRequest,
    BuryRequest,
    ListRequest,
    MarkRequest,
    PrepareRequest,
    ReadRequest,
    Reply,
    Request,
)
from p2pchat.replication.slots import KIND_ACCOUNT, KIND_MAILKEY, KIND_SESSION, RegisterKey
from p2pchat.replication.storage import SqliteStore
from p2pchat.replication.transfers import PullRequest
from p2pchat.replication.uset import Item, ItemState

A, B, C, D = (Identifier(each) for each in (10, 20, 30, 40))
SLOTS = 4
POINT = Identifier(CIRCLE // 8)
"""In slot 0."""
ACCOUNT, SESSION, MAILKEY = (RegisterKey(POINT, kind) for kind in (KIND_ACCOUNT, KIND_SESSION, KIND_MAILKEY))
GENESIS = Configuration(1, (A,))
THREE = GENESIS.followed_by((A, B, C))
FOUR = THREE.followed_by((B, C, D))
NOW = 1_700_000_000.0


def item_id(number: int) -> bytes:
    return number.to_bytes(32, "big")


class Lone:
    """One node's member, asked directly."""

    def __init__(self, me: Identifier, founder: bool = False, formats: Formats | None = None) -> None:
        self.me, self.events = me, list[Event]()
        self.store = SqliteStore(Path(":memory:"), me, create=True, slots=SLOTS)
        self.member = Member(me, SLOTS, founder, formats or Formats(fence_of=int, key_id_of=bytes))

    def ask(self, request: Request, caller: Identifier = A) -> Any:
        """The reply, from a turn that was committed; what it raised is raised."""
        results: list[Any] = []

        def turn(store: Any) -> Reply:
            reply, events = self.member.answer(store, caller, request, NOW)
            self.events += events
            return reply

        results = self.store.commit([turn])
        if hasattr(results[0], "raiseException"):
            results[0].raiseException()
        return results[0]

    def believe(self, configuration: Configuration, slots: tuple[int, ...] = (0,)) -> None:
        """What this node does once it has asked around about a configuration."""

        def turn(store: Any) -> None:
            for slot in slots:
                self.member.ground.adopt(store, slot, configuration, self.events, is_sure=True)

        results = self.store.commit([turn])
        if results[0] is not None:
            results[0].raiseException()

    def announce(self, configuration: Configuration, slots: tuple[int, ...] = (0,)) -> Any:
        self.believe(configuration, slots)
        return self.ask(AnnounceRequest((Group(configuration, slots),)))

    def prepare(self, counter: int, epoch: int = 1, key: RegisterKey = ACCOUNT, node: Identifier = A) -> Any:
        return self.ask(PrepareRequest(key, Ballot(epoch, counter, node)), node)

    def accept(self, counter: int, value: bytes, epoch: int = 1, key: RegisterKey = ACCOUNT, version: int = 1) -> Any:
        return self.ask(AcceptRequest(key, Ballot(epoch, counter, A), Versioned(version, (), value)))

    def read(self, epoch: int = 1, key: RegisterKey = ACCOUNT) -> Any:
        return self.ask(ReadRequest(key, epoch))

    def add(self, *numbers: int, epoch: int = 1, fence: bytes = b"", payload: bytes = b"payload") -> Any:
        items = tuple(Item(item_id(number), payload) for number in numbers)
        return self.ask(AddRequest(POINT, epoch, fence, items))

    def list(self, epoch: int = 1, fence: int = 0) -> Any:
        return self.ask(ListRequest(POINT, epoch, fence, b""))

    def mark(self, *numbers: int, epoch: int = 1, fence: int = 0) -> Any:
        return self.ask(MarkRequest(POINT, epoch, fence, tuple(map(item_id, numbers)), b"proof"))

    def bury(self, *numbers: int, epoch: int = 1) -> Any:
        return self.ask(BuryRequest(POINT, epoch, tuple(map(item_id, numbers)), ItemState.ACKNOWLEDGED))

    def pull(self, configuration: Configuration, slots: tuple[int, ...] = (0,)) -> Any:
        self.believe(configuration, slots)
        return self.ask(PullRequest(configuration, slots))
