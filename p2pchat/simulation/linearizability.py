"""Whether a history of one register is linearizable: the search of Wing and Gong with Lowe's memory.

Sources: Wing, Gong, "Testing and verifying concurrent objects", JPDC 17, 1993; Lowe, "Testing for
linearizability", Concurrency and Computation 29(4), 2017.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

MAX_STATES = 200_000
NEVER = 1 << 62
"""When an operation of unknown outcome returns: its effect may come at any later time, or never."""

Value: TypeAlias = bytes | None


class Verdict(Enum):
    """Result of a search; undecided means that `MAX_STATES` were visited without an end."""

    LINEARIZABLE = "linearizable"
    VIOLATION = "violation"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Operation:
    """One call on a register.

    Attributes:
        called, returned: places in the order of events, called < returned; `NEVER` if the outcome is unknown.
        decide: the new value for an old one.
        seen: the old value that the caller was told (means nothing if the outcome is unknown).
        told: False if the caller knows only that the operation had its effect, not on which value.
        fits: instead of `seen`, what must be true of the value at some moment of the call.
        label: for people who read a violation.
    """

    called: int
    returned: int
    decide: Callable[[Value], Value]
    seen: Value
    label: str = ""
    told: bool = True
    fits: Callable[[Value], bool] | None = None

    @property
    def known(self) -> bool:
        return self.returned != NEVER


def check(history: Iterable[Operation], initial: Value = None, max_states: int = MAX_STATES) -> Verdict:
    """Search an order of the operations that explains everything that callers were told.

    Operations that certainly did not happen are left out by the caller: whoever saw their values then stands without
    a writer, so a lie about them is found.  Values must be unique to their writers for that.
    """
    operations = sorted(history, key=lambda each: each.called)
    wanted = sum(1 << place for place, each in enumerate(operations) if each.known)
    visited: set[tuple[int, Value]] = set()
    open_states: list[tuple[int, Value]] = [(0, initial)]
    while open_states:
        state = open_states.pop()
        if state in visited:
            continue
        if state[0] & wanted == wanted:
            return Verdict.LINEARIZABLE
        visited.add(state)
        if len(visited) > max_states:
            return Verdict.UNDECIDED
        open_states.extend(_next_states(operations, *state))
    return Verdict.VIOLATION


def _next_states(operations: list[Operation], done: int, value: Value) -> list[tuple[int, Value]]:
    """States after one more operation: any whose call came before the first return among those that are left.

    The operations that are known to have returned come last, so that the depth-first search tries them first.
    """
    left = [(place, each) for place, each in enumerate(operations) if not done >> place & 1]
    horizon = min(each.returned for _, each in left)
    known: list[tuple[int, Value]] = []
    unknown: list[tuple[int, Value]] = []
    for place, each in left:
        if each.called > horizon:
            break
        if each.known and each.told:
            if each.seen == value if each.fits is None else each.fits(value):
                known.append((done | 1 << place, each.decide(value)))
        elif (changed := each.decide(value)) != value:
            (known if each.known else unknown).append((done | 1 << place, changed))
    return unknown + known
