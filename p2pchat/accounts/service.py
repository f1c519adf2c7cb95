"""Accounts and sessions at a gateway: registration, records, logins, and checks of signed requests."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from p2pchat.accounts.checks import (
    check_end,
    check_name,
    check_registration,
    created,
    followed,
    require_open,
    session_followed,
)
from p2pchat.accounts.commands import AnnounceSession, SessionChanged
from p2pchat.accounts.limits import Registrations
from p2pchat.accounts.proving import Proving
from p2pchat.accounts.sessions import KnownSessions
from p2pchat.crypto import account as account_format
from p2pchat.crypto import mailkey as mail_key_format
from p2pchat.crypto import session as session_format
from p2pchat.crypto.account import Account
from p2pchat.crypto.encoding import H
from p2pchat.crypto.mailkey import MailKeys
from p2pchat.crypto.passwords import Parameters
from p2pchat.crypto.proofs import SignedRequest
from p2pchat.crypto.session import SessionRecord
from p2pchat.errors import Misbehaved, NotLoggedIn, P2PChatError, UnknownUser
from p2pchat.identifiers import Identifier, account_identifier
from p2pchat.replication.service import ReplicationService
from p2pchat.replication.slots import KIND_ACCOUNT, KIND_MAILKEY, KIND_SESSION, RegisterKey
from p2pchat.wire.connection import Call


class AccountsService:
    """What agents ask their gateway about accounts and sessions.

    Args:
        ring: the ring's id.
        proving: checks passwords.
        push: tells every link of a user, without waiting.
        judging_ms: milliseconds since 1970 by the ring's clock; None while ours is not to be relied on.
    """

    _log = Logger()

    def __init__(
        self,
        me: Identifier,
        ring: bytes,
        replication: ReplicationService,
        call: Call,
        proving: Proving,
        push: Callable[..., int],
        clock: IReactorTime,
        judging_ms: Callable[[], int | None],
    ) -> None:
        self.proving = proving
        self._me, self._ring, self._replication, self._call = me, ring, replication, call
        self._push, self._clock, self._judging_ms = push, clock, judging_ms
        self._registrations, self._sessions = Registrations(), KnownSessions()
        self.takeovers = 0
        """Sessions that ended because somebody logged in elsewhere, through this gateway."""
        replication.on_changed.append(self._register_changed)

    # -- accounts

    async def register(
        self, user: str, account: bytes, session: bytes, mail_key: bytes, operation: bytes, host: str
    ) -> None:
        """Create the account if nobody has the name, then its first mail key and session.

        Raises:
            NameTaken: another account has the name, or had it less than 30 days ago.
            SlowedDown: too many registrations from `host`.
        """
        self._registrations.count(host, self._clock.seconds())
        record = SessionRecord.parse(session, self._ring)
        check_registration(user, Account.parse(account, self._ring), record, MailKeys.parse(mail_key, self._ring))
        point, ring, change = account_identifier(user), self._ring, self._replication.change
        now_ms = self._judging_ms()
        await change(RegisterKey(point, KIND_ACCOUNT), lambda old: created(old, account, user, ring, now_ms), operation)
        await change(
            RegisterKey(point, KIND_MAILKEY), lambda old: followed(old, mail_key, mail_key_format, ring), operation
        )
        await change(
            RegisterKey(point, KIND_SESSION), lambda old: session_followed(old, record, session_format, ring), operation
        )
        self._sessions.put(point, record, self._clock.seconds())

    async def name(self, user: str) -> tuple[bytes, bytes, bytes]:
        """For who wants to register: what stands of a deleted account (account, session, mail key), or nothing.

        Raises:
            NameTaken: as `register`.
        """
        check_name(user)
        account = await self._standing(user)
        if account is None:
            return b"", b"", b""
        require_open(account, user, self._judging_ms())
        session, mail_key = await self._values(user)
        return account.encode(), session or b"", self._last_key(mail_key)

    async def parameters(self, user: str) -> tuple[bytes, Parameters]:
        """Salt and cost with which `user` stretches the password."""
        credentials = (await self._account(user)).credentials
        return credentials.salt, credentials.parameters

    async def unlock(self, user: str, proof: bytes, by: str) -> tuple[bytes, bytes, bytes]:
        """Values of account, session and mail key register, for who proves the password or the recovery key."""
        account = await self._account(user)
        await self.proving.prove(user, account.credentials, proof, by)
        session, mail_key = await self._values(user)
        return account.encode(), session or b"", mail_key or b""

    async def write_account(self, user: str, account: bytes, proof: bytes, by: str, operation: bytes) -> None:
        """The next version of an account, by who proves the stored version's password or recovery key."""
        stored = await self._account(user)
        if stored.encode() == account:
            return
        check_end(Account.parse(account, self._ring), self._judging_ms())
        await self.proving.prove(user, stored.credentials, proof, by)
        key = RegisterKey(account_identifier(user), KIND_ACCOUNT)
        await self._replication.change(key, lambda old: followed(old, account, account_format, self._ring), operation)

    async def records(self, user: str) -> tuple[bytes, bytes, bytes, bytes | None]:
        """What is public: account, session and current mail key (without escrow); empty where there is none.

        Of an account that was deleted: only its public part, and the proof.
        """
        account = await self._standing(user)
        if account is not None and account.closing is not None:
            return account.public.encode(), b"", b"", account.private
        account = _living(account, user)
        session, mail_key = await self._values(user)
        return account.public.encode(), session or b"", self._last_key(mail_key), None

    def _last_key(self, mail_key: bytes | None) -> bytes:
        return b"" if mail_key is None else MailKeys.parse(mail_key, self._ring).current.without_escrow().encode()

    async def _standing(self, user: str) -> Account | None:
        value = (await self._replication.read(RegisterKey(account_identifier(user), KIND_ACCOUNT))).value
        return None if value is None else Account.parse(value, self._ring)

    async def _account(self, user: str) -> Account:
        return _living(await self._standing(user), user)

    async def _values(self, user: str) -> tuple[bytes | None, bytes | None]:
        """The session and mail key registers."""
        return await self._both(account_identifier(user), KIND_SESSION, KIND_MAILKEY)

    async def _both(self, point: Identifier, *kinds: int) -> tuple[bytes | None, bytes | None]:
        reads = [Deferred.fromCoroutine(self._replication.read(RegisterKey(point, kind))) for kind in kinds]
        found: list[tuple[bool, Any]] = await DeferredList(reads, consumeErrors=True)
        first, second = (each.value if done else each.raiseException() for done, each in found)
        return first, second

    # -- mail keys

    async def mail_keys(self, user: str) -> bytes:
        """The mail key register with its escrows, for its owner (the request was verified)."""
        value = (await self._replication.read(RegisterKey(account_identifier(user), KIND_MAILKEY))).value
        return value or b""

    async def write_mail_key(self, user: str, mail_key: bytes, operation: bytes) -> None:
        """The next value of the mail key register; it proves itself."""
        keys = MailKeys.parse(mail_key, self._ring)
        if keys.current.identity != (await self._account(user)).public.identity:
            raise Misbehaved("A mail key belongs to another identity than the account.")
        key = RegisterKey(account_identifier(user), KIND_MAILKEY)
        await self._replication.change(key, lambda old: followed(old, mail_key, mail_key_format, self._ring), operation)

    # -- sessions

    async def write_session(self, user: str, session: bytes, operation: bytes) -> None:
        """A login, or another gateway or address of a session; the gateway of the record before is told.

        Raises:
            SessionReplaced: a higher epoch stands.
            Conflict: another record stands where this one would; read again.
        """
        record = SessionRecord.parse(session, self._ring)
        if record.identity != (await self._account(user)).public.identity:
            raise Misbehaved("A session belongs to another identity than the account.")
        before: list[bytes | None] = [None]

        def decide(old: bytes | None) -> bytes:
            before[0] = old
            return session_followed(old, record, session_format, self._ring)

        point = account_identifier(user)
        await self._replication.change(RegisterKey(point, KIND_SESSION), decide, operation)
        self._sessions.put(point, record, self._clock.seconds())
        replaced = None if before[0] is None else SessionRecord.parse(before[0], self._ring)
        if replaced is not None and replaced.epoch < record.epoch:
            self.takeovers += bool(replaced.node)
            for gateway in {self._me, replaced.node or self._me}:
                Deferred.fromCoroutine(self._announce(gateway, user, session))

    async def _announce(self, gateway: Identifier, user: str, session: bytes) -> None:
        try:
            await self._call(gateway, AnnounceSession, user=user, session=session)
        except P2PChatError as error:
            self._log.info("the gateway of a replaced session was not told: {error}", error=str(error))

    def session_announced(self, user: str, session: bytes) -> None:
        """As gateway: another session stands for `user`; its agents judge the record themselves."""
        self.doubt(user)
        self._push(user, SessionChanged, user=user, session=session)

    # -- signed requests

    async def verify(
        self, user: str, epoch: int, sequence: int, counter: int, command: str, arguments: bytes, signature: bytes
    ) -> None:
        """Demand that the standing session of `user` asked exactly this.

        Raises:
            SessionReplaced: a higher session stands.
            NotLoggedIn: there is no such session (yet).
            Misbehaved: the signature is wrong.
        """
        point, now = account_identifier(user), self._clock.seconds()
        record = self._sessions.get(point, now)
        if record is None or record.epoch < epoch:
            record = await self._read_session(user, point)
        request = SignedRequest(user, epoch, sequence, counter, command, H(arguments), signature)
        request.verify(record, command, arguments)

    async def _read_session(self, user: str, point: Identifier) -> SessionRecord:
        value, account = await self._both(point, KIND_SESSION, KIND_ACCOUNT)
        if account_format.is_deleted(account, self._ring):
            raise NotLoggedIn(f"The account {user} was deleted.")
        if value is None:
            raise NotLoggedIn(f"{user} has no session. Log in first.")
        record = SessionRecord.parse(value, self._ring)
        self._sessions.put(point, record, self._clock.seconds())
        return record

    def standing(self, user: str) -> tuple[int, int]:
        """(epoch, sequence) of the session that is known here; (0, 0) if none is."""
        record = self._sessions.last(account_identifier(user))
        return (0, 0) if record is None else record.place

    def doubt(self, user: str) -> None:
        """A higher session may stand: read it again before the next use."""
        self._sessions.doubt(account_identifier(user))

    def _register_changed(self, key: RegisterKey, value: bytes | None) -> None:
        if key.kind == KIND_SESSION:
            self._sessions.doubt(key.point)
        elif key.kind == KIND_ACCOUNT and account_format.is_deleted(value, self._ring):
            self._sessions.doubt(key.point)
            Deferred.fromCoroutine(self._clear(key.point))

    async def _clear(self, point: Identifier) -> None:
        """A member here heard that an account was deleted: its mail goes as well."""
        try:
            gone = await self._replication.close(point)
            self._log.info("an account was deleted, and {gone} envelopes for it", gone=gone)
        except P2PChatError as error:
            self._log.info("the mail of a deleted account stays until it expires: {error}", error=str(error))


def _living(account: Account | None, user: str) -> Account:
    if account is None or account.closing is not None:
        raise UnknownUser(f"No account is called {user}. Check the spelling.")
    return account
