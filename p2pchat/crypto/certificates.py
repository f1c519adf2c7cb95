"""X.509 certificates of a ring: root, admitters, nodes and operators, with role and ring in extensions.

All keys are Ed25519.  The chain is root → admitter → node or operator; each is valid for ten years and from one day
before it was made, so that a clock that is off does no harm.  An agent's certificate is self-signed by its session
key: the other end checks the key against the session record and nothing else.
"""

import datetime
import enum
import os
from dataclasses import dataclass, field
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from p2pchat.crypto.encoding import RING_BYTES, H, T
from p2pchat.crypto.primitives import Chance, spki
from p2pchat.errors import Misbehaved, RingUnknown
from p2pchat.identifiers import Identifier, from_bytes

ROLE_OID = x509.ObjectIdentifier("2.25.202611290226001.1")
RING_OID = x509.ObjectIdentifier("2.25.202611290226001.2")
SERIAL_BYTES = 20
VALID_DAYS = 3652
MAX_CERTIFICATE_BYTES = 2048


class Role(enum.StrEnum):
    """What a certificate allows its holder."""

    ROOT = "root"
    ADMITTER = "admitter"
    NODE = "node"
    OPERATOR = "operator"


def ring_id(root_spki: bytes) -> bytes:
    """The ring's id: SHA-256 over the root's SubjectPublicKeyInfo."""
    return H(root_spki)


def node_identifier(ring: bytes, node_spki: bytes, serial: bytes) -> Identifier:
    """Where a node stands on the circle: fixed by its key and by the serial that the admitter drew."""
    return from_bytes(H(T("node", ring, node_spki, serial)))


def draw_serial(chance: Chance = os.urandom) -> bytes:
    """A random serial of 20 bytes; X.509 wants it positive, hence one fixed bit at the top."""
    drawn = chance(SERIAL_BYTES)
    return bytes([drawn[0] & 0x3F | 0x40]) + drawn[1:]


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate of some ring, read but not yet believed: see `verify_chain`."""

    der: bytes
    role: Role
    ring: bytes
    serial: bytes
    spki: bytes
    parsed: x509.Certificate = field(repr=False, compare=False)

    @classmethod
    def parse(cls, der: bytes) -> Self:
        """Read DER; Misbehaved for what is no certificate of a ring."""
        if len(der) > MAX_CERTIFICATE_BYTES:
            raise Misbehaved(f"A certificate has more than {MAX_CERTIFICATE_BYTES} bytes.")
        try:
            read = x509.load_der_x509_certificate(der)
            key = read.public_key()
            role = Role(_extension(read, ROLE_OID, 0x0C).decode("ascii"))
            ring = _extension(read, RING_OID, 0x04)
            serial = read.serial_number.to_bytes(SERIAL_BYTES, "big")
        except Exception:  # the parser's errors are many and mean one thing
            raise Misbehaved("A certificate cannot be read.") from None
        if not isinstance(key, Ed25519PublicKey) or len(ring) != RING_BYTES:
            raise Misbehaved("A certificate has another kind of key or no ring.")
        return cls(der, role, ring, serial, spki(key), read)

    @property
    def public_key(self) -> bytes:
        """The raw Ed25519 public key, 32 bytes."""
        return self.spki[-32:]

    @property
    def identifier(self) -> Identifier:
        """The place on the circle of a node's certificate."""
        return node_identifier(self.ring, self.spki, self.serial)

    def pem(self) -> str:
        """The certificate as PEM text."""
        return self.parsed.public_bytes(serialization.Encoding.PEM).decode("ascii")

    @classmethod
    def from_pem(cls, text: str) -> Self:
        """Read the first certificate of a PEM text; RingUnknown (for a person's file) if there is none."""
        try:
            read = x509.load_pem_x509_certificate(text.encode())
        except ValueError:
            raise RingUnknown("The file holds no certificate in PEM form; give the ring's root certificate.") from None
        return cls.parse(read.public_bytes(serialization.Encoding.DER))


def _extension(read: x509.Certificate, oid: x509.ObjectIdentifier, tag: int) -> bytes:
    """The content of our extension: a DER string of less than 128 bytes with this tag."""
    found = read.extensions.get_extension_for_oid(oid).value
    if not isinstance(found, x509.UnrecognizedExtension):
        raise ValueError("no extension of ours")
    value = found.value
    if len(value) < 2 or value[0] != tag or value[1] != len(value) - 2 or value[1] > 127:
        raise ValueError("no DER string")
    return value[2:]


def verify_root(root: Certificate) -> bytes:
    """The ring id of a root certificate that is consistent in itself; who believes it, is the caller's decision."""
    if root.role is not Role.ROOT or root.ring != ring_id(root.spki):
        raise Misbehaved("A certificate claims to be a ring's root and is not.")
    try:
        root.parsed.verify_directly_issued_by(root.parsed)
    except Exception:  # ValueError, TypeError, InvalidSignature
        raise Misbehaved("A ring's root certificate is not signed by itself.") from None
    return root.ring


def verify_chain(certificate: Certificate, issuer: Certificate, root: Certificate, now: float) -> None:
    """Demand root → issuer (an admitter) → certificate (a node or operator), of one ring and valid `now`.

    Args:
        root: believed by the caller (pinned, or given).
        now: seconds since 1970, UTC.
    Raises:
        Misbehaved: with what is wrong.  Evictions are another matter (`Evictions.evicts`).
    """
    if certificate.role not in (Role.NODE, Role.OPERATOR):
        raise Misbehaved(f"A {certificate.role} certificate is used as if it were a node's or an operator's.")
    verify_admitter(issuer, root, now)
    _verify_link(certificate, issuer, root, now)


def verify_admitter(admitter: Certificate, root: Certificate, now: float) -> None:
    """Demand that `admitter` may admit to the ring of `root`."""
    if admitter.role is not Role.ADMITTER:
        raise Misbehaved(f"A {admitter.role} certificate signed a certificate.")
    if root.role is not Role.ROOT or root.ring != ring_id(root.spki):
        raise Misbehaved("A certificate claims to be a ring's root and is not.")
    _verify_link(admitter, root, root, now)


def _verify_link(child: Certificate, parent: Certificate, root: Certificate, now: float) -> None:
    if child.ring != root.ring or parent.ring != root.ring:
        raise Misbehaved("A certificate belongs to another ring.")
    try:
        child.parsed.verify_directly_issued_by(parent.parsed)
    except Exception:  # ValueError, TypeError, InvalidSignature
        raise Misbehaved(f"A {child.role} certificate is not signed by this ring's {parent.role}.") from None
    moment = datetime.datetime.fromtimestamp(now, datetime.UTC)
    if not child.parsed.not_valid_before_utc <= moment <= child.parsed.not_valid_after_utc:
        raise Misbehaved(f"A {child.role} certificate is not valid now; compare the clocks.")


def issue(
    key: Ed25519PrivateKey,
    issuer: Certificate | None,
    subject_key: Ed25519PublicKey,
    role: Role,
    ring: bytes,
    serial: bytes,
    now: float,
) -> Certificate:
    """Sign a certificate with `key`, whose own certificate is `issuer` (None: a root signs itself)."""
    authority = role in (Role.ROOT, Role.ADMITTER)
    depth = {Role.ROOT: 1, Role.ADMITTER: 0}.get(role)
    name = _name(role, ring)
    day = datetime.datetime.fromtimestamp(now, datetime.UTC).replace(microsecond=0)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name if issuer is None else issuer.parsed.subject)
        .public_key(subject_key)
        .serial_number(int.from_bytes(serial, "big"))
        .not_valid_before(day - datetime.timedelta(days=1))
        .not_valid_after(day + datetime.timedelta(days=VALID_DAYS))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=depth), critical=True)
        .add_extension(_usage(authority), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(subject_key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .add_extension(x509.UnrecognizedExtension(ROLE_OID, _der(0x0C, role.encode())), critical=False)
        .add_extension(x509.UnrecognizedExtension(RING_OID, _der(0x04, ring)), critical=False)
    )
    if not authority:
        both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = builder.add_extension(x509.ExtendedKeyUsage(both), critical=False)
    return Certificate.parse(builder.sign(key, None).public_bytes(serialization.Encoding.DER))


def session_certificate(key: Ed25519PrivateKey, now: float, chance: Chance = os.urandom) -> bytes:
    """The DER of an agent's TLS certificate: its session key, signed by itself."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "p2pchat agent")])
    day = datetime.datetime.fromtimestamp(now, datetime.UTC).replace(microsecond=0)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(int.from_bytes(draw_serial(chance), "big"))
        .not_valid_before(day - datetime.timedelta(days=1))
        .not_valid_after(day + datetime.timedelta(days=VALID_DAYS))
        .sign(key, None)
        .public_bytes(serialization.Encoding.DER)
    )


def _name(role: Role, ring: bytes) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"p2pchat {role} {ring[:4].hex()}")])


def _der(tag: int, content: bytes) -> bytes:
    return bytes([tag, len(content)]) + content


def _usage(authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
