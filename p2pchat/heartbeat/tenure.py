"""Since when this node owns what: a new owner has heard nothing yet and must say so."""

from collections.abc import Callable, Collection

from p2pchat.identifiers import Identifier


class Tenure:
    """Slots that this node owns, each with the time since when (seconds of our clock)."""

    def __init__(self, slot_of: Callable[[Identifier], int]) -> None:
        self._slot_of = slot_of
        self._since: dict[int, float] = {}

    def update(self, owned: Collection[int], now: float) -> None:
        """The ring changed: these slots are ours now."""
        self._since = {slot: self._since.get(slot, now) for slot in owned}

    def since(self, account: Identifier) -> float | None:
        """Since when we own an account; None: we do not."""
        return self._since.get(self._slot_of(account))
