"""Rotates the mail key: whoever steals an agent's keys later does not read what came before.

Each step is done before the next begins: 1, the new private half is on disk; 2, the register has the new key beside
the old one, which drains; 3, senders seal to the new one; 4, everything under the old one is fetched; 5, the old one is
erased, here and in the register.  No clock decides safety, only when a new key is due.
"""

from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from p2pchat.accounts.commands import ReadMailKeys, WriteMailKey
from p2pchat.client.entrance import OPERATION_BYTES
from p2pchat.client.gateway import Ask
from p2pchat.client.keyring import Keyring, MailPrivate
from p2pchat.client.mail import Mail
from p2pchat.crypto.envelope import Kind
from p2pchat.crypto.mailkey import MailKeyRecord, MailKeys
from p2pchat.crypto.primitives import hybrid_generate
from p2pchat.errors import Conflict, Misbehaved, P2PChatError

LOOK_SECONDS = 60.0
"""Between two looks whether a new key is due."""
SOON_SECONDS = 2.0
"""After a step that failed or a login."""
USED_MS = 10 * 60 * 1000
OLD_MS = 24 * 3600 * 1000


class Rotation(Service):
    """Brings the mail key register, the keys on disk and the opener forward together.

    Args:
        fetch: empties the mailbox; how many envelopes had to stay.
    """

    _log = Logger()

    def __init__(
        self,
        ask: Ask,
        keyring: Keyring,
        mail: Mail,
        fetch: Callable[[], Any],
        signed: Callable[[str, bytes], dict[str, Any]],
        clock: IReactorTime,
        now_ms: Callable[[], int],
        chance: Callable[[int], bytes],
    ) -> None:
        self._ask, self._keyring, self._mail, self._fetch = ask, keyring, mail, fetch
        self._signed, self._clock, self._now_ms, self._chance = signed, clock, now_ms, chance
        self._looking = LoopingCall(self.look)
        self._looking.clock = clock
        self._under_way: Deferred[None] | None = None

    def startService(self) -> None:
        super().startService()
        self._looking.start(LOOK_SECONDS)

    def stopService(self) -> None:
        super().stopService()
        if self._looking.running:
            self._looking.stop()
        if self._under_way is not None:
            self._under_way.cancel()

    def look(self) -> None:
        """Do what is due; one turn at a time."""
        if self.running and self._under_way is None and self._keyring.maybe is not None and self._maybe_due():
            self._under_way = Deferred.fromCoroutine(self._turn())
            self._under_way.addBoth(self._done)

    def _done(self, result: Any) -> None:
        self._under_way = None
        if result is None or not self.running:
            return
        if result.check(P2PChatError):
            self._log.info("the mail key could not be renewed yet: {error}", error=result.getErrorMessage())
        else:
            self._log.failure("Renewing the mail key failed.", result)

    def _maybe_due(self) -> bool:
        """Whether to ask the ring at all."""
        mail = self._keyring.keys.mail
        return self._keyring.rotation_wanted or len(mail) != 1 or self._worn(mail[0])

    def _worn(self, key: MailPrivate) -> bool:
        age = self._now_ms() - key.made_ms
        return age >= OLD_MS or (age >= USED_MS and key.key_id in self._mail.used_keys)

    async def _turn(self) -> None:
        keys = self._keyring.keys
        register = await self._read()
        if register.draining is not None:
            register = await self._drain(register)
        if register is not None and register.draining is None:
            self._forget_others(register)
            current = next((each for each in keys.mail if each.key_id == register.current.key_id), None)
            if self._keyring.rotation_wanted or current is None or self._worn(current):
                await self._drain(await self._renew(register))

    async def _read(self) -> MailKeys:
        keys = self._keyring.keys
        asked = await self._ask(ReadMailKeys, signed=lambda: self._signed("mail keys", b""))
        register = MailKeys.parse(asked["mail_key"], keys.identity.ring)
        if register.current.identity != keys.identity.public:
            raise Misbehaved("The node gave somebody else's mail key.")
        return register

    async def _renew(self, register: MailKeys) -> MailKeys:
        """Steps 1 and 2: the private half on disk, then the register."""
        keys, private = self._keyring.keys, hybrid_generate(self._chance)
        number = register.current.number + 1
        record = MailKeyRecord.create(keys.identity, keys.record.epoch, number, private, keys.escrow_public)
        self._keyring.add_mail_key(MailPrivate(number, record.key_id, self._now_ms(), private))
        self._mail.opener.add_key(Kind.MAIL, record.key_id, private)
        renewed = register.rotated(record)
        await self._write(renewed)
        self._keyring.want_rotation(False)
        self._log.info("the mail key is number {number} now", number=number)
        return renewed

    async def _drain(self, register: MailKeys) -> MailKeys:
        """Steps 4 and 5: everything under the old key is on our disk, then it goes for good."""
        if await self._fetch():
            return register
        drained = register.drained()
        await self._write(drained)
        self._forget_others(drained)
        return drained

    def _forget_others(self, register: MailKeys) -> None:
        """Erase the private halves that nothing can be sealed to any more."""
        for key_id in self._keyring.keep_mail_keys({register.current.key_id}):
            self._mail.drop_key(key_id)

    async def _write(self, register: MailKeys) -> None:
        user = self._keyring.keys.user
        try:
            await self._ask(
                WriteMailKey, user=user, mail_key=register.encode(), operation=self._chance(OPERATION_BYTES)
            )
        except Conflict:
            standing = await self._read()
            if standing.current.key_id != register.current.key_id or standing.encode() != register.encode():
                raise
