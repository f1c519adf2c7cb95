"""Mail at rest: envelopes go into the recipient's set on the ring, and the recipient's gateway is told."""

import hmac
from collections import OrderedDict
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from p2pchat.crypto.encoding import H, T
from p2pchat.crypto.proofs import Acknowledgement
from p2pchat.errors import Misbehaved, P2PChatError, SlowedDown, StaleKey, UnknownUser
from p2pchat.identifiers import Identifier, account_identifier
from p2pchat.mailbox.commands import MAX_IDS, MAX_PAGE_ENVELOPES, AskRoom, MailArrived, NoteMail, PushMail
from p2pchat.mailbox.gathering import Gathering
from p2pchat.mailbox.room import Grants, Rooms, Usage
from p2pchat.mailbox.versions import Versions
from p2pchat.replication.results import Page, Stored
from p2pchat.replication.service import ReplicationService
from p2pchat.replication.slots import KIND_MAILKEY, RegisterKey
from p2pchat.replication.uset import Item, ItemState
from p2pchat.wire.connection import Call

GATHER_SECONDS = 0.005
"""After an add: one push for many envelopes."""
NOTE_PAUSES_SECONDS = (1.0, 3.0, 8.0, 20.0)
"""Between tries to tell an owner of mail of which a copy is missing."""
MAX_NOTING = 2_000
"""Envelopes of which owners are still to be told; of more, they hear when copies are compared."""
MAX_COUNTERS = 100_000
MAX_NOTED = 20_000
"""Envelope ids that an owner remembers, because it hears of each twice."""
SHOWN = {
    ItemState.UNKNOWN: "unknown",
    ItemState.PRESENT: "present",
    ItemState.ACKNOWLEDGED: "acknowledged",
    ItemState.UNOPENABLE: "unopenable",
}


class Verify(Protocol):
    """Checks a signed request against the session that stands; see the accounts part."""

    async def __call__(
        self, user: str, epoch: int, sequence: int, counter: int, command: str, arguments: bytes, signature: bytes
    ) -> None: ...


class MailboxService:
    """Deposits, fetches and acknowledgements at a gateway, and pushes by an owner.

    Args:
        ring: the ring's id.
        owner_of: the owner of an account as this node sees the ring; None while there is none.
        gateway_of: the node through which an account's agent is reached, known to the account's owner.
        user_of: the name of an account that is attached to this gateway.
        push: tells every link of a user, without waiting.
        secret: 32 bytes of this node alone; they make pseudonyms of senders.
        run: see Versions.
    """

    _log = Logger()

    def __init__(
        self,
        me: Identifier,
        ring: bytes,
        replication: ReplicationService,
        call: Call,
        verify: Verify,
        owner_of: Callable[[Identifier], Identifier | None],
        gateway_of: Callable[[Identifier], Identifier | None],
        user_of: Callable[[Identifier], str | None],
        push: Callable[..., int],
        clock: IReactorTime,
        secret: bytes,
        run: int,
    ) -> None:
        self._me, self._ring, self._replication, self._call, self._verify = me, ring, replication, call, verify
        self._owner_of, self._gateway_of = owner_of, gateway_of
        self._user_of, self._push, self._clock, self._secret = user_of, push, clock, secret
        self._grants, self._rooms, self._versions = Grants(), Rooms(), Versions(run)
        self._counters: OrderedDict[str, tuple[int, int, int]] = OrderedDict()
        self._noting = 0
        self._telling: set[Identifier] = set()
        self._deposits = Gathering(self._add, self._took, clock)
        self._questions: dict[tuple[Identifier, bytes], list[Deferred[bool]]] = {}
        self._noted: OrderedDict[bytes, None] = OrderedDict()
        replication.on_added.append(self._added)

    async def deposit(self, user: str, key_id: bytes, envelope: bytes, sender: str) -> Stored:
        """Store an envelope for `user`; `sender` is whom the gateway believes the link to belong to.

        Raises:
            StaleKey: another mail key is current.  SlowedDown: the mailbox, or the sender's half of it, is full.
            UnknownUser: there is no such account.
        """
        point = account_identifier(user)
        await self._ask_room(point, sender, len(envelope))
        item = Item(H(T("envelope", self._ring, user.encode(), envelope)), envelope)
        try:
            return await self._deposits.add(point, key_id, item)
        except StaleKey:
            if (await self._replication.read(RegisterKey(point, KIND_MAILKEY))).value is None:
                raise UnknownUser(f"No account is called {user}.") from None
            raise

    async def _add(self, point: Identifier, key_id: bytes, items: Sequence[Item]) -> Stored:
        return await self._replication.add(point, key_id, items)

    def _took(self, point: Identifier, items: Sequence[Item], stored: Stored) -> None:
        """The ring has these; its owner knows by itself if it certainly is one of those who keep them."""
        is_everywhere = stored.copies >= stored.wanted
        if not is_everywhere or self._owner_of(point) not in self._replication.members_of(point):
            ids = [item.id for item in items]
            # One id for a whole box: the owner may know some of it from before.
            whole = ids[0] if len(ids) == 1 else sha256(b"".join(ids)).digest()
            Deferred.fromCoroutine(self._note(point, whole, is_everywhere))

    async def _note(self, account: Identifier, envelope_id: bytes, is_everywhere: bool) -> None:
        """Tell the owner; where a copy is missing it may be the owner's, who then knows of the envelope from us alone.

        So it is told until it answers, and who becomes the owner meanwhile (when a network has just healed) as well.
        """
        told = await self._tell_owner(account, envelope_id, set())
        if (told and is_everywhere) or self._noting >= MAX_NOTING:
            return
        self._noting += 1
        try:
            for pause in NOTE_PAUSES_SECONDS:
                await deferLater(self._clock, pause)
                told = await self._tell_owner(account, envelope_id, told)
        finally:
            self._noting -= 1

    async def _tell_owner(self, account: Identifier, envelope_id: bytes, told: set[Identifier]) -> set[Identifier]:
        """Those who were told, now with the owner if that answers."""
        owner = self._owner_of(account)
        if owner is None or owner in told:
            return told
        try:
            await self._call(owner, NoteMail, account=account, envelope_id=envelope_id)
        except P2PChatError as error:
            self._log.debug("an owner was not told of mail: {error}", error=str(error))
            return told
        return told | {owner}

    async def fetch(self, user: str, epoch: int, sequence: int, counter: int, cursor: bytes, signature: bytes) -> Page:
        """A page of the user's own mailbox.

        Raises:
            SessionReplaced, NotLoggedIn, Misbehaved: the request is not the standing session's, or not its newest.
        """
        await self._verify(user, epoch, sequence, counter, "fetch", cursor, signature)
        if (epoch, sequence, counter) <= self._counters.get(user, (0, 0, 0)):
            raise Misbehaved("An old request to fetch mail was sent again.")
        self._counters[user] = (epoch, sequence, counter)
        self._counters.move_to_end(user)
        if len(self._counters) > MAX_COUNTERS:
            self._counters.popitem(last=False)
        return await self._replication.fetch(account_identifier(user), epoch, cursor, MAX_PAGE_ENVELOPES)

    async def acknowledge(self, proof: bytes) -> None:
        """Take envelopes off the ring, as the session key's `proof` asks; the members check it as well.

        Raises:
            SessionReplaced: a later session stands; what it has not taken is still there.
        """
        asked = Acknowledgement.parse(proof, self._ring)
        if len(asked.ids) > MAX_IDS:
            raise Misbehaved(f"An acknowledgement names more than {MAX_IDS} envelopes.")
        await self._replication.remove(
            account_identifier(asked.record.user), asked.record.epoch, list(asked.ids), proof
        )

    async def state(self, user: str, envelope_id: bytes) -> tuple[str, int, int]:
        """What became of an envelope, and how many copies its slot has now."""
        point = account_identifier(user)
        state = await self._replication.state(point, envelope_id)
        trace = await self._replication.trace(point)
        return SHOWN[state], trace.copies if state is ItemState.PRESENT else 0, len(trace.members)

    # -- as owner

    def version(self, account: Identifier) -> int:
        """Another number whenever something may have been added."""
        return self._versions.of(account)

    async def room(self, gateway: Identifier, account: Identifier, sender: bytes, used: Usage) -> Usage:
        """What `gateway` may add for a sender; SlowedDown when the sender fills half of the mailbox."""
        stored = Usage(*await self._replication.measure(account))
        known = hmac.digest(self._secret, gateway.to_bytes(32, "big") + sender, sha256)
        return self._rooms.grant(account, known, used, stored)

    def _added(self, account: Identifier, ids: Sequence[bytes]) -> None:
        """A member here took envelopes: the owner knows by itself even if the gateway that added them died.

        Whoever is not the owner may be the next one, and may have been it before, when it told another version.
        """
        if self._owner_of(account) == self._me:
            self.note(account, ids)
        else:
            self._versions.raise_one(account)

    def note(self, account: Identifier, ids: Sequence[bytes]) -> None:
        """Envelopes were added; who is here is told, once for each."""
        new = [each for each in ids if each not in self._noted]
        if not new:
            return
        self._noted.update(dict.fromkeys(new))
        while len(self._noted) > MAX_NOTED:
            self._noted.popitem(last=False)
        self._versions.raise_one(account)
        if account not in self._telling:
            self._telling.add(account)
            self._clock.callLater(GATHER_SECONDS, self._tell, account)

    def _tell(self, account: Identifier) -> None:
        self._telling.discard(account)
        gateway = self._gateway_of(account)
        if gateway is not None:
            Deferred.fromCoroutine(self._push_mail(gateway, account, self._versions.of(account)))

    async def _push_mail(self, gateway: Identifier, account: Identifier, version: int) -> None:
        try:
            await self._call(gateway, PushMail, account=account, version=version)
        except P2PChatError as error:
            self._log.debug("a gateway did not take a push: {error}", error=str(error))

    # -- as gateway

    def arrived(self, account: Identifier, version: int) -> None:
        """An owner says that mail arrived for an account attached here."""
        user = self._user_of(account)
        if user is not None:
            self._push(user, MailArrived, user=user, version=version)

    async def _ask_room(self, account: Identifier, sender: str, size: int) -> None:
        """Let a sender's envelope in; one question to the owner serves all that come meanwhile.

        An owner that does not answer stops nobody: a full mailbox refuses by itself.
        """
        key = account, hmac.digest(self._secret, f"{sender}\n{account}".encode(), sha256)
        while not self._grants.take(*key, size, self._clock.seconds()):
            if (waiting := self._questions.get(key)) is not None:
                answered: Deferred[bool] = Deferred()
                waiting.append(answered)
                if not await answered:
                    return
                continue
            if (owner := self._owner_of(account)) is not None:
                await self._ask_owner(owner, *key, size)
            return

    async def _ask_owner(self, owner: Identifier, account: Identifier, name: bytes, size: int) -> None:
        used, waiting = self._grants.used(account, name) + Usage(1, size), list[Deferred[bool]]()
        self._questions[account, name] = waiting
        outcome: bool | SlowedDown = False
        try:
            granted = await self._call(
                owner, AskRoom, account=account, sender=name, envelopes=used.envelopes, size=used.size
            )
            now = self._clock.seconds()
            self._grants.put(account, name, Usage(granted["envelopes"], granted["size"]), now)
            outcome = True
        except SlowedDown as error:
            outcome = error
            raise
        except P2PChatError as error:
            self._log.debug("an owner did not say how much room there is: {error}", error=str(error))
        finally:
            del self._questions[account, name]
            for each in waiting:
                each.errback(outcome) if isinstance(outcome, SlowedDown) else each.callback(outcome)
