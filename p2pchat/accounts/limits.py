"""Limits against floods and guesses: registrations of an address, wrong passwords for an account."""

import math
from collections import OrderedDict, deque
from dataclasses import dataclass

from p2pchat.errors import SlowedDown
from p2pchat.identifiers import Identifier

REGISTRATIONS_A_MINUTE = 60
MINUTE_SECONDS = 60.0
FREE_TRIES = 5
MAX_WAIT_SECONDS = 30.0
FORGET_SECONDS = 3_600.0
MAX_ADDRESSES = 10_000
MAX_ACCOUNTS = 100_000


class Registrations:
    """How many registrations each address asked of this node within the last minute."""

    def __init__(self, most: int = REGISTRATIONS_A_MINUTE) -> None:
        self._most = most
        self._asked: OrderedDict[str, deque[float]] = OrderedDict()

    def count(self, host: str, now: float) -> None:
        """One more registration from `host`; SlowedDown names the seconds until one is allowed again."""
        times = self._asked.setdefault(host, deque())
        self._asked.move_to_end(host)
        while times and times[0] <= now - MINUTE_SECONDS:
            times.popleft()
        if len(times) >= self._most:
            raise SlowedDown(
                f"Too many registrations from {host}. Try again in {_whole(times[0] + MINUTE_SECONDS - now)} s."
            )
        times.append(now)
        while len(self._asked) > MAX_ADDRESSES:
            self._asked.popitem(last=False)


@dataclass(slots=True)
class _Wrong:
    count: int
    last: float


class Tries:
    """Wrong passwords in a row for each account that this node owns.

    A try counts as wrong from the moment it begins, so that many at once through many gateways gain nothing.
    """

    def __init__(self) -> None:
        self._wrong: OrderedDict[Identifier, _Wrong] = OrderedDict()

    def count(self, account: Identifier, now: float) -> None:
        """A try begins.  SlowedDown: too early after five or more wrong ones; the text names the seconds."""
        wrong = self._wrong.get(account)
        if wrong is None or now - wrong.last > FORGET_SECONDS:
            wrong = self._wrong[account] = _Wrong(0, now)
        if (left := wrong.last + wait_seconds(wrong.count) - now) > 0:
            raise SlowedDown(f"Too many wrong passwords for this account. Try again in {_whole(left)} s.")
        wrong.count, wrong.last = wrong.count + 1, now
        self._wrong.move_to_end(account)
        while len(self._wrong) > MAX_ACCOUNTS:
            self._wrong.popitem(last=False)

    def forgive(self, account: Identifier) -> None:
        """The password was right."""
        self._wrong.pop(account, None)


def wait_seconds(wrong: int) -> float:
    """Seconds to wait after so many wrong passwords in a row: 0 below five, then 1, 2, 4 … 30."""
    if wrong < FREE_TRIES:
        return 0.0
    return float(min(MAX_WAIT_SECONDS, 2 ** min(wrong - FREE_TRIES, 10)))


def _whole(left: float) -> int:
    return max(1, math.ceil(left))
