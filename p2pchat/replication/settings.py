"""How a ring keeps its records, as one node is told."""

from dataclasses import dataclass

from p2pchat.replication.slots import DEFAULT_SLOTS


@dataclass(frozen=True, slots=True)
class Settings:
    """How a ring keeps its records.

    Attributes:
        slots: as fixed when the ring was created.
        replicas: K; wanted are the owner and its K successors, K even.
        repair_after: seconds until a silent member is replaced.
        founder: whether this node has every slot to itself until something changes.
        compare_every: seconds between two comparisons of some slots with another member.
        is_careful: whether this node votes only for members that keep a slot as safe as it is (plan.is_sound).
    """

    slots: int = DEFAULT_SLOTS
    replicas: int = 4
    repair_after: float = 15.0
    founder: bool = False
    compare_every: float = 20.0
    is_careful: bool = True
