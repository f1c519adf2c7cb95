"""Which value may follow which, as a gateway decides before the members do."""

from typing import Protocol

from p2pchat.crypto.account import Account
from p2pchat.crypto.mailkey import MailKeys
from p2pchat.crypto.names import canonical_user
from p2pchat.crypto.session import SessionRecord
from p2pchat.errors import Conflict, Misbehaved, NameTaken, SessionReplaced, UserError


class Format(Protocol):
    """A crypto module that knows which register value may follow which."""

    def validate_successor(self, old: bytes | None, new: bytes, ring: bytes) -> None:
        """Conflict or Misbehaved when `new` may not follow `old`."""


def check_name(user: str) -> None:
    """UserError unless this is a canonical user name."""
    if canonical_user(user) != user:
        raise UserError(f"{user!r} is not the canonical form of a user name; update this program.")


def check_registration(user: str, account: Account, session: SessionRecord, keys: MailKeys) -> None:
    """Misbehaved unless the three are the first records of one person called `user`."""
    check_name(user)
    if len({account.public.identity, session.identity, keys.current.identity}) != 1 or account.public.user != user:
        raise Misbehaved("The records of a registration belong to different people.")
    if (account.public.version, session.place, keys.current.number) != (1, (1, 0), 1):
        raise Misbehaved("A registration must begin with the first version of each record.")
    if account.deleted_at is not None or keys.draining is not None:
        raise Misbehaved("A registration begins with a deleted account or an older mail key.")


def created(old: bytes | None, new: bytes, user: str) -> bytes:
    """The account register after a registration; the same registration again is fine."""
    if old is not None and old != new:
        raise NameTaken(f"The name {user} is taken. Choose another one.")
    return new


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
