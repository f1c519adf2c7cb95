"""Registers and sets of a ring in one dictionary, judged by the product's own formats."""

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import succeed

from p2pchat.errors import NoQuorum, SessionReplaced, SlowedDown, StaleKey
from p2pchat.identifiers import Identifier
from p2pchat.replication.results import Changed, Page, Read, Stored, Trace
from p2pchat.replication.slots import KIND_ACCOUNT, KIND_MAILKEY, KIND_SESSION, RegisterKey
from p2pchat.replication.uset import Item, ItemState
from p2pchat.server.formats import formats
from tests.crypto.keys import RING

WHOLE = Identifier(7)
NOW_MS = 1_790_000_000_000


class MemoryReplication:
    """One copy of everything; answers at once.  `silent`: no quorum; `now_ms`: what the members' clocks say."""

    def __init__(self, now_ms: Callable[[], int | None] = lambda: NOW_MS) -> None:
        self.registers: dict[RegisterKey, bytes] = {}
        self.items: dict[Identifier, dict[bytes, Item]] = {}
        self.states: dict[bytes, ItemState] = {}
        self.on_changed: list[Callable[[RegisterKey, bytes | None], None]] = []
        self.on_added: list[Callable[[Identifier, tuple[bytes, ...]], None]] = []
        self.silent = False
        self.reads, self.copies = 0, 5
        self._formats = formats(RING, now_ms)
        self.adds: list[int] = []
        """How many items each add had."""
        self.members: tuple[Identifier, ...] = ()
        self.full_from: int | None = None
        """An add that would lead to more items is refused."""

    async def change(
        self, key: RegisterKey, decide: Callable[[bytes | None], bytes | None], operation: bytes, timeout: float = 10.0
    ) -> Changed:
        """As ReplicationService."""
        self._heard()
        old = self.registers.get(key)
        new = decide(old)
        if new is not None and new != old:
            self._formats.validators[key.kind](old, new)
            self._formats.check_times(key.kind, old, new)
            self.registers[key] = new
            for told in self.on_changed:
                told(key, new)
        return Changed(new, 1)

    async def read(self, key: RegisterKey, timeout: float = 10.0) -> Read:
        """As ReplicationService."""
        self._heard()
        self.reads += 1
        return Read(self.registers.get(key), 1)

    async def add(self, point: Identifier, key_fence: bytes, items: Sequence[Item], timeout: float = 10.0) -> Stored:
        """As ReplicationService."""
        self._heard()
        account = self.registers.get(RegisterKey(point, KIND_ACCOUNT))
        if account is not None and self._formats.is_closed(account):
            raise StaleKey("The account was deleted.")
        if self._formats.key_id_of(self.registers.get(RegisterKey(point, KIND_MAILKEY), b"")) != key_fence:
            raise StaleKey("Another mail key is current.")
        self.adds.append(len(items))
        if self.full_from is not None and len(self.items.get(point, {})) + len(items) > self.full_from:
            raise SlowedDown("The mailbox is full.")
        for item in items:
            self.items.setdefault(point, {})[item.id] = item
            self.states[item.id] = ItemState.PRESENT
        for told in self.on_added:
            told(point, tuple(item.id for item in items))
        return Stored(self.copies, 5)

    async def fetch(self, point: Identifier, fence: int, after: bytes = b"", limit: int = 50) -> Page:
        """As ReplicationService."""
        self._fenced(point, fence)
        found = sorted((each for each in self.items.get(point, {}).values() if each.id > after), key=lambda e: e.id)
        return Page(tuple(found[:limit]), found[limit - 1].id if len(found) > limit else None)

    async def remove(self, point: Identifier, fence: int, ids: Sequence[bytes], proof: bytes) -> None:
        """As ReplicationService."""
        self._fenced(point, fence)
        state = self._formats.check_removal(self.registers.get(RegisterKey(point, KIND_SESSION), b""), proof, ids)
        for each in ids:
            self.items.get(point, {}).pop(each, None)
            self.states[each] = state

    async def close(self, point: Identifier) -> int:
        """As ReplicationService."""
        gone = self.items.pop(point, {})
        self.states.update(dict.fromkeys(gone, ItemState.UNOPENABLE))
        return len(gone)

    async def state(self, point: Identifier, item: bytes) -> ItemState:
        """As ReplicationService."""
        return self.states.get(item, ItemState.UNKNOWN)

    async def measure(self, point: Identifier) -> tuple[int, int]:
        """As ReplicationService."""
        held = self.items.get(point, {}).values()
        return len(held), sum(len(each.payload) for each in held)

    def members_of(self, point: Identifier) -> tuple[Identifier, ...]:
        """As ReplicationService."""
        return self.members

    async def trace(self, point: Identifier) -> Trace:
        """As ReplicationService."""
        return Trace(0, 1, (WHOLE,), WHOLE, 1)

    def _heard(self) -> None:
        if self.silent:
            raise NoQuorum("Too few members answer.")

    def _fenced(self, point: Identifier, fence: int) -> None:
        value = self.registers.get(RegisterKey(point, KIND_SESSION), b"")
        if value and self._formats.fence_of(value) > fence:
            raise SessionReplaced("A later session stands.")


def at_once(slow: Callable[..., Any], *arguments: Any) -> Any:
    """Stands for a thread."""
    return succeed(slow(*arguments))
