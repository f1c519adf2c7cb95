"""Agents without disks, many in one process: valid accounts from few key pairs, and the links that agents have."""

import os
import secrets
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred, DeferredLock, FirstError, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.task import LoopingCall
from twisted.protocols import amp

from benchmarks.people import a_verifier, noise
from p2pchat.accounts.commands import Register
from p2pchat.chat.message import ID_BYTES, Type, frame
from p2pchat.chat.outbox import Waiting
from p2pchat.chat.receiving import Incoming
from p2pchat.client.directory import Directory
from p2pchat.client.keyring import Keys, MailPrivate
from p2pchat.client.mail import Mail
from p2pchat.client.pushes import PushLocator
from p2pchat.crypto.account import Account
from p2pchat.crypto.identity import Identity
from p2pchat.crypto.mailkey import MailKeyRecord, MailKeys
from p2pchat.crypto.primitives import ed25519_generate, hybrid_generate, hybrid_public
from p2pchat.crypto.proofs import SignedRequest
from p2pchat.crypto.session import SessionRecord
from p2pchat.errors import TryElsewhere
from p2pchat.heartbeat.commands import BEAT_SECONDS, VISIBLE, Beat
from p2pchat.identifiers import Address
from p2pchat.wire.connection import CALL_SECONDS, Peer, call
from p2pchat.wire.dialer import dial_node
from p2pchat.wire.hello import Greeting, Standing
from p2pchat.wire.tls import visitor_tls

PAIRS = 4
A_HOST = 50
"""Agents that come from one address: a node registers 60 a minute for each."""
LANES = 16
REGISTER_SECONDS = 60.0


class Names:
    """Valid accounts of one ring, each with keys that work, under as many names as wanted."""

    def __init__(self, ring: bytes, prefix: str) -> None:
        self._ring, self._prefix = ring, prefix
        self._identities = [Identity.generate("nobody", ring) for _ in range(PAIRS)]
        self._verifier = a_verifier()

    def make(self, number: int) -> tuple[Keys, Account, MailKeys]:
        """One account; nobody can log in to it by password, its vault is noise."""
        user, kept = f"{self._prefix}{number}", self._identities[number % PAIRS]
        identity = replace(kept, public=replace(kept.public, user=user))
        escrow = hybrid_public(hybrid_generate(os.urandom))
        private = noise(user, self._verifier, escrow)
        key, mail = ed25519_generate(os.urandom), hybrid_generate(os.urandom)
        now = int(time.time() * 1000)
        record = SessionRecord.create(identity, key, None, b"", now, None, log_in=True)
        published = MailKeyRecord.create(identity, record.epoch, 1, mail, escrow)
        keys = Keys(identity, key, record, escrow, 1, (MailPrivate(1, published.key_id, now, mail),))
        return keys, Account.create(identity, private.encode(self._ring)), MailKeys(published)


class Caller:
    """A link to a node as an agent has one, whoever is logged in or nobody.

    Args:
        host: the address that it comes from.
    """

    def __init__(self, reactor: Any, ring: bytes, host: str) -> None:
        self._reactor, self._ring, self._host = reactor, ring, host
        self._peer: Peer | None = None

    async def connect(self, address: Address) -> None:
        """Dial a node."""
        standing = Standing(self._reactor, time.time, visitor_tls(), self._ring, Greeting, lambda peer: self.locators())
        endpoint = TCP4ClientEndpoint(self._reactor, address.host, address.port, bindAddress=(self._host, 0))
        self._peer = await dial_node(endpoint, standing)

    def locators(self) -> list[amp.CommandLocator]:
        """Who takes the node's pushes."""
        return []

    def close(self) -> None:
        """Hang up."""
        if self._peer is not None:
            self._peer.link.close()

    async def ask(
        self,
        command: type[amp.Command],
        /,
        *,
        timeout: float = CALL_SECONDS,
        signed: Callable[[], dict[str, Any]] = dict,
        **arguments: Any,
    ) -> dict[str, Any]:
        """Ask the node."""
        if self._peer is None:
            raise TryElsewhere("This agent is not connected.")
        return await call(self._peer.link, self._reactor, command, timeout=timeout, **arguments, **signed())


class Visitor(Caller):
    """One agent: its link, its beats, its mail.  What it receives is kept in RAM only.

    Args:
        came: told each text that was received, once for each copy.
    """

    def __init__(
        self, reactor: Any, keys: Keys, host: str, came: Callable[[Incoming], None] = lambda incoming: None
    ) -> None:
        super().__init__(reactor, keys.identity.ring, host)
        self.keys, self._came = keys, came
        self._counter, self._sequence = int(time.time() * 1000), 0
        self._version, self._fetching = -1, DeferredLock()
        self._beating = LoopingCall(self._beat)
        self.failures: list[str] = []
        """Of beats and fetches that nobody waits for."""
        directory = Directory(self.ask, lambda: keys.identity.ring, lambda: None, reactor, lambda user: None)
        self.mail = Mail(self.ask, directory, lambda: keys, self.signed, lambda: None, self._take, reactor)

    @property
    def user(self) -> str:
        """Canonical name."""
        return self.keys.user

    def locators(self) -> list[amp.CommandLocator]:
        """As an agent's."""
        return [PushLocator(self._mailbox_version, lambda *_: None, lambda _: None)]

    def close(self) -> None:
        """Hang up, and beat no more."""
        if self._beating.running:
            self._beating.stop()
        super().close()

    def signed(self, command: str, arguments: bytes) -> dict[str, Any]:
        """The signed part of a request."""
        self._counter += 1
        keys = self.keys
        made = SignedRequest.create(keys.session_key, keys.record, self._counter, command, arguments)
        return {name: getattr(made, name) for name in ("user", "epoch", "sequence", "counter", "signature")}

    # -- being here

    def stay(self, first: float) -> None:
        """Beat every five seconds, for the first time after so many."""
        self._reactor.callLater(first, self._beating.start, BEAT_SECONDS)

    def _beat(self) -> None:
        Deferred.fromCoroutine(self.beat()).addErrback(self._failed)

    async def beat(self) -> None:
        """One beat; fetches when the mailbox has changed."""
        answer = await self.ask(
            Beat, presence=VISIBLE, seen_key=None, signed=lambda: self.signed("beat", VISIBLE.encode())
        )
        self._mailbox_version(answer["mailbox_version"])

    def _failed(self, why: Any) -> None:
        self.failures.append(why.getErrorMessage())

    # -- mail

    async def send(self, to: str, text: bytes, begins: Callable[[bytes], None] = lambda identifier: None) -> None:
        """Seal a text and lay it into a mailbox; `begins` is told its id first."""
        identifier, self._sequence = secrets.token_bytes(ID_BYTES), self._sequence + 1
        begins(identifier)
        plain = frame(identifier, self._sequence, b"", Type.TEXT, int(time.time() * 1000), text)
        await self.mail.deposit(Waiting(to, identifier, plain))

    async def fetch(self) -> None:
        """Take everything out of the mailbox; one fetch at a time."""
        await self._fetching.run(self.mail.fetch)

    def _mailbox_version(self, version: int) -> None:
        if version != self._version and not self._fetching.waiting:
            Deferred.fromCoroutine(self._fetch_version(version)).addErrback(self._failed)

    async def _fetch_version(self, version: int) -> None:
        await self.fetch()
        self._version = version

    def _take(self, messages: list[Incoming]) -> None:
        for each in messages:
            self._came(each)


def source(number: int) -> str:
    """The address that the agent with this number comes from."""
    return f"127.1.{number // A_HOST // 250}.{1 + number // A_HOST % 250}"


async def settle(
    reactor: Any,
    names: Names,
    numbers: Sequence[int],
    address: Address,
    came: Callable[[Incoming], None] = lambda incoming: None,
) -> list[Visitor]:
    """Register accounts at a node, over the links that their agents keep."""
    settled: dict[int, Visitor] = {}
    waiting = iter(numbers)

    async def lane() -> None:
        for number in waiting:
            keys, account, mail_keys = names.make(number)
            visitor = settled[number] = Visitor(reactor, keys, source(number), came)
            await visitor.connect(address)
            await visitor.ask(
                Register,
                timeout=REGISTER_SECONDS,
                user=visitor.user,
                account=account.encode(),
                session=keys.record.encode(),
                mail_key=mail_keys.encode(),
                operation=secrets.token_bytes(16),
            )

    await together(LANES, lane)
    return [settled[number] for number in numbers]


async def together(lanes: int, lane: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """So many of these at once; returns when all have ended, raises what the first one raises that fails."""
    try:
        await gatherResults([Deferred.fromCoroutine(lane()) for _ in range(lanes)], consumeErrors=True)
    except FirstError as error:
        error.subFailure.raiseException()
