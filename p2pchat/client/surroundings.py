"""What an agent needs of the world around it: time, chance, threads and the network."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from twisted.internet.interfaces import IReactorTime

from p2pchat.chat.syncing import Disk
from p2pchat.client.entrance import InThread
from p2pchat.client.gateway import Find
from p2pchat.wire.dialer import Reach


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Passed in as one value, so that tests give memory instead.

    Attributes:
        now: seconds since 1970.
        spread: chance for pauses and choices.
        chance: random bytes that nobody can guess.
        disk: how the history is made durable.
    """

    clock: IReactorTime
    now: Callable[[], float]
    spread: random.Random
    chance: Callable[[int], bytes]
    in_thread: InThread
    reach: Reach
    find: Find
    disk: Disk

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return round(self.now() * 1000)
