"""Whether every prepared record is there: accounts as they were written, and each message."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import deferLater

from benchmarks.people import People
from benchmarks.within import MeasuredRing
from p2pchat.errors import P2PChatError
from p2pchat.replication.slots import RegisterKey

LANES = 32
TRY_SECONDS = 5.0
CREATE_SECONDS = 30.0
"""For so long a record is tried to be written."""
PAUSE_SECONDS = 0.05


@dataclass(slots=True)
class Everything:
    """Prepared accounts of a ring, and what belongs to each."""

    ring: MeasuredRing
    accounts: int
    messages: int
    _values: dict[RegisterKey, bytes] = field(default_factory=dict)
    _mail: dict[RegisterKey, set[bytes]] = field(default_factory=dict)

    async def create(self) -> None:
        """Write it all; what a busy machine refuses is written again."""
        people = People(self.ring.identifier)
        numbers = iter(range(self.accounts))
        service = self.ring.service

        async def lane() -> None:
            for number in numbers:
                key, value = people.key(number), people.account(number)
                await self._done(partial(service.change, key, partial(created, value), b"%d" % number))
                self._values[key] = sha256(value).digest()
                if self.messages:
                    items = people.messages(self.messages)
                    await self._done(partial(service.add, key.point, b"", items))
                    self._mail[key] = {item.id for item in items}

        await DeferredList([Deferred.fromCoroutine(lane()) for _ in range(LANES)], fireOnOneErrback=True)

    async def _done(self, work: Callable[[], Awaitable[object]]) -> None:
        until = self.ring.reactor.seconds() + CREATE_SECONDS
        while True:
            try:
                await work()
            except P2PChatError:
                if self.ring.reactor.seconds() >= until:
                    raise
                await deferLater(self.ring.reactor, PAUSE_SECONDS)
                continue
            return

    async def missing(self) -> int:
        """Read it all; how many accounts are gone or changed, and messages that are gone.

        An account that cannot be read yet is asked for again.
        """
        keys, lost = iter(list(self._values)), [0]

        async def lane() -> None:
            for key in keys:
                lost[0] += await self._lost(key)

        await DeferredList([Deferred.fromCoroutine(lane()) for _ in range(LANES)], fireOnOneErrback=True)
        return lost[0]

    async def _lost(self, key: RegisterKey) -> int:
        while True:
            try:
                read = await self.ring.service.read(key, TRY_SECONDS)
                found = await self._found(key)
            except P2PChatError:
                await deferLater(self.ring.reactor, PAUSE_SECONDS)
                continue
            is_wrong = read.value is None or sha256(read.value).digest() != self._values[key]
            return is_wrong + len(self._mail.get(key, set()) - found)

    async def _found(self, key: RegisterKey) -> set[bytes]:
        found: set[bytes] = set()
        after: bytes | None = b""
        while after is not None and key in self._mail:
            page = await self.ring.service.fetch(key.point, 0, after)
            found |= {item.id for item in page.items}
            after = page.next
        return found


def created(value: bytes, old: bytes | None) -> bytes:
    """What becomes of a register that nobody has."""
    return value if old is None else old
