"""Who is online: watched at the gateway, pushed by it, and unknown while there is none."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from p2pchat.client.gateway import CALL_SECONDS, Ask
from p2pchat.errors import P2PChatError
from p2pchat.heartbeat.commands import MAX_WATCHED_AT_ONCE, OFFLINE, ONLINE, UNKNOWN, Unwatch, Watch
from p2pchat.heartbeat.lastseen import seen_key

STATES = (ONLINE, OFFLINE, UNKNOWN)


@dataclass(frozen=True, slots=True)
class Seen:
    """One person's state; `last_seen` in milliseconds since 1970, where we may know it."""

    presence: str = UNKNOWN
    last_seen: int | None = None


class Presence:
    """What is known of the people whom this agent watches.

    Args:
        watched: everybody to watch, with the capability that shows when they were last seen (or None).
        changed: told of each change (user, now, before).
    """

    _log = Logger()

    def __init__(
        self,
        ask: Ask,
        ring: Callable[[], bytes],
        watched: Callable[[], Iterable[tuple[str, bytes | None]]],
        changed: Callable[[str, Seen, Seen], None],
    ) -> None:
        self._ask, self._ring, self._watched, self._changed = ask, ring, watched, changed
        self._seen: dict[str, Seen] = {}
        self._watching: dict[str, bytes | None] = {}

    def of(self, user: str) -> Seen:
        return self._seen.get(user, Seen())

    def connected(self) -> None:
        """A link stands: watch everybody through it."""
        watched = list(self._watched())
        self._watching = dict(watched)
        plain = [user for user, capability in watched if capability is None]
        for start in range(0, len(plain), MAX_WATCHED_AT_ONCE):
            self._begin(plain[start : start + MAX_WATCHED_AT_ONCE], None)
        for user, capability in watched:
            if capability is not None:
                self._begin([user], capability)

    def disconnected(self) -> None:
        """Nothing is known any more."""
        self._watching.clear()
        for user in list(self._seen):
            self.pushed(user, UNKNOWN, None)

    def watch(self, user: str, capability: bytes | None) -> None:
        """One person more, or a capability for one that is watched."""
        if user not in self._watching or self._watching[user] != capability:
            self._watching[user] = capability
            self._begin([user], capability)

    def unwatch(self, user: str) -> None:
        self._seen.pop(user, None)
        self._watching.pop(user, None)
        Deferred.fromCoroutine(self._ask(Unwatch, users=[user])).addErrback(self._failed)

    def pushed(self, user: str, presence: str, last_seen: int | None) -> None:
        """The gateway says so; what is no state counts as unknown."""
        before = self.of(user)
        seen = Seen(presence if presence in STATES else UNKNOWN, last_seen if last_seen else before.last_seen)
        if seen != before:
            self._seen[user] = seen
            self._changed(user, seen, before)

    async def look(self, user: str, capability: bytes | None, timeout: float = CALL_SECONDS) -> Seen:
        """Ask for one person now (and watch them on)."""
        answer = await self._ask(Watch, timeout=timeout, users=[user], **self._shown(capability))
        for each in answer["presences"]:
            self.pushed(each["user"], each["presence"], each.get("last_seen"))
        return self.of(user)

    def _begin(self, users: list[str], capability: bytes | None) -> None:
        Deferred.fromCoroutine(self._watch(users, capability)).addErrback(self._failed)

    async def _watch(self, users: list[str], capability: bytes | None) -> None:
        answer = await self._ask(Watch, users=users, **self._shown(capability))
        for each in answer["presences"]:
            self.pushed(each["user"], each["presence"], each.get("last_seen"))

    def _failed(self, failure: Any) -> None:
        failure.trap(P2PChatError)
        self._log.debug("presence could not be watched: {error}", error=failure.getErrorMessage())

    def _shown(self, capability: bytes | None) -> dict[str, Any]:
        """The node sees a key made from the capability: it must not open addresses."""
        return {} if capability is None else {"seen_key": seen_key(capability, self._ring())}
