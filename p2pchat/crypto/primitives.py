"""RSA, hybrid KEM, HKDF, AES-GCM and Ed25519 in the one form in which p2pchat uses each.

Keys travel as bytes: SPKI and PKCS8 in DER for RSA, raw for Ed25519 (32) and for the hybrid KEM (private = 64-byte
ML-KEM-768 seed ‖ 32 X25519; public = 1,184 ‖ 32).  A failed opening is `CannotOpen`, a wrong signature `Misbehaved`.
"""

import math
import os
from collections.abc import Callable
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, hpke, serialization
from cryptography.hazmat.primitives.asymmetric import mlkem, padding, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from p2pchat.errors import CannotOpen, Misbehaved

Chance = Callable[[int], bytes]
"""Gives so many random bytes; os.urandom outside of tests."""

RSA_BITS = 3072
RSA_EXPONENT = 65537
RSA_BYTES = RSA_BITS // 8
SIGNATURE_BYTES = 64
ED25519_BYTES = 32
HYBRID_SEED_BYTES = 64
HYBRID_PRIVATE_BYTES = HYBRID_SEED_BYTES + 32
HYBRID_PUBLIC_BYTES = 1184 + 32
HPKE_OVERHEAD_BYTES = 1120 + 16
GCM_NONCE_BYTES = 12
GCM_TAG_BYTES = 16
KNOWN_RSA_KEYS = 256

_SUITE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
_PSS = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)


def kdf(secret: bytes, salt: bytes | None, info: bytes, length: int) -> bytes:
    """KDF(ikm, salt, info, n): HKDF-SHA256, extract and expand."""
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=salt, info=info).derive(secret)


def generate_rsa() -> bytes:
    """A new RSA-3072 private key as PKCS8 DER.  Takes up to seconds: not on the reactor's thread."""
    return pkcs8(rsa.generate_private_key(public_exponent=RSA_EXPONENT, key_size=RSA_BITS))


def pkcs8(key: rsa.RSAPrivateKey | Ed25519PrivateKey) -> bytes:
    """The private key as PKCS8 DER, unencrypted."""
    return key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def spki(key: rsa.RSAPublicKey | Ed25519PublicKey) -> bytes:
    """The public key as SubjectPublicKeyInfo DER."""
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


@lru_cache(maxsize=KNOWN_RSA_KEYS)
def rsa_public(encoded: bytes) -> rsa.RSAPublicKey:
    """The RSA public key in an SPKI; refuses other sizes than 3,072 bits, other exponents and other encodings."""
    try:
        key = serialization.load_der_public_key(encoded)
    except Exception:  # the parser's errors are many (ValueError, UnsupportedAlgorithm, …) and mean one thing
        raise Misbehaved("A public key cannot be read.") from None
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size != RSA_BITS:
        raise Misbehaved(f"A public key is not RSA with {RSA_BITS} bits.")
    if key.public_numbers().e != RSA_EXPONENT or spki(key) != encoded:
        raise Misbehaved(f"An RSA key has another exponent than {RSA_EXPONENT} or a strange encoding.")
    return key


def rsa_private(encoded: bytes) -> rsa.RSAPrivateKey:
    """The RSA private key in a PKCS8, of the one accepted form.

    OpenSSL would test the primes anew, 200 ms for each key.  Private keys come from our own home or out of our own
    vault, so it is enough that their numbers belong together.
    """
    try:
        key = serialization.load_der_private_key(encoded, password=None, unsafe_skip_rsa_key_validation=True)
    except Exception:  # as in rsa_public
        raise Misbehaved("A private key cannot be read.") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise Misbehaved("A private key is not RSA.")
    rsa_public(spki(key.public_key()))
    if not _belong_together(key.private_numbers()):
        raise Misbehaved("The numbers of an RSA key do not belong together.")
    return key


def _belong_together(found: rsa.RSAPrivateNumbers) -> bool:
    p, q = found.p, found.q
    return (
        p > 1
        and q > 1
        and p * q == found.public_numbers.n
        and found.d * RSA_EXPONENT % math.lcm(p - 1, q - 1) == 1
        and (found.dmp1, found.dmq1) == (found.d % (p - 1), found.d % (q - 1))
        and found.iqmp * q % p == 1
    )


def pss_sign(key: rsa.RSAPrivateKey, statement: bytes) -> bytes:
    """RSA-PSS, 384 bytes."""
    return key.sign(statement, _PSS, hashes.SHA256())


def pss_verify(signer: bytes, signature: bytes, statement: bytes) -> None:
    """Demand that `signature` was made over `statement` by the RSA key of the SPKI `signer`."""
    try:
        rsa_public(signer).verify(signature, statement, _PSS, hashes.SHA256())
    except InvalidSignature:
        raise Misbehaved("A signature does not fit its record.") from None


def _oaep(label: bytes) -> padding.OAEP:
    return padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=label)


def oaep_seal(recipient: bytes, plain: bytes, label: bytes) -> bytes:
    """RSA-OAEP to the SPKI `recipient`, 384 bytes."""
    return rsa_public(recipient).encrypt(plain, _oaep(label))


def oaep_open(key: rsa.RSAPrivateKey, sealed: bytes, label: bytes) -> bytes:
    """Undo `oaep_seal`."""
    try:
        return key.decrypt(sealed, _oaep(label))
    except ValueError:
        raise CannotOpen("The RSA part does not open.") from None


def hybrid_generate(chance: Chance = os.urandom) -> bytes:
    """A new private key of the hybrid KEM, 96 bytes."""
    return chance(HYBRID_PRIVATE_BYTES)


def _hybrid(private: bytes) -> tuple[mlkem.MLKEM768PrivateKey, x25519.X25519PrivateKey]:
    if len(private) != HYBRID_PRIVATE_BYTES:
        raise Misbehaved(f"A hybrid private key has {HYBRID_PRIVATE_BYTES} bytes, not {len(private)}.")
    seed, scalar = private[:HYBRID_SEED_BYTES], private[HYBRID_SEED_BYTES:]
    return mlkem.MLKEM768PrivateKey.from_seed_bytes(seed), x25519.X25519PrivateKey.from_private_bytes(scalar)


def hybrid_public(private: bytes) -> bytes:
    """The 1,216-byte public half of a 96-byte private key."""
    lattice, curve = _hybrid(private)
    return lattice.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw()


def hpke_seal(recipient: bytes, plain: bytes, info: bytes) -> bytes:
    """HPKE base mode, one shot, to a 1,216-byte public key; 1,136 bytes longer than `plain`."""
    if len(recipient) != HYBRID_PUBLIC_BYTES:
        raise Misbehaved(f"A hybrid public key has {HYBRID_PUBLIC_BYTES} bytes, not {len(recipient)}.")
    try:
        lattice = mlkem.MLKEM768PublicKey.from_public_bytes(recipient[:-32])
        curve = x25519.X25519PublicKey.from_public_bytes(recipient[-32:])
        return _SUITE.encrypt(plain, hpke.MLKEM768X25519PublicKey(lattice, curve), info=info)
    except (ValueError, InvalidTag):
        raise Misbehaved("A hybrid public key cannot be used.") from None


def hpke_open(private: bytes, sealed: bytes, info: bytes) -> bytes:
    """Undo `hpke_seal` with the 96-byte private key."""
    key = hpke.MLKEM768X25519PrivateKey(*_hybrid(private))
    try:
        return _SUITE.decrypt(sealed, key, info=info)
    except (ValueError, InvalidTag):
        raise CannotOpen("The hybrid part does not open.") from None


def gcm_seal(key: bytes, nonce: bytes, plain: bytes, aad: bytes) -> bytes:
    """AES-256-GCM; 16 bytes longer than `plain`."""
    return AESGCM(key).encrypt(nonce, plain, aad)


def gcm_open(key: bytes, nonce: bytes, sealed: bytes, aad: bytes) -> bytes:
    """Undo `gcm_seal`."""
    try:
        return AESGCM(key).decrypt(nonce, sealed, aad)
    except (ValueError, InvalidTag):
        raise CannotOpen("A box does not open.") from None


def ed25519_generate(chance: Chance = os.urandom) -> Ed25519PrivateKey:
    """A new Ed25519 key."""
    return Ed25519PrivateKey.from_private_bytes(chance(ED25519_BYTES))


def ed25519_public(signer: bytes) -> Ed25519PublicKey:
    """The public key in 32 raw bytes."""
    try:
        return Ed25519PublicKey.from_public_bytes(signer)
    except ValueError:
        raise Misbehaved("An Ed25519 key cannot be read.") from None


def verify(signer: Ed25519PublicKey, signature: bytes, statement: bytes) -> None:
    """Demand that `signature` was made over `statement` by `signer`."""
    try:
        signer.verify(signature, statement)
    except (InvalidSignature, ValueError):
        raise Misbehaved("A signature does not fit its record.") from None


def ed25519_verify(signer: bytes, signature: bytes, statement: bytes) -> None:
    """Demand that `signature` was made over `statement` by the raw 32-byte Ed25519 key `signer`."""
    verify(ed25519_public(signer), signature, statement)
