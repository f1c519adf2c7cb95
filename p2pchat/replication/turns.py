"""What may change this node's own records: turns of its member, one after the other."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from twisted.internet.defer import Deferred

from p2pchat.replication.ground import Event
from p2pchat.replication.store import Store

T = TypeVar("T")


class Turns(Protocol):
    """Runs turns of this node's own member, and tells of their events once they are durable."""

    def __call__(self, turn: Callable[[Store, list[Event]], T]) -> Deferred[T]: ...
