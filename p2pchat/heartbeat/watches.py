"""The gateway's side of watching: asks owners for the accounts that its agents watch, and passes changes on."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from p2pchat.errors import P2PChatError, SlowedDown
from p2pchat.heartbeat.commands import MAX_ACCOUNTS_AT_ONCE, OFFLINE_SECONDS, UNKNOWN, AskLastSeen, WatchAccounts
from p2pchat.identifiers import Identifier, account_identifier
from p2pchat.wire.connection import Call, Link

MAX_WATCHED_BY_LINK = 2_000
MAX_KEYS_AT_ONCE = 500
"""Keys of contacts in one question to an owner: what does not fit is shown as to everybody."""
RENEW_SECONDS = 10.0


class Watches:
    """Accounts that agents here watch, each with what is known of it.

    Args:
        owner_of: the account's owner as this node sees the ring; None while there is none.
        show: tell a link that a user's presence is another now.
    """

    _log = Logger()

    def __init__(
        self,
        call: Call,
        owner_of: Callable[[Identifier], Identifier | None],
        show: Callable[[Link, str, str], None],
        clock: IReactorTime,
    ) -> None:
        self._call, self._owner_of, self._show, self._clock = call, owner_of, show, clock
        self._users: dict[Identifier, str] = {}
        self._links: dict[Identifier, dict[Link, None]] = {}
        self._watched: dict[Link, set[Identifier]] = {}
        self._keys: dict[tuple[Link, Identifier], bytes] = {}
        self._known: dict[Identifier, tuple[str, float]] = {}  # presence for everybody, when it was confirmed
        self._shown: dict[Identifier, tuple[bytes, str]] = {}  # the key of contacts, and presence for who has it
        self._owners: dict[Identifier, Identifier | None] = {}

    async def watch(
        self, link: Link, users: Collection[str], seen_key: bytes | None = None
    ) -> dict[str, tuple[str, int | None]]:
        """Tell `link` of changes from now on; presence, and last seen for who has the key, as known now."""
        accounts = {account_identifier(user): user for user in users}
        known = link in self._watched
        mine = self._watched.setdefault(link, set())
        if len(mine | accounts.keys()) > MAX_WATCHED_BY_LINK:
            raise SlowedDown(f"One agent can watch {MAX_WATCHED_BY_LINK} people. Watch fewer.")
        mine.update(accounts)
        if not known:
            link.when_lost(self.drop)
        for account, user in accounts.items():
            self._users[account] = user
            self._links.setdefault(account, {})[link] = None
            if seen_key is not None:
                self._keys[link, account] = seen_key
        await self._ask([each for each in accounts if each not in self._known or self._is_new(each, seen_key)])
        return {user: (self.presence(link, each), await self.last_seen(link, user)) for each, user in accounts.items()}

    def _is_new(self, account: Identifier, seen_key: bytes | None) -> bool:
        """Whether the owner may tell more to who has this key."""
        return seen_key is not None and self._shown.get(account, (b"", ""))[0] != seen_key

    def presence(self, link: Link, account: Identifier) -> str:
        """What this link may see."""
        key, shown = self._shown.get(account, (b"", UNKNOWN))
        return shown if key and self._keys.get((link, account)) == key else self._known.get(account, (UNKNOWN, 0.0))[0]

    async def last_seen(self, link: Link, user: str) -> int | None:
        """Milliseconds since 1970, if `link` has shown the user's key and the owner knows."""
        account = account_identifier(user)
        key, owner = self._keys.get((link, account)), self._owner_of(account)
        if key is None or owner is None:
            return None
        try:
            seen: int | None = (await self._call(owner, AskLastSeen, account=account, seen_key=key))["last_seen"]
        except P2PChatError as error:
            self._log.debug("an owner did not say when somebody was seen: {error}", error=str(error))
            return None
        return seen

    def unwatch(self, link: Link, users: Iterable[str]) -> None:
        """No more changes of these users to `link`."""
        self._forget(link, map(account_identifier, users))

    def drop(self, link: Link) -> None:
        """The link is gone."""
        self._forget(link, list(self._watched.get(link, ())))
        self._watched.pop(link, None)

    def learn(
        self, owner: Identifier, presences: Iterable[Mapping[str, Any]], shown: Iterable[Mapping[str, Any]] = ()
    ) -> None:
        """An owner told changes; what another node says of its accounts counts for nothing."""
        to_contacts = {each["account"]: (each["seen_key"], each["presence"]) for each in shown}
        for each in presences:
            account = each["account"]
            if account in self._users and self._owner_of(account) == owner:
                self._note(account, each["presence"], to_contacts.get(account))

    async def ring_changed(self) -> None:
        """Ask the new owners of accounts whose owner is another node now."""
        await self._ask([each for each in self._users if self._owner_of(each) != self._owners.get(each)])

    async def renew(self) -> None:
        """Every 10 s: ask all owners again, so that a lost push costs no more than that."""
        await self._ask(list(self._users))

    async def _ask(self, accounts: Collection[Identifier]) -> None:
        by_owner: dict[Identifier | None, list[Identifier]] = {}
        for account in accounts:
            by_owner.setdefault(self._owner_of(account), []).append(account)
        asked = [
            Deferred.fromCoroutine(self._ask_owner(owner, owned[start : start + MAX_ACCOUNTS_AT_ONCE]))
            for owner, owned in by_owner.items()
            for start in range(0, len(owned), MAX_ACCOUNTS_AT_ONCE)
        ]
        await gatherResults(asked, consumeErrors=True)

    async def _ask_owner(self, owner: Identifier | None, accounts: list[Identifier]) -> None:
        self._owners.update(dict.fromkeys(accounts, owner))
        answers: dict[Identifier, str] = {}
        shown: dict[Identifier, tuple[bytes, str]] = {}
        try:
            if owner is not None:
                answer = await self._call(owner, WatchAccounts, accounts=accounts, keys=self._keys_of(accounts))
                answers = {each["account"]: each["presence"] for each in answer["presences"]}
                shown = {each["account"]: (each["seen_key"], each["presence"]) for each in answer["shown"] or ()}
        except P2PChatError as error:
            self._log.debug("an owner did not say who is here: {error}", error=str(error))
        now = self._clock.seconds()
        for account in accounts:
            if account not in self._users:
                continue
            if account in answers:
                self._note(account, answers[account], shown.get(account))
            elif now - self._known.get(account, (UNKNOWN, 0.0))[1] > OFFLINE_SECONDS:
                self._note(account, UNKNOWN, None)

    def _keys_of(self, accounts: Iterable[Identifier]) -> list[dict[str, Any]]:
        """What links here have shown for these accounts, each once."""
        held = {(each, self._keys.get((link, each))) for each in accounts for link in self._links.get(each, {})}
        keys = [{"account": account, "seen_key": key} for account, key in held if key is not None]
        return keys[:MAX_KEYS_AT_ONCE]

    def _note(self, account: Identifier, presence: str, shown: tuple[bytes, str] | None) -> None:
        links, known = list(self._links.get(account, {})), account in self._known
        before = [self.presence(link, account) for link in links]
        self._known[account] = (presence, self._clock.seconds())
        if shown is None:
            self._shown.pop(account, None)
        else:
            self._shown[account] = shown
        for link, was in zip(links, before, strict=True):
            now = self.presence(link, account)
            if known and now != was:  # who watches first gets it as the answer
                self._show(link, self._users[account], now)

    def _forget(self, link: Link, accounts: Iterable[Identifier]) -> None:
        for account in accounts:
            self._watched.get(link, set()).discard(account)
            self._keys.pop((link, account), None)
            links = self._links.get(account, {})
            links.pop(link, None)
            if not links:
                self._links.pop(account, None)
                self._users.pop(account, None)
                self._known.pop(account, None)
                self._shown.pop(account, None)
                self._owners.pop(account, None)
