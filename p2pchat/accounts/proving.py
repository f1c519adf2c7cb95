"""Proof of a password or recovery key: wrong tries are counted by the owner first, bcrypt runs beside the reactor."""

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from p2pchat.accounts.commands import BY_PASSWORD, BY_RECOVERY, CountTry, ForgiveTries
from p2pchat.accounts.limits import Tries
from p2pchat.crypto.account import Credentials
from p2pchat.errors import Busy, Misbehaved, P2PChatError, SlowedDown, WrongCredentials
from p2pchat.identifiers import Identifier, account_identifier
from p2pchat.wire.connection import Call

MAX_HASHES = 64
"""Passwords that wait for bcrypt at one node."""
RunInThread = Callable[..., Awaitable[Any]]


class Proving:
    """Checks proofs for agents of this gateway; counts tries for accounts that this node owns.

    Args:
        owner_of: the owner of an account as this node sees the ring; None while there is none.
        run_in_thread: runs a slow function beside the reactor; what it returns is awaited.
    """

    _log = Logger()

    def __init__(
        self,
        me: Identifier,
        call: Call,
        owner_of: Callable[[Identifier], Identifier | None],
        run_in_thread: RunInThread,
        clock: IReactorTime,
    ) -> None:
        self._me, self._call, self._owner_of, self._clock = me, call, owner_of, clock
        self._run_in_thread = run_in_thread
        self._tries = Tries()
        self._hashing = 0

    async def prove(self, user: str, credentials: Credentials, proof: bytes, by: str) -> None:
        """Return if `proof` is right.

        Raises:
            WrongCredentials: it is wrong.  SlowedDown: five were; the text names the seconds.
            Busy: too many passwords are being checked here.
        """
        if by not in (BY_PASSWORD, BY_RECOVERY):
            raise Misbehaved("A proof is neither by password nor by recovery key.")
        point = account_identifier(user)
        counted_by = await self._count(point)
        if by == BY_RECOVERY:
            right = credentials.proven_by_recovery(proof)
        else:
            right = await self._hashed(credentials.proven_by, proof)
        if not right:
            wrong = "recovery key" if by == BY_RECOVERY else "password"
            raise WrongCredentials(f"The {wrong} is wrong. Check the user name as well.")
        Deferred.fromCoroutine(self._forgive(counted_by, point))

    def count_try(self, account: Identifier) -> None:
        """As owner: a try begins; SlowedDown after five wrong ones."""
        self._tries.count(account, self._clock.seconds())

    def forgive_tries(self, account: Identifier) -> None:
        """As owner: the password was right."""
        self._tries.forgive(account)

    async def _hashed(self, check: Callable[[bytes], bool], proof: bytes) -> bool:
        if self._hashing >= MAX_HASHES:
            raise Busy("This node checks too many passwords at once. Try again in a few seconds.")
        self._hashing += 1
        try:
            return bool(await self._run_in_thread(check, proof))
        finally:
            self._hashing -= 1

    async def _count(self, point: Identifier) -> Identifier:
        """Ask the owner; where it does not answer, this node counts, so that logins go on."""
        owner = self._owner_of(point)
        if owner is not None and owner != self._me:
            try:
                await self._call(owner, CountTry, account=point)
                return owner
            except SlowedDown:
                raise
            except P2PChatError as error:
                self._log.info("an owner does not count wrong passwords: {error}", error=str(error))
        self.count_try(point)
        return self._me

    async def _forgive(self, counted_by: Identifier, point: Identifier) -> None:
        if counted_by == self._me:
            self.forgive_tries(point)
            return
        try:
            await self._call(counted_by, ForgiveTries, account=point)
        except P2PChatError as error:
            self._log.info("an owner still counts a right password: {error}", error=str(error))
