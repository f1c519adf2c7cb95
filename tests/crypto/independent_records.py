"""A second reader of records, written from docs/protocol.md alone: it shares no code with p2pchat.

Accounts, vaults, sessions, mail keys, renewals, certificates and evictions.  Whatever it meets that is not as written
raises ValueError, InvalidTag, InvalidSignature or UnsupportedAlgorithm.
"""

import base64
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import ed25519, mlkem, padding, rsa, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from tests.crypto.independent import SHA, cut, fingerprint, sha, tag

SUITE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
ZERO = bytes(32)
ROLE, RING = "2.25.202611290226001.1", "2.25.202611290226001.2"
CREDENTIALS = (
    *("user", "salt", "kib", "passes", "lanes", "verifier", "vault", "escrow public", "recovery public"),
    *("recovery box", "recovery auth hash"),
)


def fields_of(statement: bytes, label: str, ring: bytes, *counts: int) -> list[bytes]:
    """The fields of T(label, …) after the ring."""
    found = cut(statement)
    if found[:2] != [b"p2pchat/1 " + label.encode(), ring] or len(found) - 2 not in counts:
        raise ValueError(label)
    return found[2:]


def derive(secret: bytes, info: bytes, size: int = 32) -> bytes:
    """HKDF without a salt."""
    return HKDF(SHA, size, None, info).derive(secret)


def pss(spki: bytes, signature: bytes, statement: bytes) -> None:
    key = load_der_public_key(spki)
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size != 3072 or key.public_numbers().e != 65537:
        raise ValueError("key")
    key.verify(signature, statement, padding.PSS(padding.MGF1(SHA), 32), SHA)


def ed(public: bytes, signature: bytes, statement: bytes) -> None:
    ed25519.Ed25519PublicKey.from_public_bytes(public).verify(signature, statement)


def hybrid(private: bytes) -> hpke.MLKEM768X25519PrivateKey:
    lattice = mlkem.MLKEM768PrivateKey.from_seed_bytes(private[:64])
    return hpke.MLKEM768X25519PrivateKey(lattice, x25519.X25519PrivateKey.from_private_bytes(private[64:]))


def hybrid_public(private: bytes) -> bytes:
    lattice = mlkem.MLKEM768PrivateKey.from_seed_bytes(private[:64]).public_key().public_bytes_raw()
    return lattice + x25519.X25519PrivateKey.from_private_bytes(private[64:]).public_key().public_bytes_raw()


def renewals(encoded: bytes, ring: bytes, user: bytes, fp: bytes) -> list[tuple[bytes, int]]:
    """(fp_before, version) of each renewal or end of an account, the oldest first; they lead to `fp`."""
    found: list[tuple[bytes, int]] = []
    after = fp
    for each in reversed(cut(encoded)):
        if cut(cut(each)[0])[0] == b"p2pchat/1 closing":
            before, version, _ = closing(each, ring, user)
        else:
            statement, signature, sign, seal = cut(each)
            who, before, named, counted = fields_of(statement, "succession", ring, 4)
            if who != user or named != after or before != fingerprint(ring, user, sign, seal):
                raise ValueError("renewal")
            pss(sign, signature, statement)
            version = int.from_bytes(counted, "big")
        if before == after:
            raise ValueError("renewal")
        found.insert(0, (before, version))
        after = before
    if sorted(found, key=lambda each: each[1]) != found or len(found) > 3:
        raise ValueError("order of renewals")
    return found


def closing(encoded: bytes, ring: bytes, user: bytes) -> tuple[bytes, int, int]:
    """(fp, version, time) of the end of an account."""
    statement, signature, sign, seal = cut(encoded)
    who, fp, version, time = fields_of(statement, "closing", ring, 4)
    if who != user or fp != fingerprint(ring, user, sign, seal):
        raise ValueError("closing")
    pss(sign, signature, statement)
    return fp, int.from_bytes(version, "big"), int.from_bytes(time, "big")


def account(register: bytes, ring: bytes) -> dict[str, Any]:
    """Everything that stands in an account register."""
    signed, private = cut(register)
    public, signature = signed[:-384], signed[-384:]
    user, version, prev, sign, seal, hashed, *more = fields_of(public, "account", ring, 6, 7)
    pss(sign, signature, public)
    number, fp = int.from_bytes(version, "big"), fingerprint(ring, user, sign, seal)
    if hashed != sha(private) or (number == 1) != (prev == ZERO):
        raise ValueError("account")
    led = renewals(more[0], ring, user, fp) if more else []
    found = {"user": user, "version": number, "prev": prev, "fp": fp, "digest": sha(public), "renewals": led}
    if len(cut(private)) == 4:
        ends, last, time = closing(private, ring, user)
        if (ends, last) != (fp, number):
            raise ValueError("closing")
        return found | {"deleted": time}
    return found | dict(zip(CREDENTIALS, fields_of(private, "credentials", ring, 11), strict=True))


def stretched(password: bytes, found: dict[str, Any], ring: bytes) -> bytes:
    """K, at the account's price."""
    kib, passes, lanes = (int.from_bytes(found[each], "big") for each in ("kib", "passes", "lanes"))
    salt = sha(tag("salt", ring, found["user"], found["salt"]))
    return Argon2id(salt=salt, length=32, iterations=passes, lanes=lanes, memory_cost=kib).derive(password)


def vault(found: dict[str, Any], k: bytes, ring: bytes) -> list[bytes]:
    """PKCS8_sign, PKCS8_seal and the escrow key, by the stretched password."""
    user, version, box = found["user"], found["version"].to_bytes(8, "big"), found["vault"]
    if derive(k, tag("vault check", ring, user)) != box[:32]:
        raise ValueError("password")
    aad = tag("vault box", ring, user, version)
    v = AESGCM(derive(k, tag("vault key", ring, user))).decrypt(box[32:44], box[44:], aad)
    return secrets_of(v, found, ring)


def recovered(found: dict[str, Any], printed: str, ring: bytes) -> list[bytes]:
    """The same by the recovery key."""
    spelled = base64.b32decode(printed.replace("-", ""))
    secret, user = spelled[:32], found["user"]
    if spelled[32:] != sha(b"p2pchat recovery key" + secret)[:3]:
        raise ValueError("checksum")
    if sha(derive(secret, tag("recovery auth", ring, user))) != found["recovery auth hash"]:
        raise ValueError("another recovery key")
    private = derive(secret, tag("recovery key", ring, user), 96)
    if hybrid_public(private) != found["recovery public"]:
        raise ValueError("recovery public")
    info = sha(tag("recovery box", ring, user, found["version"].to_bytes(8, "big")))
    return secrets_of(SUITE.decrypt(found["recovery box"], hybrid(private), info=info), found, ring)


def secrets_of(v: bytes, found: dict[str, Any], ring: bytes) -> list[bytes]:
    user, version, *keys = fields_of(v, "vault", ring, 5)
    if user != found["user"] or int.from_bytes(version, "big") != found["version"]:
        raise ValueError("vault")
    if hybrid_public(keys[2]) != found["escrow public"]:
        raise ValueError("escrow")
    return keys


def session(register: bytes, ring: bytes) -> dict[str, Any]:
    """A session record, verified by both its keys."""
    body, signature, possession, sign, seal, *more = cut(register)
    user, fp, epoch, sequence, prev, public, node, box, time = fields_of(body, "session", ring, 9)
    if fp != fingerprint(ring, user, sign, seal) or len(more) > 1:
        raise ValueError("session")
    pss(sign, signature, body)
    ed(public, possession, body)
    return {
        "user": user,
        "fp": fp,
        "public": public,
        "prev": prev,
        "digest": sha(body),
        "node": node,
        "box": box,
        "place": (int.from_bytes(epoch, "big"), int.from_bytes(sequence, "big")),
        "time": int.from_bytes(time, "big"),
        "renewals": renewals(more[0], ring, user, fp) if more else [],
    }


def addresses(found: dict[str, Any], capability: bytes, ring: bytes) -> list[str]:
    """What the address box holds for who has the capability."""
    key = derive(capability, tag("addresses", ring, found["user"]))
    place = (each.to_bytes(8, "big") for each in found["place"])
    aad, box = tag("address box", ring, found["user"], *place), found["box"]
    (listed,) = cut(AESGCM(key).decrypt(box[:12], box[12:], aad))
    return [each.decode() for each in cut(listed)]


def mail_keys(register: bytes, ring: bytes) -> dict[str, Any]:
    """Current and draining key, and the renewals that lead from one to the other."""
    first, second, *more = cut(register)
    current, draining = _mail_key(first, ring), _mail_key(second, ring) if second else None
    led = renewals(more[0], ring, current["user"], current["fp"]) if more else []
    if draining is not None:
        known = {current["fp"], *(before for before, _ in led)}
        if draining["fp"] not in known or draining["number"] + 1 != current["number"]:
            raise ValueError("draining")
    return {"current": current, "draining": draining, "renewals": led}


def _mail_key(record: bytes, ring: bytes) -> dict[str, Any]:
    body, signature, sign, seal, escrow = cut(record)
    user, fp, epoch, number, public, hashed = fields_of(body, "mail key", ring, 6)
    if fp != fingerprint(ring, user, sign, seal) or hashed != sha(escrow) or len(public) != 1216:
        raise ValueError("mail key")
    pss(sign, signature, body)
    found = {"user": user, "fp": fp, "public": public, "escrow": escrow, "key id": sha(body)[:16]}
    return found | {"epoch": int.from_bytes(epoch, "big"), "number": int.from_bytes(number, "big")}


def from_escrow(found: dict[str, Any], escrow_private: bytes, ring: bytes) -> bytes:
    """The private half of a mail key."""
    number = found["number"].to_bytes(8, "big")
    info = sha(tag("escrow", ring, found["user"], found["fp"], number, found["public"]))
    private = SUITE.decrypt(found["escrow"], hybrid(escrow_private), info=info)
    if hybrid_public(private) != found["public"]:
        raise ValueError("escrow")
    return private


def certificate(der: bytes) -> dict[str, Any]:
    """What a certificate of a ring says about its holder."""
    read = x509.load_der_x509_certificate(der)
    oids = {each.oid.dotted_string: each.value for each in read.extensions}
    if not {ROLE, RING} <= set(oids):
        raise ValueError("extensions")
    role, ring = (oids[each].public_bytes()[2:] for each in (ROLE, RING))
    spki = read.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    serial = read.serial_number.to_bytes(20, "big")
    return {"role": role, "ring": ring, "serial": serial, "spki": spki, "key": spki[-32:], "read": read}


def issued(der: bytes, issuer: bytes, role: bytes) -> dict[str, Any]:
    """The same, signed by `issuer`."""
    found, signer = certificate(der), certificate(issuer)
    found["read"].verify_directly_issued_by(signer["read"])
    if found["role"] != role or found["ring"] != signer["ring"]:
        raise ValueError("certificate")
    return found


def evictions(encoded: bytes, root: bytes) -> dict[str, Any]:
    """The list's number and its (role, serial)s, proven by the root or by an admitter with the root's list."""
    statement, signature, signer, inner = cut(encoded)
    ring, by_root = certificate(root)["ring"], signer == root
    key = certificate(root) if by_root else issued(signer, root, b"admitter")
    ed(key["key"], signature, statement)
    number, prev, listed = fields_of(statement, "evictions", ring, 3)
    entries = []
    while listed:
        size = int.from_bytes(listed[:4], "big")
        entries.append((listed[4 : 4 + size], listed[4 + size : 24 + size]))
        listed = listed[24 + size :]
    proven = [] if by_root else evictions(inner, root)["entries"]
    admitters = [[each for each in some if each[0] == b"admitter"] for some in (proven, entries)]
    if entries != sorted(set(entries)) or (inner and by_root) or not set(proven) <= set(entries):
        raise ValueError("evictions")
    if not by_root and (admitters[0] != admitters[1] or (b"admitter", key["serial"]) in entries):
        raise ValueError("evicted admitters")
    return {"number": int.from_bytes(number, "big"), "prev": prev, "entries": entries, "digest": sha(encoded)}


def signed(encoded: bytes, label: str, ring: bytes, key: bytes, count: int) -> list[bytes]:
    """The fields of LV(T(label, …)) ‖ LV(Ed25519)."""
    statement, signature = cut(encoded)
    ed(key, signature, statement)
    return fields_of(statement, label, ring, count)


def node_record(encoded: bytes, root: bytes) -> dict[str, Any]:
    """A node's place and addresses."""
    own, admitter, sequence, ring_address, clients_address, signature = cut(encoded)
    issued(admitter, root, b"admitter")
    found = issued(own, admitter, b"node")
    node = sha(tag("node", found["ring"], found["spki"], found["serial"]))
    ed(found["key"], signature, tag("node record", found["ring"], node, sequence, ring_address, clients_address))
    return {"node": node, "sequence": int.from_bytes(sequence, "big"), "at": [ring_address, clients_address]}


def history_key(encoded: bytes, ring: bytes, user: bytes, fp: bytes, pkcs8: list[bytes]) -> tuple[bytes, bytes]:
    """The key of an encrypted history, and the account that lies beside it."""
    boxes, kept = cut(encoded)
    (box,) = (box for named, box in map(cut, cut(boxes)) if named == fp)
    secret = b"".join(len(each).to_bytes(4, "big") + each for each in pkcs8)
    key = derive(secret, tag("history key", ring, user, fp))
    return AESGCM(key).decrypt(box[:12], box[12:], tag("history box", ring, user, fp)), kept
