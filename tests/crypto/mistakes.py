"""Mistakes that somebody could make in the construction, each as what stands instead of the right function."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from p2pchat.client.directory import Directory, Person
from p2pchat.client.keyring import Keyring
from p2pchat.crypto import (
    account,
    certificates,
    encoding,
    envelope,
    sealing,
    succession,
)
from p2pchat.crypto.envelope import SenderStatement
from p2pchat.crypto.identity import Identity, PublicIdentity
from p2pchat.crypto.noderecord import NodeRecord
from p2pchat.crypto.opening import OpeningFailed
from p2pchat.crypto.primitives import GCM_TAG_BYTES
from p2pchat.errors import CannotOpen
from tests.crypto.keys import identity

kem_info, root_key, transcript, parse_statement = (
    envelope.kem_info,
    envelope.root_key,
    envelope.transcript,
    SenderStatement.parse,
)
unseal = Identity.unseal


def nothing(*_: Any, **__: Any) -> None:
    """A check that checks nothing."""


def rsa_is_left_out(ring: bytes, s1: bytes, _s2: bytes, x: bytes) -> bytes:
    return root_key(ring, s1, bytes(32), x)


def what_does_not_open_is_zeros(self: Identity, sealed: bytes, label: bytes) -> bytes:
    try:
        return unseal(self, sealed, label)
    except CannotOpen:
        return bytes(32)


def rsa_part_is_not_bound(ring: bytes, c: bytes, c1: bytes, _c2: bytes) -> bytes:
    return transcript(ring, c, c1, b"")


class Anything(bytes):
    """Bytes that are equal to all others."""

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    def __hash__(self) -> int:
        return 0


def any_(*fields: str) -> Callable[[bytes, bytes], SenderStatement]:
    """A statement of which some fields are not compared."""

    def parse(encoded: bytes, ring: bytes) -> SenderStatement:
        said = parse_statement(encoded, ring)
        changed: dict[str, Any] = {each: Anything(str(getattr(said, each)).encode()) for each in fields}
        return replace(said, **changed)

    return parse


def always_the_same(size: int) -> bytes:
    return bytes(size)


def without_fresh_bytes(self: sealing.Sealer, *arguments: Any, **named: Any) -> None:
    sealer_begins(self, *arguments, **named)
    self._chance = always_the_same


sealer_begins = sealing.Sealer.__init__


def keys_stay(self: Keyring, key_ids: set[bytes]) -> list[bytes]:
    return [each.key_id for each in self.keys.mail if each.key_id not in key_ids]


def any_clock(known: Any, links: Any, now_ms: int | None) -> None:
    if now_ms is not None:
        succession.check_reopened(known, links, now_ms)


def any_end(padded: bytes, to: int | None = None) -> bytes:
    return padded.rpartition(b"\x80")[0]


def yes(*_: Any, **__: Any) -> bool:
    return True


def no(*_: Any, **__: Any) -> bool:
    return False


def hybrid_without_rsa_part(ring: bytes, c: bytes, _c2: bytes) -> bytes:
    return kem_info(ring, c, b"")


def context_of_bob(_own: PublicIdentity, kind: envelope.Kind, key_id: bytes) -> bytes:
    return envelope.context(identity("bob").public, kind, key_id)


def unauthenticated(key: bytes, nonce: bytes, sealed: bytes, _aad: bytes) -> bytes:
    """AES-GCM without its tag."""
    plain = Cipher(algorithms.AES(key), modes.CTR(nonce + b"\0\0\0\2")).decryptor()
    return plain.update(sealed[:-GCM_TAG_BYTES])


def tells_the_step(self: OpeningFailed, step: Any, reason: str, newer: bool = False) -> None:
    CannotOpen.__init__(self, reason)
    self.step, self.reason, self.newer = step, reason, newer


def digest_of_everything(self: account.AccountPublic) -> bytes:
    return encoding.H(self.encode())


def of_any_role(self: NodeRecord, root: certificates.Certificate, now: float) -> None:
    certificates.verify_chain(self.certificate, self.issuer, root, now)


def written_over(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def believed(_self: Directory, person: Person) -> Person:
    return person
