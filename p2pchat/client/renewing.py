"""A new identity for an account: named by the one until now, with a new recovery key, session and mail key.

Account, session and mail key change one after the other; all that they need is on disk before the first of them goes
out, so that a renewal which ended in doubt is finished by running it again.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from p2pchat.accounts.commands import BY_PASSWORD, WriteMailKey
from p2pchat.client.entrance import (
    MAX_LOGIN_ATTEMPTS,
    OPERATION_BYTES,
    Entered,
    Entrance,
    InThread,
    Unlocked,
    belongs_to,
)
from p2pchat.client.gateway import Ask
from p2pchat.client.keyring import Former, Keys, MailPrivate
from p2pchat.client.pending import Pending
from p2pchat.crypto import credentials
from p2pchat.crypto.account import Account
from p2pchat.crypto.credentials import COSTS, Costs
from p2pchat.crypto.encoding import lv, split
from p2pchat.crypto.identity import Identity
from p2pchat.crypto.mailkey import MailKeyRecord, MailKeys
from p2pchat.crypto.names import prepared_password
from p2pchat.crypto.primitives import ed25519_generate, hybrid_generate
from p2pchat.crypto.vault import RecoveryKey
from p2pchat.errors import Conflict, Misbehaved, TimedOut


@dataclass(frozen=True, slots=True)
class Renewal:
    """One attempt: the account's next version, and the private halves that only this home knows."""

    account: Account
    identity: Identity
    session_key: Ed25519PrivateKey = field(repr=False)
    mail_private: bytes = field(repr=False)
    recovery_key: str = field(repr=False)
    operation: bytes

    def encode(self) -> bytes:
        """As it lies in the home."""
        own = self.identity
        keys = (own.pkcs8_sign, own.pkcs8_seal, self.session_key.private_bytes_raw(), self.mail_private)
        return b"".join(map(lv, (self.account.encode(), *keys, self.recovery_key.encode(), self.operation)))

    @classmethod
    def parse(cls, content: bytes, ring: bytes) -> "Renewal":
        """Read one of this ring; Misbehaved for a wrong form."""
        value, sign, seal, session, mail, recovery, operation = split(content, 7)
        account = Account.parse(value, ring)
        identity = Identity.load(account.public.user, ring, sign, seal)
        return cls(account, identity, Ed25519PrivateKey.from_private_bytes(session), mail, recovery.decode(), operation)


class Renewing:
    """Renews the identity of the account that is logged in here.

    Args:
        entrance: opens the account by its password, and writes account and session.
        pending: keeps a renewal that is not finished.
        adopt: told of the new identity before anything goes out.
    """

    def __init__(
        self,
        ask: Ask,
        entrance: Entrance,
        pending: Pending[Renewal],
        in_thread: InThread,
        chance: Callable[[int], bytes],
        now_ms: Callable[[], int],
        adopt: Callable[[Identity], None],
        costs: Costs = COSTS,
    ) -> None:
        self._adopt = adopt
        self._ask, self._entrance, self._pending, self._in_thread = ask, entrance, pending, in_thread
        self._chance, self._now_ms, self._costs = chance, now_ms, costs

    async def renew(self, keys: Keys, password: str, timeout: float) -> Entered:
        """The new session; its caller keeps it, then calls `finished`.

        Raises:
            WrongCredentials: the password is wrong.
            UnknownOutcome, NoQuorum, …: run it again, it goes on where it stopped.
        """
        prepared = prepared_password(password)
        found = await self._entrance.unlock(keys.user, prepared, timeout)
        renewal = self._pending.read(self._entrance.ring())
        if renewal is None or not _fits(renewal, found.account):
            renewal = await self._prepare(found, prepared)
            self._pending.write(renewal)
        self._adopt(renewal.identity)
        if renewal.account != found.account:
            await self._entrance.write_account(renewal.account, found.proof, BY_PASSWORD, timeout, renewal.operation)
        identity, public = renewal.identity, renewal.account.public
        record, _ = await self._entrance.write_session(identity, renewal.session_key, found.session, public, timeout)
        escrow_public = renewal.account.credentials.escrow_public
        mail_keys = await self._write_mail_key(renewal, found.mail_key, record.epoch, prepared, timeout)
        number = mail_keys.current.number
        mail = MailPrivate(number, mail_keys.current.key_id, self._now_ms(), renewal.mail_private)
        former = Former(keys.identity, number) if keys.identity.public != identity.public else keys.former
        kept = tuple(each for each in keys.mail if each.number < number)
        made = Keys(identity, renewal.session_key, record, escrow_public, public.version, (*kept, mail), former)
        return Entered(made, mail_keys, renewal.account, None, renewal.recovery_key)

    def expects(self, public_key: bytes) -> bool:
        """Whether a session with this key is that of a renewal which this home has begun."""
        ring = self._entrance.ring()
        renewal = self._pending.read(ring)
        return renewal is not None and renewal.session_key.public_key().public_bytes_raw() == public_key

    def finished(self) -> None:
        """The new keys are in their place."""
        self._pending.remove()

    async def _prepare(self, found: Unlocked, password: bytes) -> Renewal:
        before = found.secrets.identity
        identity = await self._in_thread(Identity.generate, before.user, before.ring)
        recovery = RecoveryKey.generate(self._chance)
        enrolled = await self._in_thread(
            credentials.renew_identity,
            *(before, identity, password, recovery, found.account, self._costs, self._chance),
        )
        session_key, private = ed25519_generate(self._chance), hybrid_generate(self._chance)
        operation = self._chance(OPERATION_BYTES)
        return Renewal(enrolled.account, identity, session_key, private, recovery.printed(), operation)

    async def _write_mail_key(
        self, renewal: Renewal, standing: bytes, epoch: int, password: bytes, timeout: float
    ) -> MailKeys:
        """The new identity's first mail key; the one before drains."""
        identity, public = renewal.identity, renewal.account.public
        escrow_public = renewal.account.credentials.escrow_public
        for _ in range(MAX_LOGIN_ATTEMPTS):
            register = MailKeys.parse(standing, identity.ring)
            if not belongs_to(register.current.identity, public):
                raise Misbehaved("The node gave somebody else's mail key.")
            if register.current.identity == identity.public:
                return register
            number = register.current.number + 1
            record = MailKeyRecord.create(identity, epoch, number, renewal.mail_private, escrow_public)
            renewed = MailKeys(record, register.current, public.successions)
            try:
                await self._ask(
                    WriteMailKey,
                    timeout=timeout,
                    user=identity.user,
                    mail_key=renewed.encode(),
                    operation=self._chance(OPERATION_BYTES),
                )
                return renewed
            except Conflict:
                standing = (await self._entrance.unlock(identity.user, password, timeout)).mail_key
        raise TimedOut("The mail key changes again and again. Run it again later.")


def _fits(renewal: Renewal, standing: Account) -> bool:
    """Whether a renewal that was begun is what stands, or what would follow."""
    public = renewal.account.public
    return public.user == standing.public.user and (
        renewal.account == standing or public.previous == standing.public.digest
    )
