"""The agent: one person's program, from its home to its session."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from twisted.application.service import MultiService
from twisted.logger import Logger
from twisted.protocols import amp

from p2pchat.chat.contacts import CONTACT, ContactStore
from p2pchat.chat.message import Line
from p2pchat.chat.receiving import Incoming
from p2pchat.chat.stores import Stores
from p2pchat.client import giving, rows
from p2pchat.client.active import ActiveSession
from p2pchat.client.arguments import JSONObject
from p2pchat.client.directory import Directory
from p2pchat.client.door import Door
from p2pchat.client.entrance import Entered, Entrance, Place
from p2pchat.client.followers import Followers
from p2pchat.client.gateway import Gateway
from p2pchat.client.handover import HandOver
from p2pchat.client.histories import Histories
from p2pchat.client.home import Home
from p2pchat.client.keyring import ACTIVE, Keyring
from p2pchat.client.mail import Mail
from p2pchat.client.pending import REGISTRATION, RENEWAL, Pending, Registration
from p2pchat.client.pin import RingPin
from p2pchat.client.presence import Presence, Seen
from p2pchat.client.pushes import PushLocator
from p2pchat.client.renewing import Renewal, Renewing
from p2pchat.client.surroundings import Surroundings
from p2pchat.crypto.credentials import COSTS, Costs
from p2pchat.crypto.identity import Identity
from p2pchat.crypto.session import SessionRecord, seal_addresses
from p2pchat.errors import NoNodeReachable, NotLoggedIn, P2PChatError
from p2pchat.heartbeat.commands import OFFLINE, ONLINE
from p2pchat.identifiers import Address, Identifier
from p2pchat.wire.connection import Peer


class Agent(MultiService):
    """Composes all parts of one home.

    Args:
        home: locked by the caller.
        servers: clients addresses that the person gave.
        keep_keys: False with --ask-password.
        addresses: where other agents reach us.
        door: the port behind them.
        encrypt: whether histories are to be encrypted.
        make_gateway, costs: other than the usual ones in tests.
    """

    _log = Logger()

    def __init__(
        self,
        around: Surroundings,
        home: Home,
        servers: Sequence[Address],
        keep_keys: bool,
        addresses: Callable[[], list[Address]],
        door: Door,
        encrypt: bool = False,
        make_gateway: Callable[..., Gateway] = Gateway,
        costs: Costs = COSTS,
    ) -> None:
        super().__init__()
        self.door = door
        self.around, self.home, self._addresses = around, home, addresses
        self.pin = RingPin(home)
        self.keyring = Keyring(home, keep_keys)
        self.keyring.load(self.pin.ring)
        self.followers = Followers(around.clock)
        self.gateway = make_gateway(
            around.clock,
            around.now,
            around.spread,
            around.reach,
            self.pin,
            servers,
            around.find,
            self._pushes,
            self._gateway_changed,
        )
        self.directory = Directory(self.gateway, self.ring, self._contacts, around.clock, self._key_renewed)
        self.presence = Presence(self.gateway, self.ring, self._watched, self._presence_changed)
        self.place = Place(self._node, self._address_box)
        pending = Pending(home, keep_keys, REGISTRATION, Registration.parse)
        self.histories = Histories(home, encrypt, self.ring, around.in_thread, around.chance, around.disk)
        drawn = (around.chance, around.now_ms)
        prepare, adopt = self.histories.prepare, self.histories.adopt
        self.entrance = Entrance(self.gateway, self.ring, around.in_thread, self.place, pending, *drawn, prepare, costs)
        renewal = Pending(home, keep_keys, RENEWAL, Renewal.parse)
        self.renewing = Renewing(self.gateway, self.entrance, renewal, around.in_thread, *drawn, adopt, costs)
        self.keyring.expects = self.renewing.expects
        self.stores: Stores | None = None
        self._stores_of: str | None = None
        self.active: ActiveSession | None = None
        self.hand_over = self._hand_over()
        self.gateway.setServiceParent(self)
        self.open_history()
        if self.keyring.state == ACTIVE:
            self._begin()

    def _hand_over(self) -> HandOver:
        ended, adopted = self._hand_over_ended, self._capability_adopted
        return HandOver(self.around, self._leaving_post, self.gateway, ended, self.tell_session, adopted)

    def _hand_over_ended(self) -> None:
        self.keyring.hand_over_ended(giving.progress(self.opened))

    def startService(self) -> None:
        super().startService()
        if self.keyring.leaving is not None:
            self.hand_over.give(self.me, self.opened)

    def stopService(self) -> Any:
        self.hand_over.stop()
        return super().stopService()

    async def leave(self) -> None:
        """Say goodbye to the ring, before stopService."""
        if self.active is not None and self.gateway.link is not None:
            await self.active.own.say_goodbye()

    def close(self) -> None:
        """After stopService: release files."""
        self._close_history()
        self.home.unlock()

    # -- who we are

    @property
    def me(self) -> str:
        """Our canonical name, also when the session was replaced; NotLoggedIn without one."""
        _ = self.opened
        return str(self.keyring.user)

    @property
    def opened(self) -> Stores:
        """The history of whoever is (or was) logged in."""
        user = self.keyring.user
        if user is None:
            raise NotLoggedIn("Nobody is logged in here; use p2pchat login USER, or p2pchat register USER.")
        if self.stores is None:
            raise NotLoggedIn(
                f"The history of {user} is encrypted. To read it: p2pchat unlock. To write again: p2pchat login {user}"
            )
        return self.stores

    @property
    def writing(self) -> ActiveSession:
        """The session, for what changes something; NotLoggedIn or SessionReplaced without one."""
        _ = self.keyring.keys
        if self.active is None:
            raise NotLoggedIn("The session is just ending.")
        return self.active

    def ring(self) -> bytes:
        """Our ring's id."""
        if self.pin.ring is None:
            raise NoNodeReachable("No node was found yet, so there is no ring. Name a node with --server HOST:PORT.")
        return self.pin.ring

    def session_row(self) -> JSONObject:
        keyring = self.keyring
        row: JSONObject = {
            "user": keyring.user,
            "state": keyring.state,
            "epoch": keyring.epoch,
            "node": self.gateway.node,
            "handover": giving.progress(self.stores)
            if self.stores is not None
            else keyring.handed_over or dict(giving.NONE),
        }
        if keyring.replaced is not None:
            row["replaced"] = {**keyring.replaced, "at": rows.iso(keyring.replaced.get("at"))}
        return row

    def account_row(self) -> JSONObject:
        return {
            "user": self.keyring.user,
            "fingerprint": self.keyring.fingerprint,
            "ring": self.pin.shown,
            "node": self.gateway.node,
        }

    @property
    def history(self) -> str:
        """How this home keeps the history: plain, encrypted, or sealed (encrypted, and not open now); or none."""
        user = self.keyring.user
        if user is None:
            return "none"
        return "sealed" if self.stores is None else "encrypted" if self.histories.encrypted(user) else "plain"

    # -- the session

    def enter(self, entered: Entered, take_over: bool = True) -> None:
        """The session stands: keep its keys, then live in it."""
        self._stop_active()
        self.hand_over.stop()
        self.keyring.enter(entered.keys)
        if entered.replaced is not None:
            self.keyring.want_rotation(True)
        self.open_history()
        self.histories.settle(entered.keys.identity, entered.account)
        expected = take_over and entered.replaced is not None
        self.hand_over.entered(self.me, entered.keys.identity.fingerprint, self.opened, expected)
        self._begin()
        self.tell_session()

    def open_history(self, identity: Identity | None = None) -> None:
        """That of whoever's home this is, if it can be opened: by this identity, or by the one in the keyring."""
        user = self.keyring.user
        if self.stores is not None and self._stores_of != user:
            self._close_history()
        if self.stores is None and user is not None:
            self.stores, self._stores_of = self.histories.open(user, identity or self.keyring.identity), user
            self.directory.clear()

    def _close_history(self) -> None:
        if self.stores is not None:
            self.stores.database.close()
            self.stores = None

    def _begin(self) -> None:
        self.active = ActiveSession(
            self.around,
            self.gateway,
            self.directory,
            self.keyring,
            self.opened,
            self.place,
            self.door,
            lambda user: self.presence.of(user).presence != OFFLINE,
            self,
            self._was_replaced,
        )
        self.active.setServiceParent(self)
        if self.gateway.link is not None:
            self.active.connected()
            self.presence.connected()

    def _stop_active(self) -> None:
        active, self.active = self.active, None
        if active is not None:
            active.disownServiceParent()

    def _was_replaced(self, _by: SessionRecord) -> None:
        self._stop_active()
        if (self.keyring.replaced or {}).get("deleted"):
            self._hand_over_ended()
        else:
            self.hand_over.give(self.me, self.opened)
        self.tell_session()

    async def end(self) -> None:
        """Keys and session go; history stays on disk, for the next login."""
        self._stop_active()
        self.hand_over.stop()
        self.keyring.leave()
        self._close_history()
        self.histories.forget()
        self.directory.clear()
        self.tell_session()

    async def delete(self) -> str:
        """The account is no more: as `end`, and its history is set aside, so that nobody goes on with it."""
        user = self.me
        await self.end()
        return str(self.histories.set_aside(user, rows.day(self.around.now_ms())))

    # -- what happens

    def message_shown(self, line: Line) -> None:
        if not self.followers.wanted:
            return
        contact = self.opened.contacts.get(line.chat)
        request = contact is not None and contact.standing != CONTACT
        self.followers.tell({"event": "message", **self._row(line, request), "chat": line.chat})

    def message_written(self, line: Line) -> None:
        if self.followers.wanted:
            self.followers.tell({"event": "sent", **self._row(line), "chat": line.chat})

    def _row(self, line: Line, request: bool = False) -> JSONObject:
        return rows.message_row(line, self.me, request, self.opened.archive.quoted(line))

    def message_changed(self, line: Line) -> None:
        if self.followers.wanted:
            self.followers.tell({"event": "receipt", **rows.sent_row(line)})

    def called(self, contact: str, sent_ms: int) -> None:
        if self.active is not None:
            self.active.channels.dial_back(contact, sent_ms)

    def handed_over(self, message: Incoming) -> None:
        keys = self.keyring.maybe
        if keys is not None:
            self.hand_over.take(self.me, keys.identity.fingerprint, self.opened, message)
            self.around.clock.callLater(0, self._taken)

    def _taken(self) -> None:
        """After the transaction: unsent messages may have come."""
        if self.running:
            self.tell_session()
            self.presence.connected()
            if self.active is not None:
                self.active.chat.sending.look()

    def _capability_adopted(self) -> None:
        if self.active is not None:
            self.active.own.moved()

    def _leaving_post(self) -> Mail:
        """Seals with the keys of a replaced session."""
        return Mail(
            self.gateway,
            self.directory,
            self.keyring.leaving_keys,
            lambda *_: {},
            lambda: self.gateway.node,
            lambda _: None,
            self.around.clock,
        )

    def tell_session(self) -> None:
        self.followers.tell({"event": "session", **self.session_row()})

    def _presence_changed(self, user: str, seen: Seen, before: Seen) -> None:
        if self.stores is not None and ONLINE in (seen.presence, before.presence):
            self.stores.contacts.was_online(user, self.around.now_ms())
        self.followers.tell({"event": "presence", **self.person_row(user, seen)})

    def _key_renewed(self, user: str) -> None:
        """Tell it loudly: a screen shows it until digits were compared."""
        self.followers.tell({"event": "presence", **self.person_row(user, self.presence.of(user))})

    def person_row(self, user: str, seen: Seen) -> JSONObject:
        contact = self.stores.contacts.get(user) if self.stores is not None else None
        known = [each for each in (seen.last_seen, contact.last_seen if contact else None) if each]
        if seen.presence == ONLINE:
            known.append(self.around.now_ms())
        return rows.person_row(user, contact, seen.presence, max(known, default=None))

    # -- the gateway

    def _pushes(self, _peer: Peer) -> list[amp.CommandLocator]:
        return [PushLocator(self._mail_arrived, self.presence.pushed, self._session_changed)]

    def _gateway_changed(self, peer: Peer | None) -> None:
        if peer is None:
            self.presence.disconnected()
        else:
            if self.keyring.state == ACTIVE and self.active is not None:
                self.active.connected()
            self.presence.connected()
            self.hand_over.connected()
        if self.running:
            self.tell_session()

    def _mail_arrived(self, version: int) -> None:
        if self.active is not None:
            self.active.mailbox_version(version)

    def _session_changed(self, record: bytes) -> None:
        if self.active is not None:
            self.active.own.judge(record)

    def _node(self) -> Identifier | None:
        return self.gateway.peer.identifier if self.gateway.peer is not None else None

    def _address_box(self, user: str, place: tuple[int, int]) -> bytes:
        """Our addresses, sealed for contacts; empty before we have a history of our own."""
        active = self.active
        if active is None or active.chat.me != user:
            return b""
        return seal_addresses(self._addresses(), active.chat.capability, user, self.ring(), place, self.around.chance)

    def _contacts(self) -> ContactStore | None:
        return self.stores.contacts if self.stores is not None else None

    def _watched(self) -> Iterable[tuple[str, bytes | None]]:
        if self.stores is None:
            return []
        return [(each.user, each.capability) for each in self.stores.contacts.all() if each.standing == CONTACT]


def said(error: P2PChatError) -> str:
    """An error for one line on a screen."""
    return " ".join(str(error).split())
