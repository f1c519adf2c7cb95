"""How much of a mailbox each sender may fill, as far as its owner can tell senders apart."""

from collections import OrderedDict
from dataclasses import dataclass

from p2pchat.errors import SlowedDown
from p2pchat.identifiers import Identifier

MAX_ENVELOPES = 10_000
MAX_BYTES = 64 << 20
SENDER_ENVELOPES = MAX_ENVELOPES // 2
SENDER_BYTES = MAX_BYTES // 2
"""One sender may fill half of a mailbox."""
GRANT_ENVELOPES = 100
GRANT_BYTES = 4 << 20
"""What a gateway may add for one sender before it asks again."""
MAX_SENDERS = 1_000
MAX_MAILBOXES = 100_000


@dataclass(frozen=True, slots=True)
class Usage:
    """Envelopes and their bytes."""

    envelopes: int = 0
    size: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(self.envelopes + other.envelopes, self.size + other.size)


class Rooms:
    """What senders have added to the mailboxes that this node owns.

    A sender is known by a pseudonym that only its gateway can link to an account.  The owner cannot see whose envelope
    was fetched: so what a sender added counts in full until the mailbox is empty, but only while half of it is taken.
    """

    def __init__(self) -> None:
        self._mailboxes: OrderedDict[Identifier, OrderedDict[bytes, Usage]] = OrderedDict()

    def grant(self, account: Identifier, sender: bytes, used: Usage, stored: Usage) -> Usage:
        """What `sender` may add now, after it added `used`; `stored` is what the mailbox holds.

        Raises:
            SlowedDown: it has filled its half.
        """
        senders = self._mailboxes.setdefault(account, OrderedDict())
        self._mailboxes.move_to_end(account)
        if not stored.envelopes:
            senders.clear()
        total = senders.get(sender, Usage()) + used
        senders[sender] = total
        senders.move_to_end(sender)
        while len(senders) > MAX_SENDERS:
            senders.popitem(last=False)
        while len(self._mailboxes) > MAX_MAILBOXES:
            self._mailboxes.popitem(last=False)
        envelopes = min(GRANT_ENVELOPES, SENDER_ENVELOPES - min(total.envelopes, stored.envelopes))
        size = min(GRANT_BYTES, SENDER_BYTES - min(total.size, stored.size))
        if envelopes <= 0 or size <= 0:
            raise SlowedDown("You fill half of this mailbox already. Try again when its owner has fetched mail.")
        return Usage(envelopes, size)


@dataclass(slots=True)
class _Grant:
    until: float
    left: Usage
    used: Usage


class Grants:
    """A gateway's side: what each sender may still add without asking the owner again."""

    HOLD_SECONDS = 10.0

    def __init__(self) -> None:
        self._grants: OrderedDict[tuple[Identifier, bytes], _Grant] = OrderedDict()

    def take(self, account: Identifier, sender: bytes, size: int, now: float) -> bool:
        """Use a grant for one envelope; False: ask the owner first."""
        grant = self._grants.get((account, sender))
        if grant is None or grant.until <= now or not grant.left.envelopes or grant.left.size < size:
            return False
        grant.left += Usage(-1, -size)
        grant.used += Usage(1, size)
        return True

    def used(self, account: Identifier, sender: bytes) -> Usage:
        """What was added under the last grant, to be told to the owner; counted once."""
        grant = self._grants.pop((account, sender), None)
        return Usage() if grant is None else grant.used

    def put(self, account: Identifier, sender: bytes, granted: Usage, now: float) -> None:
        """The owner's answer."""
        self._grants[account, sender] = _Grant(now + self.HOLD_SECONDS, granted, Usage())
        while len(self._grants) > MAX_MAILBOXES:
            self._grants.popitem(last=False)
