"""Who is here: the latest beat of each account that a node owns."""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass

from p2pchat.heartbeat.commands import (
    CONTACTS,
    INVISIBLE,
    LEAVING,
    OFFLINE,
    OFFLINE_SECONDS,
    ONLINE,
    UNKNOWN,
    VISIBLE,
)
from p2pchat.identifiers import Identifier

MAX_ACCOUNTS = 200_000
PRESENCES = (VISIBLE, CONTACTS, INVISIBLE, LEAVING)
SEEN = (VISIBLE, CONTACTS)
"""Beats that somebody may see."""


@dataclass(frozen=True, slots=True, order=True)
class Moment:
    """When a beat was made, in its account's own order: the highest wins."""

    epoch: int
    sequence: int
    counter: int


@dataclass(frozen=True, slots=True)
class Seen:
    """The highest beat of an account, through which node it came, and until when it holds (seconds of our clock)."""

    moment: Moment
    gateway: Identifier
    presence: str
    until: float


class PresenceTable:
    """Beats of the accounts that this node owns; time comes in as `now`, seconds of a clock that only grows."""

    def __init__(self) -> None:
        self._seen: dict[Identifier, Seen] = {}
        self._ends: list[tuple[float, Identifier]] = []

    def receive(self, account: Identifier, moment: Moment, presence: str, gateway: Identifier, now: float) -> bool:
        """A verified beat; True where others see another presence now.  An older beat than the one known is nothing."""
        before = self._seen.get(account)
        if before is not None and moment <= before.moment:
            return False
        if before is None and len(self._seen) >= MAX_ACCOUNTS:
            return False
        shown = self._views(account, now)
        self._seen[account] = Seen(moment, gateway, presence, now + OFFLINE_SECONDS)
        if before is None:
            heapq.heappush(self._ends, (now + OFFLINE_SECONDS, account))
        return self._views(account, now) != shown

    def _views(self, account: Identifier, now: float) -> tuple[str, str]:
        return self.state(account, now, now), self.state(account, now, now, to_contact=True)

    def expire(self, now: float) -> list[Identifier]:
        """Accounts that were online and have been silent for 15 s now."""
        gone = []
        while self._ends and self._ends[0][0] <= now:
            _, account = heapq.heappop(self._ends)
            seen = self._seen.get(account)
            if seen is None:
                continue
            if seen.until > now:
                heapq.heappush(self._ends, (seen.until, account))
                continue
            del self._seen[account]
            if seen.presence in SEEN:
                gone.append(account)
        return gone

    def state(self, account: Identifier, owned_since: float, now: float, to_contact: bool = False) -> str:
        """online, offline, or unknown: nothing was heard, and we own the account for less than 15 s."""
        seen = self._seen.get(account)
        if seen is not None and seen.until > now:
            return ONLINE if seen.presence in (SEEN if to_contact else (VISIBLE,)) else OFFLINE
        return OFFLINE if now - owned_since >= OFFLINE_SECONDS else UNKNOWN

    def gateway(self, account: Identifier, now: float) -> Identifier | None:
        """Through which node the account's agent is reached, if it is here at all."""
        seen = self._seen.get(account)
        if seen is None or seen.until <= now or seen.presence == LEAVING:
            return None
        return seen.gateway

    def forget(self, accounts: Iterable[Identifier]) -> None:
        """We do not own these any more."""
        for account in accounts:
            self._seen.pop(account, None)

    def accounts(self) -> list[Identifier]:
        """Every account with a beat that may still hold."""
        return list(self._seen)
