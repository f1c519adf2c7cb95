"""The authority of a simulated ring: who was admitted, signed evictions, and plans for lost majorities.

What is signed is real, and so is the way of `ring evict --lost-majority` (`server.succeeding`); only the folder and the
socket to a node are left out.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from p2pchat.crypto.authority import Admitted
from p2pchat.crypto.certificates import Certificate, Role, verify_chain
from p2pchat.crypto.evictions import Evicted, Evictions
from p2pchat.crypto.orders import PLAN, Order
from p2pchat.errors import Misbehaved, UserError
from p2pchat.identifiers import Identifier
from p2pchat.replication.generation import Losses, Plan
from p2pchat.replication.packing import unpack
from p2pchat.simulation.papers import Papers

POOL = 60
"""Certificates of one ring from which all runs draw their nodes."""
HOUR_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan as it was signed: with whom each slot goes on, and what the command says of it."""

    generation: int
    plan: Plan
    losses: Losses

    def sources(self, slot: int) -> tuple[Identifier, ...]:
        """The survivors with whose records a slot begins."""
        groups = (group for group in self.plan.groups if slot in group.slots)
        return next((group.configuration.previous for group in groups), ())

    def is_in_doubt(self, slot: int) -> bool:
        """Whether the command says that something of this slot may be lost."""
        return slot in self.losses.empty or slot in self.losses.doubtful


class SimulatedAuthority:
    """In memory what `crypto.authority.Authority` keeps in a folder.

    Attributes:
        newest: the last list of evictions.
        losses: what the node that drafted the plan counted.
        signed: told of each plan at the moment of its signature.
    """

    def __init__(self, papers: Papers, chance: Random) -> None:
        self._papers = papers
        self.root = papers.root
        self.newest = Evictions.none()
        self._left = chance.sample(range(1, POOL + 1), POOL)
        self._certificates: dict[Identifier, Certificate] = {}
        self._plans = 0
        self._valid: dict[tuple[Identifier, int], bool] = {}
        self.losses: Callable[[], Losses] = lambda: Losses((), ())
        self.signed: Callable[[Planned], None] = lambda planned: None

    def admit(self) -> Identifier:
        """Another node."""
        certificate = self._papers.certificate(self._left.pop())
        self._certificates[certificate.identifier] = certificate
        return certificate.identifier

    def certificate(self, node: Identifier) -> Certificate:
        """Of a node that was admitted."""
        return self._certificates[node]

    def nodes(self) -> list[Identifier]:
        """Everybody who was admitted."""
        return list(self._certificates)

    def accepts(self, node: Identifier, now: float) -> bool:
        """Whether a program whose clock says `now` takes a node's certificate for valid."""
        known = (node, int(now / HOUR_SECONDS))
        if known not in self._valid:
            try:
                verify_chain(self._certificates[node], self._papers.admitter, self.root, now)
                self._valid[known] = True
            except Misbehaved:
                self._valid[known] = False
        return self._valid[known]

    def named(self, node: Identifier) -> Admitted:
        """A node as the operator names it."""
        return Admitted(Role.NODE, self._certificates[node].serial, node)

    # -- as crypto.authority.Authority

    def admitted(self) -> list[Admitted]:
        return [self.named(node) for node in self._certificates]

    def evict_entries(self, entries: Iterable[Evicted], known: Evictions, now: float) -> Evictions:
        start = known if known.supersedes(self.newest) else self.newest
        self.newest = self._papers.evicted(start, entries)
        return self.newest

    def plans(self) -> int:
        return self._plans

    def order(self, label: str, generation: int, body: bytes) -> Order:
        signed = self._papers.order(label, generation, body)
        if label == PLAN:
            if generation <= self._plans:
                raise UserError("Another plan of that generation was signed meanwhile. Run it again.")
            self._plans = generation
            self.signed(Planned(generation, unpack(Plan, body), self.losses()))
        return signed


@lru_cache
def ring_papers() -> Papers:
    """One ring for all runs: its certificates are made once."""
    return Papers("ring of the fault schedules")
