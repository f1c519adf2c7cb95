"""Who admits to a ring and evicts from it: the root, and the admitter's folder.

The folder (mode 0700, files 0600, made with O_EXCL) may serve several nodes at the same time:

    root/root.key        the root's private key; move this folder offline if you like
    root.pem             the root's certificate: what people call the ring's certificate
    admitter.key .pem    signs nodes, operators and evictions
    ring                 signed description (name, replicas, slots)
    admitted/SPKI-HASH   one file for each admitted key: role, serial, node id; a key is admitted once
    founder              the signed mark of the first admitted node
    evictions.NUMBER     signed lists, the highest number counts
    plan.GENERATION      signed plans of how the ring went on after it lost majorities
"""

import contextlib
import fcntl
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from p2pchat.crypto.admission import Admission, FounderMark, RingDescription, write_new
from p2pchat.crypto.certificates import (
    Certificate,
    Role,
    draw_serial,
    issue,
    node_identifier,
    ring_id,
    verify_admitter,
    verify_root,
)
from p2pchat.crypto.encoding import H
from p2pchat.crypto.evictions import Evicted, Evictions
from p2pchat.crypto.orders import PLAN, Order
from p2pchat.crypto.primitives import Chance, ed25519_generate, spki
from p2pchat.errors import Damaged, Misbehaved, NotAdmitted, UserError
from p2pchat.identifiers import CIRCLE, Identifier, distance, to_bytes

DRAWS = 64
"""Serials to choose from, so that nodes stand evenly on the circle."""

_ROOT_KEY = Path("root") / "root.key"


@dataclass(frozen=True, slots=True)
class Admitted:
    """One line of the authority's memory."""

    role: Role
    serial: bytes
    identifier: Identifier


@dataclass(frozen=True, slots=True)
class Authority:
    """An opened admitter folder."""

    folder: Path
    key: Ed25519PrivateKey = field(repr=False)
    certificate: Certificate
    root: Certificate
    description: RingDescription

    @classmethod
    def create(
        cls,
        folder: Path,
        name_: str,
        replicas: int,
        slots: int,
        now: float,
        chance: Chance = os.urandom,
    ) -> Self:
        """Make a new ring: a root and its first admitter in `folder`, which may exist if it is empty.

        Args:
            now: seconds since 1970, UTC.
        Raises:
            UserError: the folder is not empty, or a value is not allowed.
        """
        root_key, key = ed25519_generate(chance), ed25519_generate(chance)
        ring = ring_id(spki(root_key.public_key()))
        try:
            description = RingDescription.create(root_key, ring, name_, replicas, slots)
        except ValueError as error:
            raise UserError(f"This ring cannot be created: {error}.") from None
        root = issue(root_key, None, root_key.public_key(), Role.ROOT, ring, draw_serial(chance), now)
        own = issue(root_key, root, key.public_key(), Role.ADMITTER, ring, draw_serial(chance), now)
        _fill(folder, key, own, root, description, root_key)
        return cls(folder, key, own, root, description)

    @classmethod
    def open(cls, folder: Path, now: float) -> Self:
        """Read an admitter folder.

        Raises:
            NotAdmitted: there is no authority in `folder`.
            Damaged: its files do not fit together.
        """
        try:
            key = _read_key(folder / "admitter.key")
            own = Certificate.from_pem((folder / "admitter.pem").read_text())
            root = Certificate.from_pem((folder / "root.pem").read_text())
            verify_root(root)
            verify_admitter(own, root, now)
            description = RingDescription.parse((folder / "ring").read_bytes(), root)
            if spki(key.public_key()) != own.spki:
                raise Misbehaved("the key does not fit the certificate")
        except OSError:
            raise NotAdmitted(f"{folder} is no ring authority. Make one with `p2pchat ring create DIR`.") from None
        except (Misbehaved, ValueError, UserError) as error:
            raise Damaged(f"The ring authority in {folder} is damaged: {error}") from error
        return cls(folder, key, own, root, description)

    @property
    def ring(self) -> bytes:
        """The 32-byte ring id."""
        return self.root.ring

    def add_admitter(self, folder: Path, now: float, chance: Chance = os.urandom) -> "Authority":
        """Make another admitter folder for this ring (needs the root's key); it never names a founder."""
        root_key = self._root_key()
        key = ed25519_generate(chance)
        own = issue(root_key, self.root, key.public_key(), Role.ADMITTER, self.ring, draw_serial(chance), now)
        _fill(folder, key, own, self.root, self.description, None)
        write_new(folder / "founder", b"")
        return Authority(folder, key, own, self.root, self.description)

    def admit(self, role: Role, now: float, chance: Chance = os.urandom) -> Admission:
        """Make a key and admit it as a node or an operator; the first admitted node is the founder."""
        key = ed25519_generate(chance)
        builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        request = builder.sign(key, None).public_bytes(serialization.Encoding.DER)
        certificate = self.sign_request(request, role, now, chance)
        return Admission(key, certificate, self.certificate, self.root, self.description, self.founder(now))

    def sign_request(self, request: bytes, role: Role, now: float, chance: Chance = os.urandom) -> Certificate:
        """Admit the key of a self-signed request (PKCS10 DER), once.

        Raises:
            UserError: the request is wrong, its key was admitted before, or this authority is evicted.
        """
        if role not in (Role.NODE, Role.OPERATOR):
            raise UserError("An authority admits nodes and operators only.")
        key = _requested_key(request)
        subject = spki(key)
        with self._locked():
            if self.evictions(now).evicts(self.certificate):
                raise UserError("This authority was evicted from its ring and admits nobody.")
            serial = self._place(subject, chance) if role is Role.NODE else draw_serial(chance)
            certificate = issue(self.key, self.certificate, key, role, self.ring, serial, now)
            line = f"{role} {serial.hex()} {to_bytes(certificate.identifier).hex()}\n"
            try:
                write_new(self.folder / "admitted" / H(subject).hex(), line.encode())
            except FileExistsError:
                raise UserError("This key was admitted before; make a new one.") from None
            if role is Role.NODE:
                with contextlib.suppress(FileExistsError):
                    mark = FounderMark.create(self.key, self.certificate, certificate.identifier)
                    write_new(self.folder / "founder", mark.encode())
        return certificate

    def founder(self, now: float) -> FounderMark | None:
        """The ring's founder mark; None before the first node, and in folders that may not name one."""
        try:
            encoded = (self.folder / "founder").read_bytes()
        except FileNotFoundError:
            return None
        return FounderMark.parse(encoded, self.root, now) if encoded else None

    def admitted(self) -> list[Admitted]:
        """Everybody whom this folder admitted, evicted or not."""
        found = []
        for path in sorted((self.folder / "admitted").iterdir()):
            if path.name.startswith("."):
                continue
            try:
                role, serial, identifier = path.read_text().split()
                found.append(Admitted(Role(role), bytes.fromhex(serial), Identifier(int(identifier, 16))))
            except ValueError as error:
                raise Damaged(f"{path} is damaged; restore the authority from its copy.") from error
        return found

    def evictions(self, now: float) -> Evictions:
        """The newest list in the folder."""
        numbers = [int(path.suffix[1:]) for path in self.folder.glob("evictions.*")]
        if not numbers:
            return Evictions.none()
        return Evictions.parse((self.folder / f"evictions.{max(numbers)}").read_bytes(), self.root, now)

    def evict(self, named: Iterable[str], known: Evictions, now: float) -> Evictions:
        """Sign and keep the next list, with the nodes or operators that hex digits name (8 or more, of the node id).

        Args:
            known: the list that the ring has, which may be newer than the folder's.
        Raises:
            UserError: a name fits nobody or several.
        """
        found = [self.find(each) for each in named]
        return self.evict_entries([(each.role, each.serial) for each in found], known, now)

    def evict_entries(self, entries: Iterable[Evicted], known: Evictions, now: float) -> Evictions:
        """As `evict`, for (role, serial); admitters need the root's key in the folder."""
        more = frozenset(entries)
        signer, key = self.certificate, self.key
        if any(role is Role.ADMITTER for role, _ in more):
            signer, key = self.root, self._root_key()
        with self._locked():
            newest = self.evictions(now)
            start = known if known.supersedes(newest) else newest
            try:
                extended = start.extended(key, signer, more)
            except ValueError as error:
                raise UserError(f"Nobody was evicted: {error}.") from None
            write_new(self.folder / f"evictions.{extended.number}", extended.encoded)
        return extended

    def plans(self) -> int:
        """The highest generation that this folder planned; 0: none."""
        return max((int(path.suffix[1:]) for path in self.folder.glob("plan.*")), default=0)

    def order(self, label: str, generation: int, body: bytes) -> Order:
        """Sign an order; a plan is kept, and a generation is planned once.

        Raises:
            UserError: this folder planned that generation already.
        """
        signed = Order.sign(self.key, self.certificate, label, generation, body)
        if label == PLAN:
            try:
                write_new(self.folder / f"plan.{generation}", signed.encoded)
            except FileExistsError:
                raise UserError("Another plan of that generation was signed meanwhile. Run it again.") from None
        return signed

    def find(self, digits: str) -> Admitted:
        """Whom hex digits name, 8 or more of the node id; UserError where that is nobody or several."""
        fitting = [
            each for each in self.admitted() if len(digits) >= 8 and to_bytes(each.identifier).hex().startswith(digits)
        ]
        if len(fitting) != 1:
            raise UserError(
                f"{digits} names {len(fitting)} admitted nodes; give the first 8 hex digits or more of one."
            )
        return fitting[0]

    def _place(self, subject: bytes, chance: Chance) -> bytes:
        """Of 64 drawn serials, the one whose place is nearest the middle of the widest arc."""
        taken = sorted(each.identifier for each in self.admitted() if each.role is Role.NODE)
        drawn = [draw_serial(chance) for _ in range(DRAWS)]
        if not taken:
            return drawn[0]
        middle = widest_middle(taken)

        def away(serial: bytes) -> int:
            place = node_identifier(self.ring, subject, serial)
            return min(distance(place, middle), distance(middle, place))

        return min(drawn, key=away)

    def _root_key(self) -> Ed25519PrivateKey:
        try:
            return _read_key(self.folder / _ROOT_KEY)
        except OSError:
            raise UserError(f"This needs the root's key; put it back as {self.folder / _ROOT_KEY}.") from None

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """One admission at a time, also among processes."""
        descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def widest_middle(taken: list[Identifier]) -> Identifier:
    """The middle of the widest arc between neighbours of the sorted, non-empty list `taken`."""
    after = [*taken[1:], taken[0]]
    width, start = max((distance(a, b) or CIRCLE, a) for a, b in zip(taken, after, strict=True))
    return Identifier((start + width // 2) % CIRCLE)


def _fill(
    folder: Path,
    key: Ed25519PrivateKey,
    own: Certificate,
    root: Certificate,
    description: RingDescription,
    root_key: Ed25519PrivateKey | None,
) -> None:
    """Write a new admitter folder; admitter.key comes last, so a half-made one is no authority."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise UserError(f"{folder} is not empty; choose another folder for the ring's authority.")
    (folder / "admitted").mkdir(mode=0o700)
    if root_key is not None:
        (folder / _ROOT_KEY).parent.mkdir(mode=0o700)
        write_new(folder / _ROOT_KEY, _key_pem(root_key))
    write_new(folder / "root.pem", root.pem().encode())
    write_new(folder / "admitter.pem", own.pem().encode())
    write_new(folder / "ring", description.encode())
    write_new(folder / "admitter.key", _key_pem(key))


def _key_pem(key: Ed25519PrivateKey) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def _read_key(path: Path) -> Ed25519PrivateKey:
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f"{path.name} is no Ed25519 key")
    return key


def _requested_key(request: bytes) -> Ed25519PublicKey:
    try:
        read = x509.load_der_x509_csr(request)
        key = read.public_key()
        valid = read.is_signature_valid
    except Exception:  # the parser's errors are many and mean one thing
        raise UserError("The request for admission cannot be read.") from None
    if not isinstance(key, Ed25519PublicKey) or not valid:
        raise UserError("The request for admission is not signed by its own Ed25519 key.")
    return key
