"""Direct connections to contacts' agents: dialled, accepted, used, and closed when idle."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.protocols import amp

from p2pchat.chat.channel import Channel, Ends
from p2pchat.chat.contacts import CONTACT, Contact
from p2pchat.chat.locator import ChannelLocator
from p2pchat.chat.outbox import Waiting
from p2pchat.chat.receiving import Incoming
from p2pchat.chat.service import ChatService
from p2pchat.chat.stores import Stores
from p2pchat.chat.together import Together
from p2pchat.chat.turns import Turns
from p2pchat.client.delivering import Delivering
from p2pchat.client.directory import Directory
from p2pchat.client.door import Door
from p2pchat.client.keyring import Keyring
from p2pchat.client.surroundings import Surroundings
from p2pchat.crypto.certificates import session_certificate
from p2pchat.crypto.session import SessionRecord, open_addresses
from p2pchat.crypto.succession import renewed_from
from p2pchat.errors import Misbehaved, P2PChatError, SessionReplaced, TryElsewhere
from p2pchat.wire.bulletins import BulletinLocator, Bulletins, Kind
from p2pchat.wire.channel import EXPORTER_LABEL, ChannelGreeting, channel_port, dial_channel
from p2pchat.wire.connection import Link, Peer
from p2pchat.wire.tls import channel_tls

ACKNOWLEDGED_SECONDS = 2.0
"""What is not acknowledged by then goes by mail as well."""
REFUSED_SECONDS = 60.0
"""How long a contact is not dialled after it could not be reached."""
MAX_TOGETHER = 256
"""Calls whose messages are taken in one transaction."""
IDLE_SECONDS = 600.0
LOOK_SECONDS = 60.0
DIAL_FRESH_MS = 30_000
"""Age up to which somebody's request to be dialled back counts."""


@dataclass(slots=True)
class Connected:
    """One contact's open channel."""

    link: Link
    out: Delivering
    used_at: float


class Channels(Service):
    """All direct connections of one session.

    Args:
        door: the agent's port; it is open while this service runs.
        chat: gives the chat, which is made after this.
        online: whether somebody is not known to be offline.
    """

    _log = Logger()

    def __init__(
        self,
        around: Surroundings,
        keyring: Keyring,
        directory: Directory,
        stores: Stores,
        door: Door,
        chat: Callable[[], ChatService],
        online: Callable[[str], bool],
        bulletins: Bulletins,
    ) -> None:
        self._around, self._keyring, self._directory, self._stores = around, keyring, directory, stores
        self._bulletins = bulletins
        self._door, self._chat, self._online = door, chat, online
        keys = keyring.keys
        self._tls = channel_tls(keys.session_key, session_certificate(keys.session_key, around.now(), around.chance))
        self._connected: dict[str, Connected] = {}
        self._dialling: dict[str, Deferred[Connected | None]] = {}
        self._refused: dict[str, float] = {}
        self._together = Together(around.clock, self._take_all, MAX_TOGETHER, stores.database.synced)
        self._idle = LoopingCall(self._close_idle)
        self._idle.clock = around.clock

    def startService(self) -> None:
        super().startService()
        self._together.start()
        self._door.behind = channel_port(self._tls, self._around.clock, self._meet, self._accepted)
        self._idle.start(LOOK_SECONDS, now=False)

    def stopService(self) -> None:
        super().stopService()
        self._together.stop()
        self._door.close()
        if self._idle.running:
            self._idle.stop()
        for dialling in list(self._dialling.values()):
            dialling.cancel()
        for each in list(self._connected.values()):
            each.link.close()

    # -- out

    async def deliver(self, contact: str, messages: list[Waiting]) -> set[bytes]:
        """Hand messages over; the ids that the contact's disk has within 2 seconds."""
        connected = self._connected.get(contact) or await self._dial_in_time(contact)
        if connected is None:
            return set()
        connected.used_at = self._around.clock.seconds()
        end = connected.used_at + ACKNOWLEDGED_SECONDS
        arrived = await connected.out.deliver(messages, end)
        for epoch in set(arrived.values()):
            self._chat().confirmed(contact, [each for each in arrived if arrived[each] == epoch], epoch)
        return set(arrived)

    # -- dialling

    async def _dial_in_time(self, contact: str) -> Connected | None:
        """A new channel within 2 seconds; an attempt that takes longer goes on and serves later messages."""
        if not self._may_dial(contact):
            return None
        dialling = self._begin(contact)
        waiting: Deferred[Connected | None] = Deferred()

        def settle(result: object) -> object:
            if not waiting.called:
                waiting.callback(result if isinstance(result, Connected) else None)
            return result

        dialling.addBoth(settle)
        waiting.addTimeout(ACKNOWLEDGED_SECONDS, self._around.clock, lambda *_: None)
        return await waiting

    def _may_dial(self, contact: str) -> bool:
        known = self._stores.contacts.get(contact)
        if not self.running or known is None or known.standing != CONTACT or known.capability is None:
            return False
        paused = self._refused.get(contact, 0.0) > self._around.clock.seconds()
        return not paused and self._online(contact) and contact != self._keyring.user

    def _begin(self, contact: str, asked: bool = False) -> "Deferred[Connected | None]":
        dialling = self._dialling.get(contact)
        if dialling is None:
            dialling = Deferred.fromCoroutine(self._dial(contact, asked))
            if not dialling.called:
                self._dialling[contact] = dialling
                dialling.addBoth(self._dialled, contact)
        return dialling

    def _dialled(self, result: object, contact: str) -> object:
        self._dialling.pop(contact, None)
        return result if isinstance(result, Connected) else None

    async def _dial(self, contact: str, asked: bool) -> Connected | None:
        """Try all addresses; in vain, ask to be dialled, unless that is what we were `asked`."""
        known = self._stores.contacts.get(contact)
        try:
            person = await self._directory.person(contact)
            if person.session is None or known is None or known.capability is None or not person.session.address_box:
                raise TryElsewhere(f"{contact} has told no addresses.")
            for address in open_addresses(person.session, known.capability):
                connected = await self._dial_address(contact, person.session, self._around.reach(address))
                if connected is not None:
                    return connected
        except P2PChatError as error:
            self._log.debug("no addresses of {user}: {error}", user=contact, error=str(error))
        self._refused[contact] = self._around.clock.seconds() + REFUSED_SECONDS
        self._directory.forget(contact)
        if self.running and not asked:
            self._chat().call_me(contact)
        return None

    async def _dial_address(self, contact: str, record: SessionRecord, endpoint: object) -> Connected | None:
        made: list[Connected] = []

        def welcome(peer: Peer, heard: ChannelGreeting) -> Sequence[amp.CommandLocator]:
            theirs = self._proven(heard, peer.spki, self._stores.contacts.get(contact))
            connected, locator = self._connect(peer, theirs, mine)
            made.append(connected)
            return [locator, self._news(peer, heard)]

        keys = self._keyring.keys
        mine = keys.record
        try:
            await dial_channel(
                endpoint,  # type: ignore[arg-type]
                self._tls,
                self._around.clock,
                _spki(record.public_key),
                self._greeting(contact, mine),
                welcome,
            )
        except P2PChatError as error:
            self._log.info("{user} was not reached directly: {error}", user=contact, error=str(error))
        return made[0] if made and made[0].link.usable else None

    def dial_back(self, contact: str, sent_ms: int) -> None:
        """A contact could not reach us and asks for a call."""
        if self._around.now_ms() - sent_ms <= DIAL_FRESH_MS and contact not in self._connected:
            self._refused.pop(contact, None)
            if self._may_dial(contact):
                self._directory.forget(contact)
                self._begin(contact, asked=True)

    # -- accepting

    async def _meet(self, greeting: ChannelGreeting, spki: bytes) -> ChannelGreeting:
        """Let contacts in who prove that the session is theirs; strangers write by mail."""
        keys = self._keyring.keys
        if greeting.ring != keys.identity.ring or greeting.expected != keys.user:
            raise TryElsewhere("Somebody else is served here.")
        known = self._stores.contacts.get(greeting.user)
        if known is None or known.standing != CONTACT:
            raise TryElsewhere("Direct connections are for contacts; write by mail first.")
        if known.fingerprint is None or self._renewed(greeting, known.fingerprint):
            await self._directory.person(greeting.user, fresh=True)
            known = self._stores.contacts.get(greeting.user)
        self._proven(greeting, spki, known)
        return self._greeting(greeting.user, keys.record)

    def _renewed(self, greeting: ChannelGreeting, pin: bytes) -> bool:
        """Whether a HELLO proves that our pin has a successor; which one, the ring says."""
        if greeting.session is None or greeting.fingerprint == pin:
            return False
        return renewed_from(SessionRecord.parse(greeting.session, self._keyring.keys.identity.ring).successions, pin)

    def _accepted(self, peer: Peer, greeting: ChannelGreeting) -> Sequence[amp.CommandLocator]:
        theirs = self._proven(greeting, peer.spki, self._stores.contacts.get(greeting.user))
        _, locator = self._connect(peer, theirs, self._keyring.keys.record)
        self._chat().sending.wake(greeting.user)
        return [locator, self._news(peer, greeting)]

    def _news(self, peer: Peer, greeting: ChannelGreeting) -> BulletinLocator:
        """Whoever of the two knows fewer evictions asks the other, once the HELLO is over."""
        self._around.clock.callLater(0, self._bulletins.told, peer.link, 0, greeting.evictions)
        return BulletinLocator(self._bulletins, peer.link)

    def _proven(self, greeting: ChannelGreeting, spki: bytes, known: Contact | None) -> SessionRecord:
        """The session record in a HELLO, measured on our pin, on TLS, and on what we have seen."""
        if greeting.session is None or known is None:
            raise Misbehaved("A HELLO brings no session record.")
        record = SessionRecord.parse(greeting.session, self._keyring.keys.identity.ring)
        said = (greeting.user, greeting.fingerprint, greeting.epoch, greeting.sequence)
        if said != (record.user, record.fingerprint, record.epoch, record.sequence) or record.user != known.user:
            raise Misbehaved("A HELLO and its session record do not fit each other.")
        if record.fingerprint != known.fingerprint or _spki(record.public_key) != spki:
            raise Misbehaved(f"This is not the {record.user} whom we know.")
        if record.epoch < known.epoch:
            raise SessionReplaced(f"{record.user} has logged in elsewhere since.")
        return record

    def _greeting(self, user: str, mine: SessionRecord) -> ChannelGreeting:
        said = (mine.identity.ring, mine.user, user, mine.fingerprint, mine.epoch, mine.sequence, mine.encode())
        return ChannelGreeting(*said, evictions=self._bulletins.number(Kind.EVICTIONS))

    # -- connected

    def _connect(self, peer: Peer, theirs: SessionRecord, mine: SessionRecord) -> tuple[Connected, ChannelLocator]:
        keys, link = self._keyring.keys, peer.link
        ends = Ends(keys.identity, keys.session_key, mine, theirs, keys.account_version, link.exporter(EXPORTER_LABEL))
        channel = Channel(ends, self._around.clock.seconds, self._around.chance)
        connected = Connected(link, Delivering(link, channel, self._around.clock), self._around.clock.seconds())
        self._connected[theirs.user] = connected
        self._refused.pop(theirs.user, None)
        self._log.info("connected with {user} directly", user=theirs.user)

        def lost(_: Link) -> None:
            channel.close()
            if self._connected.get(theirs.user) is connected:
                del self._connected[theirs.user]

        link.when_lost(lost)
        return connected, ChannelLocator(
            channel, lambda messages: self._take(connected, messages), link.abort, Turns(self._around.clock)
        )

    async def _take(self, connected: Connected, messages: list[Incoming]) -> int:
        """Keep what came directly, with all that comes in the same turn; our epoch is the receipt."""
        connected.used_at = self._around.clock.seconds()
        if not self.running:
            raise TryElsewhere("This agent is stopping.")
        return await self._together.add(messages)

    def _take_all(self, calls: list[list[Incoming]]) -> list[int | Exception]:
        self._chat().take_directly([message for messages in calls for message in messages])
        return [self._keyring.keys.record.epoch] * len(calls)

    def is_connected(self, contact: str) -> bool:
        """Whether a channel stands."""
        return contact in self._connected

    def hang_up(self, contact: str, why: str) -> None:
        """Close a contact's channel, such as after a block."""
        if (connected := self._connected.get(contact)) is not None:
            connected.link.abort(why)

    def _close_idle(self) -> None:
        for connected in list(self._connected.values()):
            if self._around.clock.seconds() - connected.used_at >= IDLE_SECONDS:
                connected.link.close()


def _spki(raw: bytes) -> bytes:
    """DER of a session's Ed25519 key."""
    return Ed25519PublicKey.from_public_bytes(raw).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
