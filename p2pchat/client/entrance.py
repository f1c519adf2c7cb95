"""The ways into an account: register, log in, recover; and new passwords.

Everything slow (Argon2id, bcrypt, RSA) runs in a thread.  Each write carries an operation id that is on disk before the
first attempt, so that a command which ended in doubt can be run again.
"""

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.logger import Logger

from p2pchat.accounts.commands import (
    BY_PASSWORD,
    BY_RECOVERY,
    AskName,
    AskParameters,
    ReadRecords,
    Unlock,
    WriteAccount,
    WriteSession,
)
from p2pchat.accounts.commands import Register as RegisterAccount
from p2pchat.client.gateway import Ask
from p2pchat.client.keyring import Keys, MailPrivate
from p2pchat.client.pending import Pending, Registration
from p2pchat.crypto import credentials
from p2pchat.crypto.account import Account, AccountPublic
from p2pchat.crypto.closing import Closing
from p2pchat.crypto.credentials import Costs
from p2pchat.crypto.encoding import KEY_ID_BYTES
from p2pchat.crypto.identity import Identity, PublicIdentity
from p2pchat.crypto.mailkey import MailKeyRecord, MailKeys
from p2pchat.crypto.names import canonical_user, prepared_password, require_strength
from p2pchat.crypto.passwords import Parameters, Stretched
from p2pchat.crypto.primitives import ed25519_generate, hybrid_generate
from p2pchat.crypto.session import SessionRecord
from p2pchat.crypto.succession import Link, leads_from
from p2pchat.crypto.vault import RecoveryKey, Secrets
from p2pchat.errors import CannotOpen, Conflict, Misbehaved, NameTaken, TimedOut, UnknownUser, WrongCredentials
from p2pchat.identifiers import Identifier

Result = TypeVar("Result")
OPERATION_BYTES = 16
ACCEPTED = "the ring has accepted the password"
"""How the line of the log begins that says so; from then on a login only waits for the ring."""
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
    account: Account
    replaced: SessionRecord | None = None
    recovery_key: str | None = field(default=None, repr=False)
    weak: bool = False
    """Whether the account's password was hashed at a lower cost than new ones are."""


@dataclass(frozen=True, slots=True)
class Unlocked:
    """An account that a password opened, and the values of the other two registers."""

    account: Account
    secrets: Secrets
    proof: bytes = field(repr=False)
    session: bytes
    mail_key: bytes = field(repr=False)


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
        prepare: told of identity and prepared password before a session is written; an error stops that.
    """

    _log = Logger()

    def __init__(
        self,
        ask: Ask,
        ring: Callable[[], bytes],
        in_thread: InThread,
        place: Place,
        pending: Pending[Registration],
        chance: Callable[[int], bytes],
        now_ms: Callable[[], int],
        prepare: Callable[[Identity, bytes], Awaitable[None]],
        costs: Costs = credentials.COSTS,
    ) -> None:
        self._prepare_home = prepare
        self._ask, self.ring, self._in_thread, self._place = ask, ring, in_thread, place
        self._pending, self._chance, self._now_ms, self._costs = pending, chance, now_ms, costs

    # -- register

    async def register(self, user: str, password: str, timeout: float) -> Entered:
        """Make an account, or finish the registration of this name that this home has begun."""
        name, prepared = canonical_user(user), prepared_password(password)
        pending = self._pending.read(self.ring())
        if pending is None or pending.keys.user != name:
            require_strength(prepared, name)
            pending = await self._prepare(name, prepared, await self._ask(AskName, timeout=timeout, user=name))
            await self._prepare_home(pending.keys.identity, prepared)
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
        return Entered(pending.keys, pending.mail_keys, pending.account, None, pending.recovery_key)

    def registered(self) -> None:
        """The keys of the registration are in their place: nothing is pending any more."""
        self._pending.remove()

    async def _prepare(self, user: str, password: bytes, asked: dict[str, Any]) -> Registration:
        """What goes out; `asked`: what stands of the account that had the name before, empty where nobody had it."""
        ring, recovery = self.ring(), RecoveryKey.generate(self._chance)
        ended = Account.parse(asked["account"], ring) if asked["account"] else None
        if ended is not None and (ended.closing is None or ended.public.user != user):
            raise Misbehaved(f"The node gave another account instead of the one that was called {user}.")
        identity = await self._in_thread(Identity.generate, user, ring)
        enrolled = await self._in_thread(
            credentials.register, identity, password, recovery, self._costs, self._chance, ended
        )
        account, links = enrolled.account, enrolled.account.public.successions
        escrow_public = account.credentials.escrow_public
        key, private = ed25519_generate(self._chance), hybrid_generate(self._chance)
        record = self._record(identity, key, SessionRecord.parse(asked["session"], ring) if ended else None, links)
        number = MailKeyRecord.parse(asked["mail_key"], ring).number + 1 if ended else 1
        mail = MailKeyRecord.create(identity, record.epoch, number, private, escrow_public)
        kept = MailPrivate(number, mail.key_id, self._now_ms(), private)
        keys = Keys(identity, key, record, escrow_public, account.public.version, (kept,))
        mail_keys = MailKeys(mail, None, links)
        return Registration(account, keys, mail_keys, recovery.printed(), self._chance(OPERATION_BYTES))

    # -- log in

    async def log_in(self, user: str, password: str, timeout: float) -> Entered:
        """Take the account over by name and password."""
        prepared = prepared_password(password)
        found = await self.unlock(canonical_user(user), prepared, timeout)
        await self._prepare_home(found.secrets.identity, prepared)
        entered = await self._take_over(found.account, found.secrets, found.session, found.mail_key, timeout)
        return replace(entered, weak=not credentials.costs_of(found.account.credentials).reach(self._costs))

    async def recover(
        self, user: str, recovery_key: str, password: str, timeout: float, entered: Callable[[Entered], None]
    ) -> Account:
        """Take the account over by the recovery key, then set a new password.

        `entered` keeps the session's keys before the password changes: what is in escrow for the old one cannot be
        opened afterwards.  Returns the account's new version.
        """
        name, prepared, key = canonical_user(user), prepared_password(password), RecoveryKey.parse(recovery_key)
        require_strength(prepared, name)
        proof = key.auth(name, self.ring())
        unlocked = await self._ask(Unlock, timeout=timeout, user=name, proof=proof, by=BY_RECOVERY)
        account = self._own_account(unlocked["account"], name)
        secrets = await self._in_thread(credentials.recover, account, key)
        await self._prepare_home(secrets.identity, prepared)
        entered(await self._take_over(account, secrets, unlocked["session"], unlocked["mail_key"], timeout))
        return await self._renew(account, secrets.identity, prepared, proof, BY_RECOVERY, timeout)

    async def change_password(self, keys: Keys, old: str, new: str, timeout: float) -> Account:
        """The account's new version; its escrow key is new, so a new mail key has to follow at once."""
        prepared = prepared_password(new)
        require_strength(prepared, keys.user)
        found = await self.unlock(keys.user, prepared_password(old), timeout)
        return await self._renew(found.account, found.secrets.identity, prepared, found.proof, BY_PASSWORD, timeout)

    async def strengthen(self, keys: Keys, password: str, timeout: float) -> Account:
        """After a login: hash the same password at today's cost.  Returns as `change_password`."""
        prepared = prepared_password(password)
        found = await self.unlock(keys.user, prepared, timeout)
        return await self._renew(found.account, found.secrets.identity, prepared, found.proof, BY_PASSWORD, timeout)

    async def _renew(
        self, account: Account, identity: Identity, password: bytes, proof: bytes, by: str, timeout: float
    ) -> Account:
        enrolled = await self._in_thread(
            credentials.change_password, identity, password, account, self._costs, self._chance
        )
        await self.write_account(enrolled.account, proof, by, timeout, self._chance(OPERATION_BYTES))
        return enrolled.account

    async def unregister(
        self, keys: Keys, password: str, timeout: float, proven: Callable[[], Awaitable[None]]
    ) -> None:
        """Delete the account; its name stays closed for 30 days.

        Run again after an attempt in doubt, it ends well if that one was carried out.  `proven` is called between.
        """
        if await self._is_deleted(keys, timeout):
            return
        found = await self.unlock(keys.user, prepared_password(password), timeout)
        await proven()
        deleted = Account.deleted(keys.identity, found.account, self._now_ms())
        try:
            await self.write_account(deleted, found.proof, BY_PASSWORD, timeout, self._chance(OPERATION_BYTES))
        except (UnknownUser, Conflict):
            if not await self._is_deleted(keys, timeout):
                raise

    async def _is_deleted(self, keys: Keys, timeout: float) -> bool:
        closing = (await self._ask(ReadRecords, timeout=timeout, user=keys.user)).get("closing")
        return bool(closing) and Closing.parse(closing, self.ring()).before == keys.identity.public

    # -- pieces

    async def unlock(self, user: str, password: bytes, timeout: float) -> "Unlocked":
        """What a prepared password opens; WrongCredentials when it opens nothing."""
        stretched = await self._stretch(user, password, timeout)
        asked = await self._ask(Unlock, timeout=timeout, user=user, proof=stretched.auth, by=BY_PASSWORD)
        self._log.info(ACCEPTED + " of {user}", user=user)
        account = self._own_account(asked["account"], user)
        secrets = await self._in_thread(credentials.log_in, account, stretched)
        return Unlocked(account, secrets, stretched.auth, asked["session"], asked["mail_key"])

    async def _stretch(self, user: str, password: bytes, timeout: float) -> Stretched:
        asked = await self._ask(AskParameters, timeout=timeout, user=user)
        parameters = Parameters(asked["memory_kib"], asked["passes"], asked["lanes"])
        parameters.check()
        return await self._in_thread(Stretched.stretch, password, user, self.ring(), asked["salt"], parameters)

    def _own_account(self, value: bytes, user: str) -> Account:
        account = Account.parse(value, self.ring())
        if account.public.user != user:
            raise Misbehaved(f"The node gave the account of somebody else instead of {user}'s.")
        return account

    async def write_account(self, account: Account, proof: bytes, by: str, timeout: float, operation: bytes) -> None:
        """The next version; Conflict when it does not follow what stands."""
        await self._ask(
            WriteAccount,
            timeout=timeout,
            user=account.public.user,
            account=account.encode(),
            proof=proof,
            by=by,
            operation=operation,
        )

    async def _take_over(
        self, account: Account, secrets: Secrets, session: bytes, mail_key: bytes, timeout: float
    ) -> Entered:
        """Write our session after the one that stands; the mail keys come from escrow."""
        ring, identity = self.ring(), secrets.identity
        mail_keys = MailKeys.parse(mail_key, ring)
        if not belongs_to(mail_keys.current.identity, account.public):
            raise Misbehaved("The node gave somebody else's mail key.")
        mail = await self._in_thread(_from_escrow, mail_keys, secrets.escrow_private, self._now_ms())
        key = ed25519_generate(self._chance)
        record, before = await self.write_session(identity, key, session, account.public, timeout)
        escrow_public = account.credentials.escrow_public
        keys = Keys(identity, key, record, escrow_public, account.public.version, mail)
        return Entered(keys, mail_keys, account, before)

    async def write_session(
        self, identity: Identity, key: Ed25519PrivateKey, standing: bytes, public: AccountPublic, timeout: float
    ) -> tuple[SessionRecord, SessionRecord | None]:
        """A session of `identity` after the one that stands: the new record, and the one that it replaced."""
        before = self._own_session(standing, public)
        if before is not None and (before.identity, before.public_key) == (
            identity.public,
            key.public_key().public_bytes_raw(),
        ):
            return before, None  # an attempt before this one was carried out
        for _ in range(MAX_LOGIN_ATTEMPTS):
            record = self._record(identity, key, before, public.successions)
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
                found = self._own_session(asked["session"], public)
                if found is None or found.body != record.body:
                    before = found
                    continue
            return record, before
        raise TimedOut("Other homes log in at the same time, again and again. Try again later.")

    def _own_session(self, value: bytes, public: AccountPublic) -> SessionRecord | None:
        record = SessionRecord.parse(value, public.identity.ring) if value else None
        if record is not None and not belongs_to(record.identity, public):
            raise Misbehaved("The node gave somebody else's session.")
        return record

    def _record(
        self,
        identity: Identity,
        key: Ed25519PrivateKey,
        after: SessionRecord | None,
        successions: tuple[Link, ...] = (),
    ) -> SessionRecord:
        place = (1, 0) if after is None else (after.epoch + 1, 0)
        box = self._place.address_box(identity.user, place)
        gateway, now = self._place.node(), self._now_ms()
        return SessionRecord.create(identity, key, gateway, box, now, after, log_in=True, successions=successions)


def belongs_to(identity: PublicIdentity, public: AccountPublic) -> bool:
    """Whether a record is of the account's identity, or of one before it: a renewal may not have come to all yet."""
    return identity == public.identity or leads_from(public.successions, identity.fingerprint)


def _opens(account: Account, password: bytes) -> bool:
    asked = account.credentials
    stretched = Stretched.stretch(password, asked.user, account.public.identity.ring, asked.salt, asked.parameters)
    try:
        credentials.log_in(account, stretched)
    except WrongCredentials:
        return False
    return True


def _from_escrow(keys: MailKeys, escrow_private: bytes, now_ms: int) -> tuple[MailPrivate, ...]:
    """What the escrow key opens.

    A key that was put into escrow for another one (its home died before it had renewed it) is lost: what is sealed to
    it becomes a tombstone, and its senders seal anew.
    """
    found = []
    for each in [keys.current] + ([keys.draining] if keys.draining is not None else []):
        with contextlib.suppress(CannotOpen):
            private = each.private(escrow_private)
            found.append(MailPrivate(each.number, each.key_id[:KEY_ID_BYTES], now_ms, private))
    return tuple(found)
