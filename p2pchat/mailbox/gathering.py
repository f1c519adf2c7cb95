"""What comes for one mailbox within one turn of the reactor goes to the ring together: one box, one commit a member."""

from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from p2pchat.errors import SlowedDown
from p2pchat.identifiers import Identifier
from p2pchat.replication.results import Stored
from p2pchat.replication.sets import batches
from p2pchat.replication.uset import Item

Add = Callable[[Identifier, bytes, Sequence[Item]], Awaitable[Stored]]


@dataclass(slots=True)
class _Gathered:
    """Items for one mailbox by id, and who waits for each; the request ids of the first one go with all."""

    items: dict[bytes, Item]
    waiting: dict[bytes, list[Deferred[Stored]]]
    context: Context


class Gathering:
    """Adds items to mailboxes.

    Args:
        add: to the ring, many at once.
        stored: told of each box that the ring took, once.
    """

    def __init__(
        self, add: Add, stored: Callable[[Identifier, Sequence[Item], Stored], None], clock: IReactorTime
    ) -> None:
        self._add, self._stored, self._clock = add, stored, clock
        self._gathered: dict[tuple[Identifier, bytes], _Gathered] = {}

    def add(self, point: Identifier, key_id: bytes, item: Item) -> Deferred[Stored]:
        """As `ReplicationService.add`, for one item."""
        done: Deferred[Stored] = Deferred()
        gathered = self._gathered.get((point, key_id))
        if gathered is None:
            gathered = self._gathered[point, key_id] = _Gathered({}, {}, copy_context())
            self._clock.callLater(0, self._send, point, key_id)
        gathered.items[item.id] = item
        gathered.waiting.setdefault(item.id, []).append(done)
        return done

    def _send(self, point: Identifier, key_id: bytes) -> None:
        gathered = self._gathered.pop((point, key_id))
        for box in batches(list(gathered.items.values())):
            gathered.context.run(Deferred.fromCoroutine, self._send_box(point, key_id, box, gathered.waiting))

    async def _send_box(
        self, point: Identifier, key_id: bytes, box: Sequence[Item], waiting: dict[bytes, list[Deferred[Stored]]]
    ) -> None:
        result: Stored | Exception
        try:
            result = await self._add(point, key_id, box)
        except SlowedDown as error:
            if len(box) > 1:  # there may be room for some of them
                for item in box:
                    await self._send_box(point, key_id, (item,), waiting)
                return
            result = error
        except Exception as error:  # whoever waits gets it
            result = error
        for done in [each for item in box for each in waiting[item.id] if not each.called]:
            if isinstance(result, Stored):
                done.callback(result)
            else:
                done.errback(result)
        if isinstance(result, Stored):
            self._stored(point, box, result)
