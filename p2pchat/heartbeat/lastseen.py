"""When somebody was seen last, for those who hold the capability that their contacts have."""

import hmac
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

from p2pchat.crypto.encoding import H, T
from p2pchat.identifiers import Identifier

MAX_ACCOUNTS = 200_000


def seen_key(capability: bytes, ring: bytes) -> bytes:
    """What an agent shows instead of the capability, which opens addresses as well: 32 bytes."""
    return H(T("last seen", ring, capability))


@dataclass(frozen=True, slots=True)
class _Seen:
    at: int
    key: bytes = field(repr=False)


class LastSeen:
    """The last visible beat of each account that this node owns, in memory alone: a new owner does not know it."""

    def __init__(self) -> None:
        self._seen: OrderedDict[Identifier, _Seen] = OrderedDict()

    def note(self, account: Identifier, key: bytes | None, at: int) -> None:
        """A visible beat at `at`, milliseconds since 1970; without a key nobody may know it."""
        if key is None:
            self._seen.pop(account, None)
            return
        self._seen[account] = _Seen(at, key)
        self._seen.move_to_end(account)
        if len(self._seen) > MAX_ACCOUNTS:
            self._seen.popitem(last=False)

    def right_key(self, account: Identifier, keys: Iterable[bytes]) -> bytes | None:
        """That one of the keys that contacts of the account have, if it is among them."""
        seen = self._seen.get(account)
        return None if seen is None else next((key for key in keys if hmac.compare_digest(seen.key, key)), None)

    def of(self, account: Identifier, key: bytes) -> int | None:
        """Milliseconds since 1970, for whoever shows the right key."""
        seen = self._seen.get(account)
        return seen.at if seen is not None and hmac.compare_digest(seen.key, key) else None
