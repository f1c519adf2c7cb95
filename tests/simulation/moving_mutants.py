"""Planted bugs in what moves records and news: comparisons, pulls, evictions, and generations after losses."""

from typing import Any

from p2pchat.replication import generation as generations
from p2pchat.replication import inventory as inventories
from p2pchat.replication import tree as trees
from p2pchat.replication.configuration import Configuration
from p2pchat.replication.digest import Comparer
from p2pchat.replication.generation import Losses, Plan
from p2pchat.replication.store import Store
from p2pchat.replication.transfers import Missing, Position, PullReply
from p2pchat.replication.tree import Buckets, Tree
from p2pchat.replication.uset import ItemState
from p2pchat.server import survey as surveys
from p2pchat.simulation import mail, names
from p2pchat.simulation.disk import MemoryStore
from p2pchat.wire.bulletins import Bulletins

from .mutants import FEWER_FAULTS, Mutant

# -- comparisons, and what a pull leaves out


def not_noted(self: MemoryStore, table: Any, key: Any) -> None:
    """A tree is kept as it was although records were written since."""


def register_named(self: Buckets, key: Any, accepted: Any) -> None:
    """Names alone are compared, and not which ballot a register has."""
    self._add(trees.bucket_of_point(key.point), repr(key).encode())


def without_last_bucket(self: Tree, other: Tree) -> bytes:
    """Of the buckets that differ, one is not asked for."""
    return lacking_buckets(self, other)[:-1]


lacking_buckets = Tree.lacking


def one_page(
    self: inventories.Inventory, store: Store, slot: int, after: Position | None, page: Any, buckets: bytes
) -> Position | None:
    """What does not fit into the first page of a slot is left out."""
    listed(self, store, slot, after, page, buckets)
    return None


listed = inventories.Inventory._list


class PendingIsGone:
    """A store that shows pending removals as tombstones."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def items(self, *span: Any) -> Any:
        found = self._store.items(*span)
        return [(point, item.buried(ItemState.ACKNOWLEDGED) if item.pending else item) for point, item in found]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def pending_is_listed_as_gone(
    self: inventories.Inventory, store: Store, slot: int, after: Position | None, page: Any, buckets: bytes
) -> Position | None:
    return listed(self, PendingIsGone(store), slot, after, page, buckets)


def drops_what_the_other_lacks(
    self: Comparer, store: Store, configuration: Configuration, page: PullReply, now: float, events: Any
) -> Missing:
    """Whoever compares takes the other one's records for the whole truth."""
    theirs = {(item.point, item.id) for item in page.items}
    for slot in page.full:
        for point, item in store.items(*self._ground.span(slot), None, 999):
            if (point, item.id) not in theirs:
                store.drop_items([(point, item.id)])
    return lacking(self, store, configuration, page, now, events)


lacking = Comparer.lacking


# -- evictions and generations


def no_doubts(reports: Any, slots: int, replicas: int, generation: int) -> tuple[Plan, Losses]:
    """The command says nothing of what may be lost."""
    plan, _ = planned(reports, slots, replicas, generation)
    return plan, Losses((), ())


planned = generations.planned


def told_nothing(self: Bulletins, link: Any, generation: int, evictions: int) -> None:
    """Nobody asks for news."""


COMPARED = (
    Mutant("digests are kept too long", mail.simulate, 500, (11,), [(MemoryStore, "_touch", not_noted)]),
    Mutant("digests of names only", names.simulate, 500, (5,), [(Buckets, "add_register", register_named)]),
    Mutant(
        "a bucket is left out",
        mail.simulate,
        500,
        (11,),
        [(Tree, "lacking", without_last_bucket), (inventories, "DEEP_MARKS", 0)],
    ),
    Mutant(
        "one page is all",
        mail.simulate,
        500,
        (9,),
        [(inventories.Inventory, "_list", one_page), (inventories, "PAGE_BYTES", 640)],
    ),
    Mutant(
        "pending removals are handed on",
        mail.simulate,
        1000,
        (46,),
        [(inventories.Inventory, "_list", pending_is_listed_as_gone), *FEWER_FAULTS],
    ),
    Mutant("comparisons remove items", mail.simulate, 200, (3,), [(Comparer, "lacking", drops_what_the_other_lacks)]),
)
GENERATIONS = (
    Mutant("a command that doubts no mail", mail.simulate, 200, (143,), [(surveys, "planned", no_doubts)]),
    Mutant("nobody asks for news", names.simulate, 50, (7,), [(Bulletins, "told", told_nothing)]),
)
