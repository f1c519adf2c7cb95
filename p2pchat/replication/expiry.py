"""Forgets items whose time is over."""

from collections.abc import Callable

from twisted.logger import Logger

from p2pchat.errors import P2PChatError
from p2pchat.replication.store import Disk, Store
from p2pchat.replication.uset import is_over

EXPIRED_AT_ONCE = 500


class Expiry:
    """This node's share; `turn` is called from time to time.

    Args:
        now: seconds since 1970.
    """

    _log = Logger()

    def __init__(self, disk: Disk, now: Callable[[], float]) -> None:
        self._disk, self._now = disk, now

    async def turn(self) -> None:
        """Drop what is over, a few items in each transaction."""
        try:
            while await self._disk.run(self._drop) == EXPIRED_AT_ONCE:
                pass
        except P2PChatError as error:
            self._log.warn("old messages stay: {error}", error=error)

    def _drop(self, store: Store) -> int:
        now = self._now()
        over = [(point, item.id) for point, item in store.oldest(EXPIRED_AT_ONCE) if is_over(item, now)]
        store.drop_items(over)
        return len(over)
