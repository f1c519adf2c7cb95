"""Everything that runs while a session is ours: heartbeat, chat, mail and key rotation."""

from collections.abc import Callable
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from p2pchat.chat.receiving import Incoming
from p2pchat.chat.service import Audience, ChatService
from p2pchat.chat.stores import Stores
from p2pchat.client.channels import Channels
from p2pchat.client.directory import Directory
from p2pchat.client.door import Door
from p2pchat.client.entrance import Place
from p2pchat.client.gateway import Gateway
from p2pchat.client.inquiry import Inquiry
from p2pchat.client.keyring import Keyring
from p2pchat.client.mail import Mail
from p2pchat.client.rotation import Rotation
from p2pchat.client.session import OwnSession
from p2pchat.client.surroundings import Surroundings
from p2pchat.crypto.session import SessionRecord
from p2pchat.errors import P2PChatError
from p2pchat.heartbeat.commands import CONTACTS, INVISIBLE, VISIBLE
from p2pchat.heartbeat.lastseen import seen_key

VISIBLE_TO = "visible_to"
BEATS = {"everyone": VISIBLE, "contacts": CONTACTS, "nobody": INVISIBLE}
FETCH_AGAIN_SECONDS = 2.0


class ActiveSession(MultiService):
    """One session from login (or start) to logout, replacement or stop.

    Args:
        door: our port for other agents.
        online: whether somebody is not known to be offline.
        audience: told of messages.
        replaced: told when a later session ended this one.
    """

    _log = Logger()

    def __init__(
        self,
        around: Surroundings,
        gateway: Gateway,
        directory: Directory,
        keyring: Keyring,
        stores: Stores,
        place: Place,
        door: Door,
        online: Callable[[str], bool],
        audience: Audience,
        replaced: Callable[[SessionRecord], None],
    ) -> None:
        super().__init__()
        self.stores = stores
        self._clock, self._fetched, self._fetching = around.clock, -1, DeferredLock()
        self._again: IDelayedCall | None = None
        self.own = OwnSession(
            gateway,
            keyring,
            place,
            around.clock,
            around.now_ms,
            around.chance,
            lambda: BEATS.get(stores.settings.get(VISIBLE_TO, "everyone"), INVISIBLE),
            lambda: seen_key(self.chat.capability, keyring.keys.record.identity.ring),
            self.mailbox_version,
            replaced,
        )
        self.mail = Mail(
            gateway, directory, lambda: keyring.keys, self.own.signed, lambda: gateway.node, self._take, around.clock
        )
        self.channels = Channels(around, keyring, directory, stores, door, lambda: self.chat, online, gateway.bulletins)
        self.chat = self._chat_of(around, keyring, audience)
        self.rotation = Rotation(
            gateway,
            keyring,
            self.mail,
            self.fetch,
            self.own.signed,
            around.clock,
            around.now_ms,
            around.chance,
        )
        self.inquiry = Inquiry(gateway, lambda: self.chat, around.clock, around.now_ms)
        for service in (self.own, self.channels, self.chat, self.rotation, self.inquiry):
            service.setServiceParent(self)

    def _chat_of(self, around: Surroundings, keyring: Keyring, audience: Audience) -> ChatService:
        keys = keyring.keys
        return ChatService(
            keys.user,
            keys.record.epoch,
            self.stores,
            self.mail,
            self.channels.deliver,
            audience,
            around.clock,
            around.spread,
            around.chance,
            around.now_ms,
        )

    def startService(self) -> None:
        super().startService()
        if not self.running:
            # The first part that started has learnt that the session was replaced; the others started behind it.
            super().stopService()

    def stopService(self) -> Any:
        if self._again is not None and self._again.active():
            self._again.cancel()
        return super().stopService()

    def connected(self) -> None:
        """A gateway is there: show ourselves, fetch, send what waits."""
        if self.running:
            self._fetched = -1
            self.own.beat_now()
            self.own.moved()
            self.chat.sending.wake()
            self.fetch_soon()
            self.rotation.look()

    # -- mail

    def mailbox_version(self, version: int) -> None:
        """A push or a heartbeat says which version the mailbox has."""
        if version != self._fetched:
            self._fetch_in_background(version)

    def fetch_soon(self) -> None:
        """Look into the mailbox now."""
        self._fetch_in_background(None)

    def _fetch_in_background(self, version: int | None) -> None:
        if self.running and not self._fetching.waiting:
            Deferred.fromCoroutine(self._fetch_version(version)).addErrback(self._not_fetched)

    async def _fetch_version(self, version: int | None) -> None:
        await self.fetch()
        if version is not None:
            self._fetched = version

    def _not_fetched(self, failure: Any) -> None:
        if not self.running:
            return
        if failure.check(P2PChatError):
            self._log.info("mail could not be fetched yet: {error}", error=failure.getErrorMessage())
        else:
            self._log.failure("Fetching mail failed.", failure)
        if self._again is None or not self._again.active():
            self._again = self._clock.callLater(FETCH_AGAIN_SECONDS, self.fetch_soon)

    async def fetch(self) -> int:
        """Empty the mailbox; how many envelopes had to stay.  One fetch at a time."""
        return await self._fetching.run(self.mail.fetch)

    def _take(self, messages: list[Incoming]) -> None:
        self.chat.take(messages)
