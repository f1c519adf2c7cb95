"""The ways into an account: register, log in, recover; and new passwords.

Everything slow (Argon2id, bcrypt, RSA) runs in a thread.  Each write carries an operation id that is on disk before the
first attempt, so that a command which ended in doubt can be run again.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from p2pchat.accounts.commands import (
    BY_PASSWORD,
    BY_RECOVERY,
    AskParameters,
    ReadRecords,
    Unlock,
    WriteAccount,
    WriteSession,
)
from p2pchat.accounts.commands import Register as RegisterAccount
from p2pchat.client.gateway import Ask
from p2pchat.client.keyring import Keys, MailPrivate
from p2pchat.client.pending import PendingRegistration, Registration
from p2pchat.crypto import credentials
from p2pchat.crypto.account import Account
from p2pchat.crypto.credentials import Costs
from p2pchat.crypto.encoding import KEY_ID_BYTES
from p2pchat.crypto.identity import Identity
from p2pchat.crypto.mailkey import MailKeyRecord, MailKeys
from p2pchat.crypto.names import canonical_user, prepared_password, require_strength
from p2pchat.crypto.passwords import Parameters, Stretched
from p2pchat.crypto.primitives import ed25519_generate, hybrid_generate
from p2pchat.crypto.session import SessionRecord
from p2pchat.crypto.vault import RecoveryKey, Secrets
from p2pchat.errors import Conflict, Misbehaved, NameTaken, TimedOut, WrongCredentials
from p2pchat.identifiers import Identifier

Result = TypeVar("Result")
OPERATION_BYTES = 16
MAX_LOGIN_ATTEMPTS = 5
"""Times that another login may come between reading and writing the session."""


class InThread(Protocol):
    """Runs a slow function off the reactor."""

    def __call__(self, function: Callable[..., Result], *arguments: Any) -> Awaitable[Result]: ...


@dataclass(frozen=True, slots=True)
class Entered:
    """A session that stands on the ring, and what only its beginning shows."""

    keys: Keys
    mail_keys: MailKeys
    replaced: SessionRecord | None = None
    recovery_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Place:
    """Where this agent is: its gateway, and the sealed addresses for the session record's place."""

    node: Callable[[], Identifier | None]
    address_box: Callable[[str, tuple[int, int]], bytes]


class Entrance:
    """Makes sessions.

    Args:
        ask: the gateway.
        ring: our ring's id; UserError or NoNodeReachable while there is none.
        place: for session records.
        pending: keeps an unfinished registration (on disk, or in RAM with --ask-password).
        chance: random bytes.
        now_ms: milliseconds since 1970.
    """

    def __init__(
        self,
        ask: Ask,
        ring: Callable[[], bytes],
        in_thread: InThread,
        place: Place,
        pending: PendingRegistration,
        chance: Callable[[int], bytes],
        now_ms: Callable[[], int],
        costs: Costs = credentials.COSTS,
    ) -> None:
        self._ask, self._ring, self._in_thread, self._place = ask, ring, in_thread, place
        self._pending, self._chance, self._now_ms, self._costs = pending, chance, now_ms, costs

    # -- register

    async def register(self, user: str, password: str, timeout: float) -> Entered:
        """Make an account, or finish the registration of this name that this home has begun."""
        name, prepared = canonical_user(user), prepared_password(password)
        pending = self._pending.read(self._ring())
        if pending is None or pending.keys.user != name:
            require_strength(prepared, name)
            pending = await self._prepare(name, prepared)
            self._pending.write(pending)
        elif not await self._in_thread(_opens, pending.account, prepared):
            raise WrongCredentials(
                f"The registration of {name} that this home began has another password. Give that one."
            )
        try:
            await self._ask(
                RegisterAccount,
                timeout=timeout,
                user=name,
                account=pending.account.encode(),
                session=pending.keys.record.encode(),
                mail_key=pending.mail_keys.encode(),
                operation=pending.operation,
            )
        except NameTaken:
            self._pending.remove()
            raise
        except Conflict:
            self._pending.remove()
            raise NameTaken(f"{name} is registered, and was used since. Log in: p2pchat login {name}") from None
        return Entered(pending.keys, pending.mail_keys, None, pending.recovery_key)

    def registered(self) -> None:
        """The keys of the registration are in their place: nothing is pending any more."""
        self._pending.remove()

    async def _prepare(self, user: str, password: bytes) -> Registration:
        ring, recovery = self._ring(), RecoveryKey.generate(self._chance)
        identity = await self._in_thread(Identity.generate, user, ring)
        enrolled = await self._in_thread(credentials.register, identity, password, recovery, self._costs, self._chance)
        escrow_public = enrolled.account.credentials.escrow_public
        key, private = ed25519_generate(self._chance), hybrid_generate(self._chance)
        record = self._record(identity, key, None)
        mail = MailKeyRecord.create(identity, record.epoch, 1, private, escrow_public)
        kept = MailPrivate(1, mail.key_id, self._now_ms(), private)
        keys = Keys(identity, key, record, escrow_public, 1, (kept,))
        return Registration(enrolled.account, keys, MailKeys(mail), recovery.printed(), self._chance(OPERATION_BYTES))

    # -- log in

    async def log_in(self, user: str, password: str, timeout: float) -> Entered:
        """Take the account over by name and password."""
        name, prepared = canonical_user(user), prepared_password(password)
        stretched = await self._stretch(name, prepared, timeout)
        unlocked = await self._ask(Unlock, timeout=timeout, user=name, proof=stretched.auth, by=BY_PASSWORD)
        account = self._own_account(unlocked["account"], name)
        secrets = await self._in_thread(credentials.log_in, account, stretched)
        return await self._take_over(account, secrets, unlocked["session"], unlocked["mail_key"], timeout)

    async def recover(
        self, user: str, recovery_key: str, password: str, timeout: float, entered: Callable[[Entered], None]
    ) -> tuple[bytes, int]:
        """Take the account over by the recovery key, then set a new password.

        `entered` keeps the session's keys before the password changes: what is in escrow for the old one cannot be
        opened afterwards.  Returns the new escrow key and account version.
        """
        name, prepared, key = canonical_user(user), prepared_password(password), RecoveryKey.parse(recovery_key)
        require_strength(prepared, name)
        proof = key.auth(name, self._ring())
        unlocked = await self._ask(Unlock, timeout=timeout, user=name, proof=proof, by=BY_RECOVERY)
        account = self._own_account(unlocked["account"], name)
        secrets = await self._in_thread(credentials.recover, account, key)
        entered(await self._take_over(account, secrets, unlocked["session"], unlocked["mail_key"], timeout))
        return await self._renew(account, secrets.identity, prepared, proof, BY_RECOVERY, timeout)

    async def change_password(self, keys: Keys, old: str, new: str, timeout: float) -> tuple[bytes, int]:
        """The new escrow key and account version; a new mail key has to follow at once."""
        user, prepared = keys.user, prepared_password(new)
        require_strength(prepared, user)
        stretched = await self._stretch(user, prepared_password(old), timeout)
        unlocked = await self._ask(Unlock, timeout=timeout, user=user, proof=stretched.auth, by=BY_PASSWORD)
        account = self._own_account(unlocked["account"], user)
        secrets = await self._in_thread(credentials.log_in, account, stretched)
        return await self._renew(account, secrets.identity, prepared, stretched.auth, BY_PASSWORD, timeout)

    async def _renew(
        self, account: Account, identity: Identity, password: bytes, proof: bytes, by: str, timeout: float
    ) -> tuple[bytes, int]:
        enrolled = await self._in_thread(
            credentials.change_password, identity, password, account, self._costs, self._chance
        )
        await self._write_account(identity.user, enrolled.account, proof, by, timeout)
        return enrolled.account.credentials.escrow_public, enrolled.account.public.version

    async def unregister(self, keys: Keys, password: str, timeout: float) -> None:
        """Delete the account; its name stays closed for 30 days."""
        stretched = await self._stretch(keys.user, prepared_password(password), timeout)
        unlocked = await self._ask(Unlock, timeout=timeout, user=keys.user, proof=stretched.auth, by=BY_PASSWORD)
        account = self._own_account(unlocked["account"], keys.user)
        deleted = Account.deleted(keys.identity, account, self._now_ms())
        await self._write_account(keys.user, deleted, stretched.auth, BY_PASSWORD, timeout)

    # -- pieces

    async def _stretch(self, user: str, password: bytes, timeout: float) -> Stretched:
        asked = await self._ask(AskParameters, timeout=timeout, user=user)
        parameters = Parameters(asked["memory_kib"], asked["passes"], asked["lanes"])
        parameters.check()
        return await self._in_thread(Stretched.stretch, password, user, self._ring(), asked["salt"], parameters)

    def _own_account(self, value: bytes, user: str) -> Account:
        account = Account.parse(value, self._ring())
        if account.public.user != user:
            raise Misbehaved(f"The node gave the account of somebody else instead of {user}'s.")
        return account

    async def _write_account(self, user: str, account: Account, proof: bytes, by: str, timeout: float) -> None:
        await self._ask(
            WriteAccount,
            timeout=timeout,
            user=user,
            account=account.encode(),
            proof=proof,
            by=by,
            operation=self._chance(OPERATION_BYTES),
        )

    async def _take_over(
        self, account: Account, secrets: Secrets, session: bytes, mail_key: bytes, timeout: float
    ) -> Entered:
        """Write our session after the one that stands; the mail keys come from escrow."""
        ring, identity = self._ring(), secrets.identity
        mail_keys = MailKeys.parse(mail_key, ring)
        if mail_keys.current.identity != identity.public:
            raise Misbehaved("The node gave somebody else's mail key.")
        mail = await self._in_thread(_from_escrow, mail_keys, secrets.escrow_private, self._now_ms())
        key, before = ed25519_generate(self._chance), self._own_session(session, identity)
        for _ in range(MAX_LOGIN_ATTEMPTS):
            record = self._record(identity, key, before)
            try:
                await self._ask(
                    WriteSession,
                    timeout=timeout,
                    user=identity.user,
                    session=record.encode(),
                    operation=self._chance(OPERATION_BYTES),
                )
            except Conflict:
                asked = await self._ask(ReadRecords, timeout=timeout, user=identity.user)
                before = self._own_session(asked["session"], identity)
                if before is None or before.body != record.body:
                    continue
            escrow_public = account.credentials.escrow_public
            return Entered(Keys(identity, key, record, escrow_public, account.public.version, mail), mail_keys, before)
        raise TimedOut("Other homes log in at the same time, again and again. Try again later.")

    def _own_session(self, value: bytes, identity: Identity) -> SessionRecord | None:
        record = SessionRecord.parse(value, identity.ring) if value else None
        if record is not None and record.identity != identity.public:
            raise Misbehaved("The node gave somebody else's session.")
        return record

    def _record(self, identity: Identity, key: Any, after: SessionRecord | None) -> SessionRecord:
        place = (1, 0) if after is None else (after.epoch + 1, 0)
        box = self._place.address_box(identity.user, place)
        return SessionRecord.create(identity, key, self._place.node(), box, self._now_ms(), after, log_in=True)


def _opens(account: Account, password: bytes) -> bool:
    asked = account.credentials
    stretched = Stretched.stretch(password, asked.user, account.public.identity.ring, asked.salt, asked.parameters)
    try:
        credentials.log_in(account, stretched)
    except WrongCredentials:
        return False
    return True


def _from_escrow(keys: MailKeys, escrow_private: bytes, now_ms: int) -> tuple[MailPrivate, ...]:
    records = [keys.current] + ([keys.draining] if keys.draining is not None else [])
    return tuple(
        MailPrivate(each.number, each.key_id[:KEY_ID_BYTES], now_ms, each.private(escrow_private)) for each in records
    )
