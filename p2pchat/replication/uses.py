"""Which slots people use just now, and which slots change their members together.

While a slot changes, whoever wants something of it waits, and the longer, the more slots change with it.  Of slots that
nobody uses many change at once, in few calls and transactions; of those in use a few.
"""

from collections.abc import Iterable

from p2pchat.replication.requests import (
    AcceptRequest,
    AddRequest,
    BuryRequest,
    CollectRequest,
    ListRequest,
    LookRequest,
    MarkRequest,
    PrepareRequest,
    ReadRequest,
    Request,
)
from p2pchat.replication.slots import slot_of

USED_SECONDS = 60.0
"""For so long after something was asked of it, a slot counts as used."""
FEW_SLOTS = 64
"""Slots in use that change together."""


class Uses:
    """When something was last asked of each slot of a ring with so many."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._asked: dict[int, float] = {}

    def note(self, request: Request, now: float) -> None:
        """A member is asked this."""
        match request:
            case PrepareRequest() | AcceptRequest() | ReadRequest():
                self._asked[slot_of(request.key.point, self._slots)] = now
            case AddRequest() | ListRequest() | MarkRequest() | BuryRequest() | CollectRequest() | LookRequest():
                self._asked[slot_of(request.point, self._slots)] = now

    def parts(self, slots: Iterable[int], now: float) -> list[tuple[int, ...]]:
        """These slots, put together so that each part may change at once: a few in use at a time, then all others."""
        used: list[int] = []
        idle: list[int] = []
        for slot in slots:
            asked = self._asked.get(slot)
            (idle if asked is None or now - asked > USED_SECONDS else used).append(slot)
        few = [tuple(used[start : start + FEW_SLOTS]) for start in range(0, len(used), FEW_SLOTS)]
        return [*few, tuple(idle)] if idle else few
