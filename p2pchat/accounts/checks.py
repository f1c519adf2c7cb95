"""Which value may follow which, as a gateway decides before the members do."""

from datetime import UTC, datetime
from typing import Protocol

from p2pchat.crypto import account as account_format
from p2pchat.crypto.account import Account
from p2pchat.crypto.closing import CLOCKS_MS, Closing
from p2pchat.crypto.mailkey import MailKeys
from p2pchat.crypto.names import canonical_user
from p2pchat.crypto.session import SessionRecord
from p2pchat.errors import Conflict, Misbehaved, NameTaken, SessionReplaced, TryElsewhere, UserError

CLOSING_CLOCK_MS = 5 * 60 * 1000
"""How far from the ring's time an account may say that it ends."""
MAX_SHOWN_MS = 253_402_300_799_000
"""The end of the year 9999."""


class Format(Protocol):
    """A crypto module that knows which register value may follow which."""

    def validate_successor(self, old: bytes | None, new: bytes, ring: bytes) -> None:
        """Conflict or Misbehaved when `new` may not follow `old`."""

    def user_of(self, value: bytes, ring: bytes) -> str:
        """Whose record it says it is, unverified."""


def check_name(user: str) -> None:
    """UserError unless this is a canonical user name."""
    if canonical_user(user) != user:
        raise UserError(f"{user!r} is not the canonical form of a user name; update this program.")


def check_registration(user: str, account: Account, session: SessionRecord, keys: MailKeys) -> None:
    """Misbehaved unless the three are the first records of one person called `user`.

    After an account that was deleted they go on where its records ended, and all of them carry its end.
    """
    check_name(user)
    if len({account.public.identity, session.identity, keys.current.identity}) != 1 or account.public.user != user:
        raise Misbehaved("The records of a registration belong to different people.")
    links = account.public.successions
    if links:
        is_first = isinstance(links[-1], Closing) and links[-1].version == account.public.version - 1
        is_first = is_first and session.sequence == 0 and session.successions == keys.successions == links
    else:
        is_first = (account.public.version, session.place, keys.current.number) == (1, (1, 0), 1)
    if not is_first:
        raise Misbehaved("A registration must begin with the first version of each record.")
    if account.closing is not None or keys.draining is not None:
        raise Misbehaved("A registration begins with a deleted account or an older mail key.")


def created(old: bytes | None, new: bytes, user: str, ring: bytes, now_ms: int | None) -> bytes:
    """The account register after a registration; the same registration again is fine.

    Raises:
        NameTaken: somebody has the name, or it was given up not long enough ago.
        Conflict: something else stands than what `new` was made from.
    """
    if old == new:
        return new
    if old is not None:
        require_open(Account.parse(old, ring), user, now_ms)
    if Account.parse(new, ring).public.version == 1 and old is not None:
        raise Conflict(f"The name {user} was given up meanwhile; what stands of it has to be read again.")
    return followed(old, new, account_format, ring)


def require_open(standing: Account, user: str, now_ms: int | None) -> Closing:
    """How the account ended that had the name which somebody registers.

    Ten minutes more than 30 days after it, so that the clocks of all members agree that it is time.

    Raises:
        NameTaken: it has not ended, or not long enough ago.
        TryElsewhere: our clock is not to be relied on.
    """
    end = standing.closing
    if end is None:
        raise NameTaken(f"The name {user} is taken. Choose another one.")
    if now_ms is None:
        raise TryElsewhere("The clock of this node is wrong, so that it opens no name again. Use another node.")
    if now_ms < end.reopens_at + CLOCKS_MS:
        until = _minute(end.reopens_at + CLOCKS_MS + 59_999)
        raise NameTaken(f"The name {user} was given up and stays closed until {until} UTC. Choose another one.")
    return end


def check_end(account: Account, now_ms: int | None) -> None:
    """UserError where an account ends at a time that is not now: it would open its name too early, or too late."""
    end = account.closing
    if end is None:
        return
    if now_ms is None:
        raise TryElsewhere("The clock of this node is wrong, so that it takes the end of no account. Use another node.")
    if abs(end.at - now_ms) > CLOSING_CLOCK_MS:
        raise UserError(
            f"The clock of your machine says {_minute(end.at)} UTC, the ring's {_minute(now_ms)}."
            " Set it, then try again."
        )


def _minute(ms: int) -> str:
    return datetime.fromtimestamp(min(ms, MAX_SHOWN_MS) / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def followed(old: bytes | None, new: bytes, form: Format, ring: bytes) -> bytes:
    """`new`, if it may follow `old`."""
    form.validate_successor(old, new, ring)
    return new


def session_followed(old: bytes | None, new: SessionRecord, form: Format, ring: bytes) -> bytes:
    """The session register after a login or a change of address.

    Raises:
        SessionReplaced: a higher epoch stands.
        Conflict: another record stands where `new` would.
    """
    value = new.encode()
    if old is None:
        if new.place != (1, 0):
            raise Conflict("There is no session yet; begin with the first one.")
    elif SessionRecord.parse(old, ring).epoch > new.epoch:
        raise SessionReplaced("This session was replaced by a later login elsewhere.")
    return followed(old, value, form, ring)
