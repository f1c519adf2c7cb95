"""Other people's records, read from the ring and believed only as far as they prove themselves against our pins."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from p2pchat.accounts.commands import ReadRecords
from p2pchat.chat.contacts import ContactStore
from p2pchat.client.gateway import CALL_SECONDS, Ask
from p2pchat.client.rows import day
from p2pchat.crypto.account import AccountPublic
from p2pchat.crypto.closing import Closing
from p2pchat.crypto.identity import PublicIdentity
from p2pchat.crypto.mailkey import MailKeyRecord
from p2pchat.crypto.session import SessionRecord
from p2pchat.crypto.succession import leads_from, renewed_from
from p2pchat.errors import AccountDeleted, Misbehaved, UserError

FRESH_SECONDS = 300.0
"""How long records are taken from memory; a stale mail key is refused by the mailbox, and read anew."""
MAX_KNOWN = 1000
T = TypeVar("T")


class KeyChanged(UserError):
    """The ring shows another key than the one that this home has pinned."""


@dataclass(frozen=True, slots=True)
class Person:
    """What the ring has about somebody, verified; `session` and `mail_key` are None where there is none."""

    public: AccountPublic
    session: SessionRecord | None
    mail_key: MailKeyRecord | None
    read_at: float

    @property
    def identity(self) -> PublicIdentity:
        return self.public.identity


class Directory:
    """Reads and remembers people.

    Args:
        contacts: pins and what was seen before; None while nobody is logged in.
        renewed: told of people whose new key was signed by the one that we had pinned.
    """

    _log = Logger()

    def __init__(
        self,
        ask: Ask,
        ring: Callable[[], bytes],
        contacts: Callable[[], ContactStore | None],
        clock: IReactorTime,
        renewed: Callable[[str], None],
    ) -> None:
        self._ask, self._ring, self._contacts, self._clock, self._renewed = ask, ring, contacts, clock, renewed
        self._known: OrderedDict[str, Person] = OrderedDict()
        self._gone: OrderedDict[str, PublicIdentity] = OrderedDict()
        self._unpinned: set[str] = set()
        """Read before there was a contact to keep the pin in."""

    async def person(self, user: str, fresh: bool = False, timeout: float = CALL_SECONDS) -> Person:
        """Somebody's records, from memory unless `fresh` is asked for.

        Raises:
            UnknownUser: there is no such account.
            AccountDeleted: there is none any more, as whoever had it has signed.
            KeyChanged: it has another key than our pin; nothing is sealed to it.
            Misbehaved: the records prove nothing, or are older than what was seen.
        """
        known = self._known.get(user)
        if known is not None and not fresh and self._clock.seconds() - known.read_at < FRESH_SECONDS:
            return self._compare(known) if user in self._unpinned else known
        asked = await self._ask(ReadRecords, timeout=timeout, user=user)
        if asked.get("closing"):
            self.forget(user)
            raise self._ended(user, asked["public"], asked["closing"])
        person = self._compare(self._read(user, asked["public"], asked["session"], asked["mail_key"]))
        _remember(self._known, user, person)
        self._unpinned &= self._known.keys()
        return person

    async def author(self, user: str, fresh: bool = False) -> PublicIdentity:
        """By whose keys a letter is judged: also those of somebody who deleted the account after writing it."""
        try:
            return (await self.person(user, fresh)).identity
        except AccountDeleted:
            return self._gone[user]

    def fresh(self, user: str) -> bool:
        """Whether `person` answers from memory, and has nothing to compare."""
        known = self._known.get(user)
        if known is None or user in self._unpinned:
            return False
        return self._clock.seconds() - known.read_at < FRESH_SECONDS

    def remembered(self, user: str) -> Person | None:
        """What is in memory, whatever its age."""
        return self._known.get(user)

    def forget(self, user: str) -> None:
        """Read anew at the next need."""
        self._known.pop(user, None)
        self._unpinned.discard(user)

    def clear(self) -> None:
        """Another account's pins count now."""
        self._known.clear()
        self._gone.clear()
        self._unpinned.clear()

    def _read(self, user: str, public: bytes, session: bytes, mail_key: bytes) -> Person:
        ring = self._ring()
        account = AccountPublic.parse(public, ring)
        record = SessionRecord.parse(session, ring) if session else None
        key = MailKeyRecord.parse(mail_key, ring) if mail_key else None
        if account.user != user or any(each and each.identity != account.identity for each in (record, key)):
            raise Misbehaved(f"The node gave records that are not {user}'s, or that do not belong together.")
        return Person(account, record, key, self._clock.seconds())

    def _ended(self, user: str, public: bytes, closing: bytes) -> UserError:
        """What the end of an account means to us."""
        end, account = Closing.parse(closing, self._ring()), AccountPublic.parse(public, self._ring())
        if (end.before, end.version, user) != (account.identity, account.version, account.user):
            raise Misbehaved(f"The node gave the end of another account instead of {user}'s.")
        contacts = self._contacts()
        contact = contacts.get(user) if contacts is not None else None
        pin = contact.fingerprint if contact is not None else None
        if pin in (None, account.fingerprint) or renewed_from(account.successions, pin):
            _remember(self._gone, user, account.identity)
            return AccountDeleted(
                f"{user} deleted the account on {day(end.at)}: nothing can be delivered there any more."
            )
        return KeyChanged(f"Somebody else had the name {user} last, and gave it up. Reach your contact in another way.")

    def _compare(self, person: Person) -> Person:
        """Measure on our pin; at first contact, pin.  A session that ended long ago counts as none: who stole its home
        could still answer there."""
        contacts, user, fingerprint = self._contacts(), person.public.user, person.public.fingerprint
        contact = contacts.get(user) if contacts is not None else None
        if contacts is None or contact is None:
            self._unpinned.add(user)
            return person
        self._unpinned.discard(user)
        if contact.fingerprint is None:
            contacts.pin(user, fingerprint)
        elif contact.fingerprint != fingerprint and renewed_from(person.public.successions, contact.fingerprint):
            contacts.succeed(user, fingerprint)
            self._log.warn("{user} has a new key, signed by the one before", user=user)
            self._renewed(user)
        elif contact.fingerprint != fingerprint:
            contacts.offer(user, fingerprint)
            if leads_from(person.public.successions, contact.fingerprint):
                raise KeyChanged(
                    f"{user} is somebody else now: your contact deleted the account, and the name was registered anew."
                    f" Compare the digits with whoever has it (p2pchat verify {user}) before you write."
                )
            raise KeyChanged(
                f"The key of {user} has changed: somebody else may have the name now. Compare the digits with them"
                f" (p2pchat verify {user}) before you write."
            )
        elif contact.offered is not None:
            contacts.offer(user, None)
        key_number = person.mail_key.number if person.mail_key else 0
        if person.public.version < contact.version or key_number < contact.mail_key:
            raise Misbehaved(f"The node gave records of {user} that are older than others seen before.")
        contacts.saw(user, version=person.public.version, mail_key=key_number)
        known = contacts.get(user)
        if person.session is None or known is None or person.session.epoch >= known.epoch:
            return person
        self._log.warn("the node gave a session of {user} that is over; nothing goes there", user=user)
        return replace(person, session=None)


def _remember(known: OrderedDict[str, T], user: str, value: T) -> None:
    known[user] = value
    known.move_to_end(user)
    while len(known) > MAX_KNOWN:
        known.popitem(last=False)
