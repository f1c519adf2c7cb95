"""The authority's part after majorities are lost: give nodes up, seal the others, and sign how they go on.

Nothing is changed before everybody is accounted for.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from p2pchat.crypto.authority import Admitted
from p2pchat.crypto.certificates import Certificate, Role
from p2pchat.crypto.encoding import split
from p2pchat.crypto.evictions import Evicted, Evictions
from p2pchat.crypto.orders import PLAN, SEAL, Order
from p2pchat.errors import Misbehaved
from p2pchat.identifiers import Identifier, to_bytes
from p2pchat.server import commands
from p2pchat.server.survey import refuse_missing
from p2pchat.wire.bulletins import Kind, fetched

Ask = Callable[..., Awaitable[dict[str, Any]]]
"""Puts one command to the operator's node."""


class Signs(Protocol):
    """What this needs of `crypto.authority.Authority`."""

    @property
    def root(self) -> Certificate: ...
    def admitted(self) -> list[Admitted]: ...
    def evict_entries(self, entries: Iterable[Evicted], known: Evictions, now: float) -> Evictions: ...
    def plans(self) -> int: ...
    def order(self, label: str, generation: int, body: bytes) -> Order: ...


@dataclass(frozen=True, slots=True)
class Succeeded:
    """How the ring goes on.

    Attributes:
        evictions: the number of the list that names whom it goes on without.
        empty, doubtful: how many slots nobody has anything of, and of how many less than a majority is left.
    """

    generation: int
    evictions: int
    survivors: tuple[Identifier, ...]
    empty: int
    doubtful: int


class Succeeding:
    """One run, step by step.

    Args:
        lost: whom to give up.
        now: seconds since 1970.
    """

    def __init__(self, authority: Signs, lost: Sequence[Admitted], ask: Ask, now: float) -> None:
        self._authority, self._lost, self._ask, self._now = authority, lost, ask, now

    async def run(self) -> Succeeded:
        """Account for everybody, evict, seal, plan.

        Raises:
            UserError: a node is missing that was not given up.
            And whatever the node answers; running it again is safe.
        """
        authority, now = self._authority, self._now
        known = Evictions.parse(await fetched(self._ask, Kind.EVICTIONS), authority.root, now)
        before = [each for each in authority.admitted() if (each.role, each.serial) in known.entries]
        given_up = {each.identifier for each in [*self._lost, *before]}
        found = await self._ask(commands.AskSurvivors, given_up=sorted(given_up))
        accounted = given_up | set(found["survivors"]) | set(found["drained"])
        refuse_missing(set(found["missing"]) | (self._nodes() - accounted))
        signed = authority.evict_entries([(each.role, each.serial) for each in self._lost], known, now)
        await self._ask(commands.TakeEvictions, evictions=signed.encoded)
        generation = max(found["generation"], authority.plans()) + 1
        drafted = await self._sealed(generation, given_up)
        plan = authority.order(PLAN, generation, await self._draft(drafted["total"]))
        await self._ask(commands.TakePlan, **_pieces(plan))
        survivors = tuple(found["survivors"])
        return Succeeded(generation, signed.number, survivors, drafted["empty"], drafted["doubtful"])

    def _nodes(self) -> set[Identifier]:
        """Every node that this authority ever admitted."""
        return {each.identifier for each in self._authority.admitted() if each.role is Role.NODE}

    async def _sealed(self, generation: int, given_up: set[Identifier]) -> dict[str, Any]:
        body = b"".join(map(to_bytes, sorted(given_up)))
        return await self._ask(commands.SealRing, order=self._authority.order(SEAL, generation, body).encoded)

    async def _draft(self, total: int) -> bytes:
        whole = b""
        while len(whole) < total:
            part = (await self._ask(commands.AskDraft, offset=len(whole)))["part"]
            if not part:
                raise Misbehaved("The plan that was drafted ends too early.")
            whole += part
        return whole


def _pieces(plan: Order) -> dict[str, bytes]:
    """The signature and the certificate of who signed; the node has the rest."""
    _, signature, signer = split(plan.encoded, 3)
    return {"signature": signature, "signer": signer}
