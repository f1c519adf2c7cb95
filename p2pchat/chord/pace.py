"""How often a node of the ring looks after what: seconds, and ticks of a second, in small rings and in big ones.

In a small ring each node hears of each change at once and asks most others itself; in a big one that would cost each
node more than the whole ring is worth, so changes are announced and upkeep is slower.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """Times of one size of ring.

    Attributes:
        quiet: seconds between two stabilizations while nothing changes (a big ring comes to it at once).
        soon: seconds until node tables are compared when there is news.
        spread: ticks between two comparisons of node tables while there is no news.
        finger: ticks between two lookups of fingers; self_lookup: of our own place.
        due: ticks between two rounds of questions to nodes that are not live; due_at_once: nodes asked in one round.
    """

    quiet: float
    soon: float
    spread: int
    finger: int
    self_lookup: int
    due: int
    due_at_once: int


SMALL = Pace(quiet=10.0, soon=0.05, spread=10, finger=5, self_lookup=20, due=1, due_at_once=4)
BIG = Pace(quiet=30.0, soon=2.0, spread=60, finger=60, self_lookup=120, due=10, due_at_once=1)
