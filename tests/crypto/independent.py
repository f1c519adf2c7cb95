"""A second opener, written from docs/protocol.md alone: it shares no code with p2pchat and yields every intermediate.

Whatever it meets that is not as written raises ValueError, InvalidTag or InvalidSignature.
"""

import hashlib
import struct

from cryptography.hazmat.primitives import hashes, hmac, hpke
from cryptography.hazmat.primitives.asymmetric import ed25519, mlkem, padding, rsa, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key

SHA = hashes.SHA256()


def sha(octets: bytes) -> bytes:
    return hashlib.sha256(octets).digest()


def tag(label: str, *fields: bytes) -> bytes:
    """T(label, fields…), the ring being the first of the fields."""
    return b"".join(struct.pack(">I", len(each)) + each for each in (b"p2pchat/1 " + label.encode(), *fields))


def cut(octets: bytes) -> list[bytes]:
    fields = []
    while octets:
        (length,) = struct.unpack(">I", octets[:4].ljust(4))
        if length > len(octets) - 4:
            raise ValueError("field beyond the end")
        fields.append(octets[4 : 4 + length])
        octets = octets[4 + length :]
    return fields


def mac(key: bytes, octets: bytes) -> bytes:
    keyed = hmac.HMAC(key, SHA)
    keyed.update(octets)
    return keyed.finalize()


def hkdf32(secret: bytes, salt: bytes, info: bytes) -> bytes:
    """RFC 5869 with one block of output."""
    return mac(mac(salt, secret), info + b"\x01")


def strip(padded: bytes) -> bytes:
    plain = padded.rstrip(b"\x00")
    if plain[-1:] != b"\x80":
        raise ValueError("padding")
    return plain[:-1]


def fingerprint(ring: bytes, user: bytes, spki_sign: bytes, spki_seal: bytes) -> bytes:
    return sha(tag("identity", ring, user, spki_sign, spki_seal))


def open_header(
    header: bytes,
    *,
    ring: bytes,
    me: bytes,
    my_fingerprint: bytes,
    pkcs8_seal: bytes,
    hybrid: bytes,
    key_id: bytes,
    sender_spki: bytes,
) -> dict[str, bytes]:
    """Every intermediate of a header, its statement verified with the sender's RSA key."""
    if len(header) != 2610 or header[0] != 1 or header[2:18] != key_id:
        raise ValueError("header")
    kind, c1, c2, st = header[1:2], header[18:1186], header[1186:1570], header[1570:]
    c = tag("seal", ring, kind, me, my_fingerprint, key_id)
    lattice = mlkem.MLKEM768PrivateKey.from_seed_bytes(hybrid[:64])
    curve = x25519.X25519PrivateKey.from_private_bytes(hybrid[64:])
    suite = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
    s1 = suite.decrypt(c1, hpke.MLKEM768X25519PrivateKey(lattice, curve), info=sha(tag("kem", ring, c, c2)))
    rsa_key = load_der_private_key(pkcs8_seal, None)
    if not isinstance(rsa_key, rsa.RSAPrivateKey):
        raise ValueError("key")
    s2 = rsa_key.decrypt(c2, padding.OAEP(padding.MGF1(SHA), SHA, label=sha(c)))
    x = sha(tag("transcript", ring, c, c1, c2))
    root = hkdf32(s1 + s2, x, tag("root", ring))
    boxed = AESGCM(hkdf32(root, x, tag("statement key", ring))).decrypt(bytes(12), st, x)
    p, signature = cut(strip(boxed))
    says = cut(p)
    if (
        says[:2] != [b"p2pchat/1 sender", ring]
        or says[6:11] != [me, my_fingerprint, kind, key_id, x]
        or len(says) != 12
    ):
        raise ValueError("statement")
    sender = load_der_public_key(sender_spki)
    if not isinstance(sender, rsa.RSAPublicKey):
        raise ValueError("key")
    sender.verify(signature, p, padding.PSS(padding.MGF1(SHA), 32), SHA)
    return {"C": c, "c1": c1, "c2": c2, "s1": s1, "s2": s2, "X": x, "root": root, "P": p, "spk": says[11]}


def open_message(message: bytes, ring: bytes, parts: dict[str, bytes]) -> dict[str, bytes]:
    """r, the message's key, and F, its signature verified."""
    fresh, x = message[:32], parts["X"]
    key = hkdf32(parts["root"], fresh, tag("message key", ring, x))
    padded = AESGCM(key).decrypt(bytes(12), message[32:], x)
    plain = strip(padded)
    n = len(plain) + 1
    unit = max(256, 2 ** (n.bit_length() - 1 - 2))
    if len(padded) % unit or len(padded) - n >= unit:
        raise ValueError("padding")
    (f,) = cut(plain[:-64])
    verifier = ed25519.Ed25519PublicKey.from_public_bytes(parts["spk"])
    verifier.verify(plain[-64:], tag("message", ring, x, fresh, f))
    return {"r": fresh, "message key": key, "F": f}
