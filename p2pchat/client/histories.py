"""The history of whoever is logged in: a plain file of the home, or an encrypted one that only its owner opens.

With --encrypt-history a history begins encrypted, and a plain one is converted at the next login or start; it never
becomes plain again by itself.  Its key lies beside it, sealed for the account's identity (crypto/historykey.py), so it
is open as long as the identity is here: until `logout`, until the next home has taken everything over, or, with
--ask-password, until the agent ends.  After that it opens with the password.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from p2pchat.chat import encryption
from p2pchat.chat.stores import Stores
from p2pchat.chat.syncing import Disk
from p2pchat.client.entrance import InThread
from p2pchat.client.home import INPUTS, SEALED, Home
from p2pchat.crypto import credentials
from p2pchat.crypto.account import Account
from p2pchat.crypto.historykey import HISTORY_KEY_BYTES, HistoryKeyFile
from p2pchat.crypto.identity import Identity
from p2pchat.crypto.passwords import Stretched
from p2pchat.errors import Damaged, Misbehaved, UserError, WrongCredentials
from p2pchat.identifiers import account_identifier, name

PLAIN, KEYS = ".sqlite", ".key"


class Histories:
    """Opens the histories of one home.

    Args:
        encrypt: whether those that are plain, and new ones, are to be encrypted.
        ring: our ring's id.
        disk: how histories are made durable.
    """

    def __init__(
        self,
        home: Home,
        encrypt: bool,
        ring: Callable[[], bytes],
        in_thread: InThread,
        chance: Callable[[int], bytes],
        disk: Disk,
    ) -> None:
        if encrypt:
            encryption.library()
        self._home, self._encrypt, self._ring, self._disk = home, encrypt, ring, disk
        self._in_thread, self._chance = in_thread, chance
        self._known: tuple[str, bytes] | None = None

    def encrypted(self, user: str) -> bool:
        """Whether this person's history is an encrypted file."""
        return self._path(user, SEALED).exists()

    def open(self, user: str, identity: Identity | None) -> Stores | None:
        """The history, made or converted where that is due; None where it is encrypted and nothing here opens it.

        Args:
            identity: the account's, as long as it is in this home.
        """
        plain, sealed = self._path(user, PLAIN), self._path(user, SEALED)
        begins = not sealed.exists()
        if begins and (not self._encrypt or identity is None):
            return Stores.open(plain, disk=self._disk)
        key = self._key(user, identity)
        if key is None and not begins:
            if identity is None:
                return None
            raise self._damaged(user, "it opens for another identity, or is missing")
        if key is None:
            key = self._chance(HISTORY_KEY_BYTES)
        if identity is not None:
            self._write(user, self._read(user).sealed_for(identity, key, self._chance))
        self._known = (user, key)
        encryption.convert(plain, sealed, key, self._disk.sync)
        self._home.remove(INPUTS)
        return Stores.open(sealed, key, self._disk)

    async def prepare(self, identity: Identity, password: bytes) -> None:
        """Before a session of this identity goes out: see to it that the identity opens the history that lies here.

        It does not by itself where the identity was renewed in another home.

        Args:
            password: prepared.
        Raises:
            UserError: neither does the password.
        """
        user = identity.user
        if not self.encrypted(user) or self._read(user).opened_by(identity) is not None:
            return
        key = self._key(user, None)
        if key is None:
            try:
                key = await self._opened_by(user, password)
            except WrongCredentials:
                raise UserError(
                    f"The history of {user} in {self._home.path} is encrypted for an identity and a password that were"
                    " both changed elsewhere. Open it with the password of that time (p2pchat unlock) and log in then;"
                    f" or move {self._path(user, SEALED).name} away to begin with an empty history."
                ) from None
        self.adopt(identity, key)

    def adopt(self, identity: Identity, key: bytes | None = None) -> None:
        """A renewal of the identity begins: from now on either identity opens the history."""
        user = identity.user
        key = self._key(user, None) if key is None else key
        if key is not None and self.encrypted(user):
            self._write(user, self._read(user).sealed_for(identity, key, self._chance))

    def settle(self, identity: Identity, account: Account) -> None:
        """A session or a password stands: this identity alone opens the history, and so does this account's vault."""
        user = identity.user
        if self.encrypted(user) and (key := self._key(user, identity)) is not None:
            kept = HistoryKeyFile((), account.encode())
            self._write(user, kept.sealed_for(identity, key, self._chance))

    async def unlock(self, user: str, password: bytes) -> None:
        """Have the history opened by the password that this home saw last; no node is asked.

        Raises:
            WrongCredentials: it was another one.
        """
        self._known = (user, await self._opened_by(user, password))

    def forget(self) -> None:
        """Nobody is logged in any more."""
        self._known = None

    def set_aside(self, user: str, day: str) -> Path:
        """The account was deleted: who has the name next does not go on with its history.  The file that is kept."""
        ends = [end for end in (PLAIN, SEALED, KEYS) if self._path(user, end).exists()]
        for end in ends:
            self._path(user, end).replace(self._aside(user, day, end))
        return self._aside(user, day, SEALED if SEALED in ends else PLAIN)

    def _aside(self, user: str, day: str, end: str) -> Path:
        return self._home.path / f"deleted-{name(account_identifier(user))}-{day}{end}"

    async def _opened_by(self, user: str, password: bytes) -> bytes:
        kept = self._read(user)
        if not kept.account:
            raise WrongCredentials(f"No password opens the history of {user} here; log in: p2pchat login {user}")
        try:
            account = Account.parse(kept.account, self._ring())
            found = account.credentials
            found.parameters.check()
            stretched: Stretched = await self._in_thread(
                Stretched.stretch, password, user, self._ring(), found.salt, found.parameters
            )
            secrets = await self._in_thread(credentials.log_in, account, stretched)
            key = kept.opened_by(secrets.identity)
        except Misbehaved as error:
            raise self._damaged(user, error) from error
        if key is None:
            raise self._damaged(user, "it has no box for the identity in its vault")
        return key

    def _key(self, user: str, identity: Identity | None) -> bytes | None:
        if self._known is not None and self._known[0] == user:
            return self._known[1]
        try:
            return self._read(user).opened_by(identity) if identity is not None else None
        except Misbehaved as error:
            raise self._damaged(user, error) from error

    def _read(self, user: str) -> HistoryKeyFile:
        content = self._home.read(self._path(user, KEYS).name)
        try:
            return HistoryKeyFile() if content is None else HistoryKeyFile.parse(content)
        except Misbehaved as error:
            raise self._damaged(user, error) from error

    def _write(self, user: str, kept: HistoryKeyFile) -> None:
        if kept != self._read(user):
            self._home.write(self._path(user, KEYS).name, kept.encode())

    def _path(self, user: str, end: str) -> Path:
        return self._home.path / f"chat-{name(account_identifier(user))}{end}"

    def _damaged(self, user: str, why: Any) -> Damaged:
        return Damaged(f"{self._path(user, KEYS)} is not what p2pchat wrote ({why}). Put a backup in its place.")
