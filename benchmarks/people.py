"""Prepared accounts: valid signed records of real sizes, from a few key pairs under many names."""

import secrets
from dataclasses import replace

from p2pchat.crypto.account import Account, Credentials
from p2pchat.crypto.identity import Identity
from p2pchat.crypto.passwords import AUTH_BYTES, PARAMETERS, SALT_BYTES, make_verifier
from p2pchat.crypto.primitives import HYBRID_PUBLIC_BYTES
from p2pchat.identifiers import account_identifier
from p2pchat.replication.slots import KIND_ACCOUNT, RegisterKey
from p2pchat.replication.uset import Item

PAIRS = 2
CHEAPEST_BCRYPT = 4
VAULT_BYTES = 4_000
BOX_BYTES = 1_300
MESSAGE_BYTES = 2_000


def a_verifier() -> bytes:
    """Of no password, at the lowest cost."""
    return make_verifier(secrets.token_bytes(AUTH_BYTES), CHEAPEST_BCRYPT)


def noise(user: str, verifier: bytes, escrow: bytes) -> Credentials:
    """The private part of an account, of its real size: vault and recovery box are noise, so nobody can log in."""
    return Credentials(
        user,
        secrets.token_bytes(SALT_BYTES),
        PARAMETERS,
        verifier,
        secrets.token_bytes(VAULT_BYTES),
        escrow,
        secrets.token_bytes(HYBRID_PUBLIC_BYTES),
        secrets.token_bytes(BOX_BYTES),
        secrets.token_bytes(32),
    )


class People:
    """Accounts of one ring, by number; nobody can log in to them."""

    def __init__(self, ring: bytes) -> None:
        self._ring = ring
        self._identities = [Identity.generate("nobody", ring) for _ in range(PAIRS)]
        self._verifier = a_verifier()

    def key(self, number: int) -> RegisterKey:
        """Where an account lies."""
        return RegisterKey(account_identifier(f"person{number}"), KIND_ACCOUNT)

    def account(self, number: int) -> bytes:
        """The signed value of the account's register."""
        user, identity = f"person{number}", self._identities[number % PAIRS]
        private = noise(user, self._verifier, secrets.token_bytes(HYBRID_PUBLIC_BYTES))
        named = replace(identity, public=replace(identity.public, user=user))
        return Account.create(named, private.encode(self._ring)).encode()

    def messages(self, count: int) -> list[Item]:
        """New ones, each of the size of a short text's envelope."""
        return [Item(secrets.token_bytes(32), secrets.token_bytes(MESSAGE_BYTES)) for _ in range(count)]
