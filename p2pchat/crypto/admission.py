"""What an admitted node or operator holds: key, chain of certificates, ring description, founder mark.

It is one file of mode 0600, PEM blocks one after another, so that it is there wholly or not at all.
"""

import base64
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from p2pchat.crypto.certificates import Certificate, Role, verify_admitter, verify_chain, verify_root
from p2pchat.crypto.encoding import T, lv, number, sized, split, text, u8, u32, untagged
from p2pchat.crypto.primitives import SIGNATURE_BYTES, ed25519_verify, pkcs8, spki
from p2pchat.errors import Damaged, Misbehaved, NotAdmitted
from p2pchat.identifiers import Identifier, from_bytes, to_bytes

ADMISSION_FILE = "admission.pem"
MAX_RING_NAME_BYTES = 64
ALLOWED_REPLICAS = (0, 2, 4, 6)
MIN_SLOTS, MAX_SLOTS = 1, 65536
_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----\n([A-Za-z0-9+/=\n]+)-----END \1-----\n")


@dataclass(frozen=True, slots=True)
class RingDescription:
    """What is fixed when a ring is created, signed by its root."""

    ring: bytes
    name: str
    replicas: int
    slots: int
    signature: bytes = field(repr=False)

    @classmethod
    def create(cls, root_key: Ed25519PrivateKey, ring: bytes, name: str, replicas: int, slots: int) -> Self:
        """Sign a description; ValueError says which number is not allowed."""
        if replicas not in ALLOWED_REPLICAS:
            raise ValueError("replicas must be 0, 2, 4 or 6")
        if not MIN_SLOTS <= slots <= MAX_SLOTS:
            raise ValueError(f"slots must be a number from {MIN_SLOTS} to {MAX_SLOTS}")
        if not 1 <= len(name.encode()) <= MAX_RING_NAME_BYTES or not name.isprintable():
            raise ValueError(f"a ring's name has 1 to {MAX_RING_NAME_BYTES} bytes of printable text")
        return cls(ring, name, replicas, slots, root_key.sign(_description(ring, name, replicas, slots)))

    def encode(self) -> bytes:
        """LV(T("ring", name, u8 replicas, u32 slots)) ‖ 64-byte signature."""
        return lv(_description(self.ring, self.name, self.replicas, self.slots)) + self.signature

    @classmethod
    def parse(cls, encoded: bytes, root: Certificate) -> Self:
        """Read and verify a description of the ring of `root`."""
        statement, signature = _signed(encoded)
        ed25519_verify(root.public_key, signature, statement)
        name, replicas, slots = untagged(statement, "ring", root.ring, 3)
        return cls(root.ring, text(name), number(replicas, 1), number(slots, 4), signature)


@dataclass(frozen=True, slots=True)
class FounderMark:
    """Says which node alone may create the ring's first configurations; signed by the first admitter."""

    ring: bytes
    node: Identifier
    admitter: Certificate
    signature: bytes = field(repr=False)

    @classmethod
    def create(cls, key: Ed25519PrivateKey, admitter: Certificate, node: Identifier) -> Self:
        """Sign the mark for `node`; the authority folder sees to it that this happens once."""
        statement = T("founder", admitter.ring, to_bytes(node))
        return cls(admitter.ring, node, admitter, key.sign(statement))

    def encode(self) -> bytes:
        """LV(T("founder", node id)) ‖ LV(signature) ‖ LV(admitter's certificate)."""
        statement = T("founder", self.ring, to_bytes(self.node))
        return lv(statement) + lv(self.signature) + lv(self.admitter.der)

    @classmethod
    def parse(cls, encoded: bytes, root: Certificate, now: float) -> Self:
        """Read and verify a mark of the ring of `root`."""
        statement, signature, der = split(encoded, 3)
        admitter = Certificate.parse(der)
        verify_admitter(admitter, root, now)
        ed25519_verify(admitter.public_key, signature, statement)
        (node,) = untagged(statement, "founder", root.ring, 1)
        return cls(root.ring, from_bytes(sized(node, 32, "A node id")), admitter, signature)


@dataclass(frozen=True, slots=True)
class Admission:
    """Everything that makes this program a node or an operator of one ring.

    `founder` is the ring's founder mark (also in the hands of those who are not the founder, so that they can say for
    whom they wait); None only if the admitter's folder never held it.
    """

    key: Ed25519PrivateKey = field(repr=False)
    certificate: Certificate
    issuer: Certificate
    root: Certificate
    description: RingDescription
    founder: FounderMark | None

    @property
    def ring(self) -> bytes:
        """The 32-byte ring id."""
        return self.root.ring

    @property
    def role(self) -> Role:
        """NODE or OPERATOR."""
        return self.certificate.role

    @property
    def identifier(self) -> Identifier:
        """Our node id."""
        return self.certificate.identifier

    @property
    def is_founder(self) -> bool:
        """Whether we may create the ring's first configurations."""
        return self.founder is not None and self.founder.node == self.identifier

    def to_pem(self) -> str:
        """The whole admission as one text."""
        blocks = [_block("PRIVATE KEY", pkcs8(self.key))]
        blocks += [each.pem() for each in (self.certificate, self.issuer, self.root)]
        blocks.append(_block("P2PCHAT RING", self.description.encode()))
        if self.founder is not None:
            blocks.append(_block("P2PCHAT FOUNDER", self.founder.encode()))
        return "".join(blocks)

    @classmethod
    def from_pem(cls, text_: str, now: float) -> Self:
        """Read and verify; Damaged if a part is missing, altered or of another ring."""
        try:
            blocks: dict[str, list[bytes]] = {}
            for kind, content in _BLOCK.findall(text_):
                blocks.setdefault(kind, []).append(base64.b64decode(content))
            key = serialization.load_der_private_key(blocks["PRIVATE KEY"][0], password=None)
            certificate, issuer, root = (Certificate.parse(each) for each in blocks["CERTIFICATE"])
            if not isinstance(key, Ed25519PrivateKey) or spki(key.public_key()) != certificate.spki:
                raise Misbehaved("The key does not fit the certificate.")
            verify_root(root)
            verify_chain(certificate, issuer, root, now)
            description = RingDescription.parse(blocks["P2PCHAT RING"][0], root)
            marks = [FounderMark.parse(each, root, now) for each in blocks.get("P2PCHAT FOUNDER", [])]
        except (Misbehaved, ValueError, TypeError, LookupError) as error:
            raise Damaged(f"The admission file is damaged ({error}); admit this node anew.") from error
        return cls(key, certificate, issuer, root, description, marks[0] if marks else None)

    def save(self, path: Path) -> None:
        """Write a new file of mode 0600; FileExistsError if there is one already (never overwritten)."""
        write_new(path, self.to_pem().encode())

    @classmethod
    def load(cls, path: Path, now: float) -> Self:
        """Read `path` (for a node: its data folder / ADMISSION_FILE).

        Raises:
            NotAdmitted: there is no such file.
            Damaged: it is not what was written.
        """
        try:
            found = path.read_text(encoding="ascii")
        except FileNotFoundError:
            raise NotAdmitted(
                f"There is no admission in {path.parent}. Run `p2pchat ring admit --authority DIR`."
            ) from None
        except UnicodeDecodeError as error:
            raise Damaged(f"{path} is damaged; admit this node anew.") from error
        return cls.from_pem(found, now)


def write_new(path: Path, content: bytes) -> None:
    """Create `path` with mode 0600 and exactly this content, durably; FileExistsError if it exists.

    The content is written under another name first: whoever sees `path` sees all of it, also after a crash.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(unfinished, path)
    finally:
        unfinished.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _block(kind: str, content: bytes) -> str:
    lines = base64.encodebytes(content).decode("ascii")
    return f"-----BEGIN {kind}-----\n{lines}-----END {kind}-----\n"


def _description(ring: bytes, name: str, replicas: int, slots: int) -> bytes:
    return T("ring", ring, name.encode(), u8(replicas), u32(slots))


def _signed(encoded: bytes) -> tuple[bytes, bytes]:
    if len(encoded) <= SIGNATURE_BYTES:
        raise Misbehaved("A signed statement is too short.")
    (statement,) = split(encoded[:-SIGNATURE_BYTES], 1)
    return statement, encoded[-SIGNATURE_BYTES:]
