"""The owner's side of presence: takes beats from gateways, keeps the latest, tells the gateways that watch."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from p2pchat.errors import NotLoggedIn, P2PChatError, SessionReplaced, SlowedDown
from p2pchat.heartbeat.beats import SignedBeat, Standing, Verify
from p2pchat.heartbeat.commands import MAX_ACCOUNTS_AT_ONCE, UNKNOWN, AnnouncePresence
from p2pchat.heartbeat.lastseen import LastSeen
from p2pchat.heartbeat.presence import SEEN, PresenceTable
from p2pchat.heartbeat.tenure import Tenure
from p2pchat.identifiers import Identifier
from p2pchat.wire.connection import Call

LEASE_SECONDS = 60.0
MAX_KEYS_OF_ACCOUNT = 8
"""That one gateway shows: its agents may have older ones."""
MAX_WATCHED_FOR_ONE = 50_000
"""Accounts that one gateway may watch here."""


@dataclass(slots=True)
class Lease:
    """One account that a gateway watches, and the keys that its agents have shown."""

    until: float
    keys: frozenset[bytes] = field(repr=False)


class PresenceOwner:
    """Presence of the accounts that this node owns.

    Args:
        verify: checks a beat's signature against the session that stands.
        standing: the session that is known here and the mailbox's version, after a check.
        now: seconds since 1970, for last seen.
    """

    _log = Logger()

    def __init__(
        self,
        call: Call,
        verify: Verify,
        standing: Callable[[str], Standing],
        tenure: Tenure,
        clock: IReactorTime,
        now: Callable[[], float],
    ) -> None:
        self._call, self._verify, self._standing, self._tenure, self._clock = call, verify, standing, tenure, clock
        self._now = now
        self._table, self.last_seen = PresenceTable(), LastSeen()
        self._watchers: dict[Identifier, dict[Identifier, Lease]] = {}  # gateway, account
        self._changed: set[Identifier] = set()
        self.fell_silent = 0
        """How often an account's beats ended without a goodbye."""

    async def receive(self, gateway: Identifier, beats: Sequence[SignedBeat]) -> list[tuple[Identifier, Standing]]:
        """Take the beats that are genuine; what stands for each account, the replaced ones among them."""
        answers = []
        for beat in beats:
            try:
                await beat.check(self._verify)
            except (SessionReplaced, NotLoggedIn):
                answers.append((beat.account, self._standing(beat.user)))
                continue
            except P2PChatError as error:
                self._log.debug("a beat was refused: {error}", error=str(error))
                continue
            if self._table.receive(beat.account, beat.moment, beat.presence, gateway, self._clock.seconds()):
                self._changed.add(beat.account)
            if beat.presence in SEEN:
                self.last_seen.note(beat.account, beat.seen_key, int(self._now() * 1000))
            answers.append((beat.account, self._standing(beat.user)))
        return answers

    def watch(
        self, gateway: Identifier, accounts: Collection[Identifier], keys: Iterable[tuple[Identifier, bytes]] = ()
    ) -> dict[str, list[dict[str, Any]]]:
        """Tell `gateway` of changes for the next 60 s; what is known now.

        Args:
            keys: those that the gateway's agents have shown, with their accounts.
        """
        now = self._clock.seconds()
        leases = self._watchers.setdefault(gateway, {})
        for account in [each for each, lease in leases.items() if lease.until <= now]:
            del leases[account]
        if len(leases.keys() | set(accounts)) > MAX_WATCHED_FOR_ONE:
            raise SlowedDown("This node watches too many accounts for you. Try again in 60 s.")
        shown: dict[Identifier, list[bytes]] = {}
        for account, key in keys:
            shown.setdefault(account, []).append(key)
        for account in accounts:
            leases[account] = Lease(now + LEASE_SECONDS, frozenset(shown.get(account, ())[:MAX_KEYS_OF_ACCOUNT]))
        return self._told(accounts, leases)

    def _told(self, accounts: Iterable[Identifier], leases: dict[Identifier, Lease]) -> dict[str, list[dict[str, Any]]]:
        """What a gateway may tell everybody, and what those who have shown the right key."""
        presences: list[dict[str, Any]] = []
        shown: list[dict[str, Any]] = []
        for account in accounts:
            presences.append({"account": account, "presence": self.state(account)})
            key = self.last_seen.right_key(account, leases[account].keys)
            if key is not None:
                shown.append({"account": account, "seen_key": key, "presence": self.state(account, to_contact=True)})
        return {"presences": presences, "shown": shown}

    def state(self, account: Identifier, to_contact: bool = False) -> str:
        """online, offline or unknown, as everybody may see it, or a contact."""
        since, now = self._tenure.since(account), self._clock.seconds()
        return UNKNOWN if since is None else self._table.state(account, since, now, to_contact)

    def gateway(self, account: Identifier) -> Identifier | None:
        """Through which node the account's agent is reached, if it is here."""
        return self._table.gateway(account, self._clock.seconds())

    def ring_changed(self) -> None:
        """Forget the accounts of slots that we no longer own."""
        self._table.forget([each for each in self._table.accounts() if self._tenure.since(each) is None])

    def turn(self) -> None:
        """Once a second or sooner: find who fell silent, tell who watches."""
        silent = self._table.expire(self._clock.seconds())
        self.fell_silent += len(silent)
        self._changed.update(silent)
        changed, self._changed = self._changed, set()
        if not changed:
            return
        now = self._clock.seconds()
        for gateway, leases in self._watchers.items():
            told = [account for account in changed if account in leases and leases[account].until > now]
            for start in range(0, len(told), MAX_ACCOUNTS_AT_ONCE):
                Deferred.fromCoroutine(self._tell(gateway, told[start : start + MAX_ACCOUNTS_AT_ONCE]))

    async def _tell(self, gateway: Identifier, accounts: list[Identifier]) -> None:
        leases = self._watchers.get(gateway, {})
        told = self._told([each for each in accounts if each in leases], leases)
        try:
            await self._call(gateway, AnnouncePresence, presences=told["presences"], shown=told["shown"])
        except P2PChatError as error:
            self._log.debug("a gateway did not take changes: {error}", error=str(error))
