"""Names that are given up in a run, stay closed for a while, and are taken by somebody else, by clocks that differ.

A virtual second stands for 30 days.  Sound clocks are as far apart as they may be; one node's may be wrong by days, and
does not know it: what a name is worth then hangs on the majority of its members.  Where a slot may have a single member
all clocks are sound, because there one clock is the majority.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from p2pchat.errors import Conflict, Misbehaved, NameTaken
from p2pchat.identifiers import Identifier
from p2pchat.replication.formats import Formats
from p2pchat.replication.slots import KIND_ACCOUNT
from p2pchat.simulation.linearizability import Value

CLOSED_SECONDS = 1.0
"""How long a name stays closed."""
SKEW_SECONDS = 0.1
"""How far a sound clock is from the true time."""
WRONG_SECONDS = 3.0
"""How far a wrong one is."""
SHARE, WRONG = 0.25, 0.75
"""Shares of the runs with such names, and of those in which one clock is wrong, where it may be."""

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Tenure:
    """A register's value: who wrote it, over what, how many came before, and the ends of this account and the last."""

    writer: bytes
    over: bytes
    number: int
    ended: float | None = None
    since: float | None = None

    def encode(self) -> bytes:
        return b"%s|%s|%d|%r|%r" % (self.writer, self.over, self.number, self.ended, self.since)


def decode(value: bytes) -> Tenure:
    """Back from `Tenure.encode`."""
    writer, over, number, ended, since = value.split(b"|")
    return Tenure(writer, over, int(number), *(None if each == b"None" else float(each) for each in (ended, since)))


def validate(old: Value, new: bytes) -> None:
    """As account records are judged: one step on chains to the value before it, and an end is carried on."""
    after = decode(new)
    if old is None or old == new:
        return
    before = decode(old)
    if after.number < before.number or (after.number == before.number + 1 and after.over != before.writer):
        raise Misbehaved("A value that does not follow was sent.")
    if after.number == before.number + 1 and before.ended is not None and after.since != before.ended:
        raise Misbehaved("A name that was given up is taken without regard to its end.")


def check_times(clock: Clock, held: Value, proposed: bytes) -> None:
    """As a member does it, by its own clock."""
    since = decode(proposed).since
    if since is None or (held is not None and decode(held).since == since):
        return
    if clock() < since + CLOSED_SECONDS:
        raise Misbehaved("A name is taken that was given up not long enough ago.")


def formats(clock: Clock) -> Formats:
    """The judges of one node."""
    return Formats(
        validators={KIND_ACCOUNT: validate}, check_times=lambda kind, held, proposed: check_times(clock, held, proposed)
    )


class Clocks:
    """What each node believes that the time is."""

    def __init__(self, seed: int, truth: Clock, nodes: list[Identifier], outvoted: bool) -> None:
        """
        Args:
            outvoted: whether members always outvote one of them, so that one clock may be wrong.
        """
        self._seed, self._truth = seed, truth
        chance = Random(f"{seed}/clocks")
        self.wrong = chance.choice(nodes) if outvoted and chance.random() < WRONG else None

    def of(self, node: Identifier) -> Clock:
        """The clock of one node."""
        chance = Random(f"{self._seed}/clock/{node}")
        off = chance.uniform(-SKEW_SECONDS, SKEW_SECONDS)
        if node == self.wrong:
            off = chance.choice((-WRONG_SECONDS, WRONG_SECONDS, WRONG_SECONDS))
        return lambda: self._truth() + off


@dataclass(frozen=True, slots=True)
class End:
    """Give a name up, at a time that whoever has it says."""

    writer: bytes
    at: float

    def decide(self, old: Value) -> Value:
        """What becomes of a value; the same value if it is refused."""
        if old is None or (before := decode(old)).ended is not None:
            return old
        return Tenure(self.writer, before.writer, before.number + 1, self.at, before.since).encode()

    def judge(self, old: Value, _now: float) -> Value:
        """As a gateway does it."""
        if old is None or decode(old).ended is not None:
            raise Conflict("Nobody has this name.")
        return self.decide(old)

    def __str__(self) -> str:
        return f"end {self.writer.decode()} at {self.at:.2f}"


@dataclass(frozen=True, slots=True)
class Begin:
    """Take a name that nobody has, or that was given up."""

    writer: bytes

    def decide(self, old: Value) -> Value:
        """What becomes of a value; the same value if it is refused."""
        before = Tenure(b"", b"", 0) if old is None else decode(old)
        if old is not None and before.ended is None:
            return old
        return Tenure(self.writer, before.writer, before.number + 1, None, before.ended).encode()

    def judge(self, old: Value, now: float) -> Value:
        """As a gateway does it: later than a member would, so that the clocks of all members agree."""
        ended = None if old is None else decode(old).ended
        if old is not None and (ended is None or now < ended + CLOSED_SECONDS + 2 * SKEW_SECONDS):
            raise NameTaken("This name is taken, or closed.")
        return self.decide(old)

    def __str__(self) -> str:
        return f"begin {self.writer.decode()}"


def too_early(value: Value, now: float) -> bool:
    """Whether a name is seen to be somebody else's before a majority of sound clocks can say that it is time."""
    since = None if value is None else decode(value).since
    return since is not None and now < since + CLOSED_SECONDS - SKEW_SECONDS


def drawn(number: int, now: float, chance: Random) -> End | Begin:
    """A change of a random kind; an end says the time at which it is begun, by a clock that is not quite right."""
    writer = b"w%d" % number
    if chance.random() < 0.4:
        return End(writer, round(now + chance.uniform(-SKEW_SECONDS, SKEW_SECONDS), 3))
    return Begin(writer)
