"""How long to leave a node alone after it could not be reached."""

from random import Random

from p2pchat.identifiers import Identifier

FIRST_SECONDS = 0.2
MOST_SECONDS = 4.0
MAX_REMEMBERED = 10_000


class Backoff:
    """For each node, the pause until the next attempt; it doubles with each failure, with jitter."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self._pauses: dict[Identifier, float] = {}
        self._until: dict[Identifier, float] = {}

    def remaining(self, node: Identifier, now: float) -> float:
        """Seconds until `node` may be tried again; 0 for now."""
        return max(0.0, self._until.get(node, now) - now)

    def failed(self, node: Identifier, now: float) -> None:
        """`node` could not be reached at this moment."""
        pause = min(self._pauses.pop(node, FIRST_SECONDS / 2) * 2, MOST_SECONDS)
        if len(self._pauses) >= MAX_REMEMBERED:
            self.forget(next(iter(self._pauses)))
        self._pauses[node] = pause
        self._until[node] = now + pause * self._chance.uniform(0.8, 1.2)

    def forget(self, node: Identifier) -> None:
        """`node` was reached, or has another address: try it at once."""
        self._pauses.pop(node, None)
        self._until.pop(node, None)
