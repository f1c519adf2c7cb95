"""One linearizable record: ballots, what an acceptor keeps of it, and values that remember their operations.

Source: Rystsov, "CASPaxos: Replicated State Machines without logs", arXiv 1802.07000; see docs/protocol.md.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256

from p2pchat.identifiers import Identifier, from_bytes, to_bytes
from p2pchat.replication.packing import unpack

MAX_VALUE_BYTES = 60_000
OPERATIONS_KEPT = 8
OPERATION_BYTES = 16
BOOT_BITS = 24
"""Low bits of a ballot's counter: how often its node has started, so that no ballot is ever made twice."""


@dataclass(frozen=True, slots=True, order=True)
class Ballot:
    """An attempt; compared by (epoch of the configuration, counter, node), in this order."""

    epoch: int
    counter: int
    node: Identifier

    def __str__(self) -> str:
        return f"{self.epoch}.{self.counter >> BOOT_BITS}"


NO_BALLOT = Ballot(0, 0, Identifier(0))
BALLOT_BYTES = 48


def encode_ballot(ballot: Ballot) -> bytes:
    """48 bytes that sort as ballots do."""
    return ballot.epoch.to_bytes(8, "big") + ballot.counter.to_bytes(8, "big") + to_bytes(ballot.node)


def decode_ballot(encoded: bytes) -> Ballot:
    """Back from disk."""
    counter = int.from_bytes(encoded[8:16], "big")
    return Ballot(int.from_bytes(encoded[:8], "big"), counter, from_bytes(encoded[16:BALLOT_BYTES]))


@dataclass(frozen=True, slots=True)
class Versioned:
    """What a register holds: a value (None: absent), its version, and the last operations that changed it."""

    version: int = 0
    operations: tuple[bytes, ...] = ()
    value: bytes | None = field(default=None, repr=False)

    def changed(self, value: bytes, operation: bytes) -> "Versioned":
        """The next version, remembering by which operation it came."""
        return Versioned(self.version + 1, (*self.operations, operation)[-OPERATIONS_KEPT:], value)


@dataclass(frozen=True, slots=True)
class Register:
    """An acceptor's state of one register."""

    promised: Ballot = NO_BALLOT
    accepted: Ballot = NO_BALLOT
    content: Versioned = Versioned()


EMPTY = Register()


def operation_mark(operation: bytes) -> bytes:
    """The 16 bytes by which a register remembers an operation id of any length."""
    return sha256(operation).digest()[:OPERATION_BYTES]


class Counter:
    """Makes ballots that no earlier start of this node can have made."""

    def __init__(self, me: Identifier, boot: int = 0) -> None:
        self._me = me
        self._round = 0
        self.start(boot)

    def start(self, boot: int) -> None:
        """Say which start of this node it is; before the first ballot is made."""
        self._boot = boot % (1 << BOOT_BITS)

    def next(self, epoch: int) -> Ballot:
        """A ballot above all that this node made or heard of."""
        self._round += 1
        return Ballot(epoch, (self._round << BOOT_BITS) | self._boot, self._me)

    def heard(self, ballot: Ballot) -> None:
        """Somebody promised `ballot`; the next one of ours is above it."""
        self._round = max(self._round, ballot.counter >> BOOT_BITS)


def promise(register: Register, ballot: Ballot) -> Register | None:
    """The register after PREPARE, or None when a higher or equal ballot was promised."""
    if ballot <= register.promised:
        return None
    return Register(ballot, register.accepted, register.content)


def accept(register: Register, ballot: Ballot, content: Versioned, following: Ballot | None = None) -> Register | None:
    """The register after ACCEPT, or None when a higher ballot was promised.

    `following` is promised as well, as if its PREPARE had come right behind.
    """
    if ballot < register.promised:
        return None
    return Register(following or ballot, ballot, content)


def check_successor(validate: Callable[[bytes | None, bytes], None], held: Versioned, proposed: Versioned) -> None:
    """Let `validate` judge a proposal against what this acceptor holds.

    An acceptor may hold a value that was never chosen, beside which the proposal is a brother and not a successor; it
    must not stand in the way.  So only a value from which the proposal descends is compared, as the operations show,
    and otherwise the proposal must stand by itself.
    """
    if proposed.value is not None and proposed != held:
        validate(held.value if descends(proposed, held) else None, proposed.value)


def descends(later: Versioned, earlier: Versioned) -> bool:
    """Whether `later` came from `earlier` by changes that it still remembers."""
    place = len(later.operations) - 1 - (later.version - earlier.version)
    if not earlier.operations or later.version <= earlier.version or place < 0:
        return False
    return later.operations[place] == earlier.operations[-1]


def decode_content(encoded: bytes) -> Versioned:
    """Back from disk."""
    return unpack(Versioned, encoded)
