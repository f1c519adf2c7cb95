"""How much lies in each set: counted once, then kept up with every write."""

from collections import OrderedDict

from p2pchat.identifiers import Identifier

MAX_SETS = 10_000


class Measures:
    """(items present, bytes of their payloads) of the sets that were measured last."""

    def __init__(self) -> None:
        self._known: OrderedDict[Identifier, tuple[int, int]] = OrderedDict()

    def get(self, point: Identifier) -> tuple[int, int] | None:
        """None: it has to be counted."""
        return self._known.get(point)

    def put(self, point: Identifier, count: int, size: int) -> None:
        """It was counted."""
        self._known[point] = count, size
        self._known.move_to_end(point)
        if len(self._known) > MAX_SETS:
            self._known.popitem(last=False)

    def add(self, point: Identifier, count: int, size: int) -> None:
        """So many more are there, or fewer."""
        if (known := self._known.get(point)) is not None:
            self._known[point] = known[0] + count, known[1] + size

    def forget(self, point: Identifier) -> None:
        """Count this one again."""
        self._known.pop(point, None)

    def clear(self) -> None:
        """Count every one again."""
        self._known.clear()
