"""Sealed mail: seals and deposits what we write, fetches, opens and acknowledges what came."""

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from p2pchat.chat.outbox import Waiting
from p2pchat.chat.receiving import Incoming
from p2pchat.chat.sending import Deposited
from p2pchat.client.directory import Directory, KeyChanged
from p2pchat.client.gateway import Ask
from p2pchat.client.keyring import Keys
from p2pchat.client.leaving import Leaving
from p2pchat.crypto.encoding import KEY_ID_BYTES
from p2pchat.crypto.envelope import Kind, Message, SealingKey, divide, envelope_id, key_id_in
from p2pchat.crypto.opening import Opener, OpeningFailed, Step
from p2pchat.crypto.proofs import Acknowledgement, Reason
from p2pchat.crypto.sealing import Sealer
from p2pchat.errors import Misbehaved, P2PChatError, StaleKey, TryElsewhere, UnknownUser
from p2pchat.mailbox.commands import Acknowledge, Deposit, Fetch

MAX_SEALINGS = 4
"""Times that the recipient's mail key may change while we seal one message."""
DEPOSIT_SECONDS = 15.0


class Mail:
    """The mailbox side of one session.

    Args:
        keys: those of the session, as they are now.
        signed: makes the signed part of a request (command, arguments).
        node: the gateway's 8 hex digits, for traces.
        take: keeps opened messages; durable on return.
    """

    _log = Logger()

    def __init__(
        self,
        ask: Ask,
        directory: Directory,
        keys: Callable[[], Keys],
        signed: Callable[[str, bytes], dict[str, Any]],
        node: Callable[[], str | None],
        take: Callable[[list[Incoming]], None],
        clock: IReactorTime,
    ) -> None:
        self._ask, self._directory, self._keys, self._signed = ask, directory, keys, signed
        self._node, self._take, self._clock = node, take, clock
        now = keys()
        self.sealer = Sealer(now.identity, now.account_version, now.record.epoch)
        self.opener = Opener(now.identity)
        self._former = Opener(now.former.identity) if now.former is not None else None
        self.used_keys: set[bytes] = set()
        for each in now.mail:
            old = now.former is not None and each.number < now.former.until
            opener = self._former if old and self._former is not None else self.opener
            opener.add_key(Kind.MAIL, each.key_id, each.private)

    # -- out

    async def deposit(self, waiting: Waiting) -> Deposited:
        """Seal one message under the contact's mail key and lay it into their mailbox.

        Raises:
            UserError: it will never arrive (unknown user, changed key).
            TryElsewhere, SlowedDown: not now.
        """
        for attempt in range(MAX_SEALINGS):
            person = await self._directory.person(waiting.contact, fresh=attempt > 0)
            key = person.mail_key
            if key is None:
                raise TryElsewhere(f"{waiting.contact} has no mail key yet.")
            to = SealingKey(person.identity, Kind.MAIL, key.key_id, key.public_key)
            sealed = self.sealer.seal(to, Message.parse(waiting.frame), self._clock.seconds())
            try:
                answer = await self._ask(
                    Deposit,
                    timeout=DEPOSIT_SECONDS,
                    user=waiting.contact,
                    key_id=key.key_id,
                    envelope=sealed.envelope,
                )
            except StaleKey:
                self._directory.forget(waiting.contact)
                continue
            lies_in = envelope_id(waiting.contact, self._keys().identity.ring, sealed.envelope)
            return Deposited(answer["copies"], answer["wanted"], self._node() or "", lies_in)
        raise TryElsewhere(f"The mail key of {waiting.contact} changes all the time.")

    # -- in

    async def fetch(self) -> int:
        """Take everything out of our mailbox that can be opened; how many envelopes stay there.

        The next page is on its way while this one is opened and kept, and so is what the ring is told of those before.
        """
        left, leaving = 0, Leaving(self._acknowledge)
        asking: Deferred[Any] | None = self._begin(b"")
        try:
            while asking is not None:
                asked, asking = await asking, None
                if asked["more"]:
                    asking = self._begin(asked["cursor"])
                left += await self._take_page(asked["envelopes"], leaving)
            await leaving.finish()
        finally:
            if asking is not None:
                asking.addErrback(lambda failure: failure.trap(P2PChatError, CancelledError) and None)
                asking.cancel()
        return left

    def _begin(self, cursor: bytes) -> "Deferred[Any]":
        signed = partial(self._signed, "fetch", cursor)
        return Deferred.fromCoroutine(self._ask(Fetch, cursor=cursor, signed=signed))

    async def _take_page(self, envelopes: list[dict[str, bytes]], leaving: Leaving) -> int:
        """Open and keep what opens, and let it leave the ring; how many stay there."""
        stored, unopenable, incoming, left = list[bytes](), list[bytes](), list[Incoming](), 0
        for each in envelopes:
            try:
                message = await self._open(each["envelope"])
            except OpeningFailed as error:
                self._log.warn(
                    "envelope {id} does not open: step {step}, {reason}",
                    id=each["id"].hex()[:8],
                    step=str(error.step),
                    reason=error.reason,
                )
                left += error.newer
                if not error.newer:
                    unopenable.append(each["id"])
                continue
            if message is None:
                left += 1
                continue
            incoming.append(message)
            stored.append(each["id"])
        if incoming:
            self._take(incoming)
        leaving.add(stored, Reason.STORED)
        leaving.add(unopenable, Reason.UNOPENABLE)
        return left

    async def _acknowledge(self, ids: list[bytes], reason: Reason) -> None:
        keys = self._keys()
        proof = Acknowledgement.create(keys.session_key, keys.record, ids, reason)
        await self._ask(Acknowledge, proof=proof.encode())

    async def _open(self, envelope: bytes) -> Incoming | None:
        """The message in an envelope; None: it stays in the mailbox until the person has judged a changed key."""
        header, sealed = divide(envelope)
        opener = self._opener(header)
        claim = opener.claim(header)
        self.used_keys.add(key_id_in(envelope))
        try:
            author = await self._directory.author(claim.user)
            if author.fingerprint != claim.fingerprint:
                author = await self._directory.author(claim.user, fresh=True)
        except KeyChanged as error:
            self._log.warn("{error}", error=str(error))
            return None
        except UnknownUser as error:
            raise OpeningFailed(Step.SENDER, str(error)) from None
        except Misbehaved as error:
            self._log.warn("the sender of an envelope is not known: {error}", error=str(error))
            return None
        return Incoming.of(opener.open(header, sealed, author))

    def _opener(self, header: bytes) -> Opener:
        """That of the identity before, for what was sealed to it."""
        former = self._former
        return former if former is not None and former.has_key(header[2 : 2 + KEY_ID_BYTES]) else self.opener

    def drop_key(self, key_id: bytes) -> None:
        """Nothing under this mail key opens any more."""
        for opener in (self.opener, self._former):
            if opener is not None:
                opener.drop_key(key_id)
