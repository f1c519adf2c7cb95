"""TLS 1.3 of every connection, and the judgement of whom it connects us with.

TLS proves that the other end has the key of its certificate.  Whether that certificate counts is judged at once
afterwards (`judge_member`, `judge_agent`), before anything else is said: so a refusal can tell its reason in HELLO,
and no resumed session slips past it.  Source: RFC 8446.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IOpenSSLServerConnectionCreator
from zope.interface import implementer

from p2pchat.crypto.admission import Admission
from p2pchat.crypto.certificates import Certificate, verify_chain, verify_root
from p2pchat.errors import Misbehaved, NotAdmitted, RingUnknown

MAX_CHAIN_BYTES = 8192
"""Certificates that the other end may send: its own, its admitter's and the ring's root."""


@implementer(IOpenSSLServerConnectionCreator, IOpenSSLClientConnectionCreator)
class TLS:
    """Makes the TLS side of connections, both of servers and of clients.

    Args:
        key: of our certificate; None: we stay anonymous.
        chain: our certificate, and those that prove it.
        ask: the other end must show a certificate (servers always do).
    """

    def __init__(self, key: Ed25519PrivateKey | None, chain: Sequence[x509.Certificate], ask: bool) -> None:
        context = self._context = SSL.Context(SSL.TLS_METHOD)
        context.set_min_proto_version(SSL.TLS1_3_VERSION)
        if key is not None:
            own, *others = chain
            context.use_certificate(own)
            context.use_privatekey(key)
            for other in others:
                context.add_extra_chain_cert(crypto.X509.from_cryptography(other))
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_options(SSL.OP_NO_TICKET)
        # Buffers of 16 KiB only while bytes pass: of a connection at rest, 30 KiB stay of 57.
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        mode = SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT if ask else SSL.VERIFY_NONE
        context.set_verify(mode, _judged_later)

    def serverConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        """Twisted's hook for the listening side."""
        return self._connection(tlsProtocol)

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        """Twisted's hook for the dialling side."""
        return self._connection(tlsProtocol)

    def _connection(self, protocol: Any) -> SSL.Connection:
        connection = SSL.Connection(self._context, None)
        connection.set_app_data(protocol)
        return connection


def _judged_later(_connection: SSL.Connection, _shown: crypto.X509, _error: int, _depth: int, _fine: int) -> bool:
    return True


def member_tls(admission: Admission) -> TLS:
    """Of nodes among each other, and of an operator with a node: both sides show certificates."""
    return TLS(admission.key, _chain(admission), ask=True)


def clients_port_tls(admission: Admission) -> TLS:
    """Of a node for agents: it proves itself, they stay anonymous."""
    return TLS(admission.key, _chain(admission), ask=False)


def visitor_tls() -> TLS:
    """Of an agent towards a node."""
    return TLS(None, (), ask=True)


def channel_tls(key: Ed25519PrivateKey, certificate: bytes) -> TLS:
    """Of agents among each other; `certificate` is the DER of `session_certificate(key)`."""
    return TLS(key, [x509.load_der_x509_certificate(certificate)], ask=True)


def _chain(admission: Admission) -> list[x509.Certificate]:
    return [each.parsed for each in (admission.certificate, admission.issuer, admission.root)]


@dataclass(frozen=True, slots=True)
class Member:
    """A node or an operator whose key and certificates were verified."""

    certificate: Certificate
    issuer: Certificate
    root: Certificate


def judge_member(
    chain: Sequence[bytes], ring: bytes | None, now: float, evicted: Callable[[Certificate], bool]
) -> Member:
    """Demand the chain of a node or an operator.

    Args:
        chain: DER of its certificate, its admitter's and the root's, as TLS brought them.
        ring: the 32-byte id that it must belong to; None takes any ring and leaves the choice to the caller.
        now: seconds since 1970.
        evicted: whether a certificate is on the list of evictions.
    Raises:
        RingUnknown: it belongs to another ring.
        NotAdmitted: it was evicted.
        Misbehaved: the chain proves nothing.
    """
    if len(chain) != 3 or sum(map(len, chain)) > MAX_CHAIN_BYTES:
        raise Misbehaved("It shows no certificates of a ring.")
    certificate, issuer, root = (Certificate.parse(der) for der in chain)
    found = verify_root(root)
    if ring is not None and found != ring:
        raise RingUnknown(f"It belongs to the ring {found[:4].hex()}, we belong to {ring[:4].hex()}.")
    verify_chain(certificate, issuer, root, now)
    if evicted(certificate) or evicted(issuer):
        raise NotAdmitted("It was evicted from the ring; it needs a new admission.")
    return Member(certificate, issuer, root)


def judge_agent(chain: Sequence[bytes]) -> bytes:
    """The SPKI (DER) that an agent proved to have; who has that key, its session record says."""
    if len(chain) != 1 or len(chain[0]) > MAX_CHAIN_BYTES:
        raise Misbehaved("It shows something else than the certificate of an agent.")
    try:
        key = x509.load_der_x509_certificate(chain[0]).public_key()
        return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except ValueError:
        raise Misbehaved("It shows a certificate that cannot be read.") from None


def shown_chain(connection: SSL.Connection) -> list[bytes]:
    """DER of what the other end has shown, its own certificate first; empty where it stays anonymous."""
    own = connection.get_peer_certificate(as_cryptography=True)
    if own is None:
        return []
    # A server's chain leaves out the peer's own certificate, a client's has it (OpenSSL).
    sent = connection.get_peer_cert_chain(as_cryptography=True) or []
    return [own.public_bytes(Encoding.DER)] + [each.public_bytes(Encoding.DER) for each in sent if each != own]
