"""Asks every node that is left what it has, after majorities were lost, and drafts how the ring goes on."""

from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from p2pchat.chord.service import ChordService
from p2pchat.chord.status import NodeState
from p2pchat.crypto.certificates import Certificate
from p2pchat.crypto.encoding import T, lv, u64
from p2pchat.crypto.orders import PLAN, SEAL, Order
from p2pchat.errors import Misbehaved, P2PChatError, TryElsewhere, UserError
from p2pchat.identifiers import Identifier, from_bytes, name
from p2pchat.replication.generation import Losses, Report, named_nodes, planned
from p2pchat.replication.packing import pack, unpack
from p2pchat.replication.succession import Succession
from p2pchat.server import commands
from p2pchat.server.leaving import DrainedNodes
from p2pchat.wire.bulletins import PART_BYTES, Bulletins, Kind
from p2pchat.wire.connection import Call

ASK_SECONDS = 5.0
SEAL_SECONDS = 15.0
IDENTIFIER_BYTES = 32

V = TypeVar("V")


@dataclass(slots=True)
class Found:
    """Who was found: survivors answered, missing ones are known and did not."""

    survivors: set[Identifier] = field(default_factory=set)
    missing: set[Identifier] = field(default_factory=set)
    drained: set[Identifier] = field(default_factory=set)
    generation: int = 0


class Survivor:
    """What one node does when it is asked: it says whom it knows, seals on the authority's order, and reports."""

    def __init__(
        self,
        chord: ChordService,
        drained: DrainedNodes,
        bulletins: Bulletins,
        succession: Succession,
        order: Callable[[str, bytes], Order],
    ) -> None:
        """`order` verifies one: (label, encoded)."""
        self._chord, self._drained, self._bulletins = chord, drained, bulletins
        self._succession, self.order = succession, order

    def known(self, after: Identifier | None) -> dict[str, Any]:
        """As the answer of AskKnown."""
        nodes = sorted(node for node in self._chord.table.states() if after is None or node > after)
        return {
            "nodes": nodes[: commands.MAX_KNOWN],
            "more": len(nodes) > commands.MAX_KNOWN,
            "drained": sorted(self._drained.nodes)[: commands.MAX_KNOWN],
            "generation": self._bulletins.number(Kind.PLAN),
        }

    async def seal(self, encoded: bytes) -> bytes:
        """Stop serving earlier generations, and say what this node has: a packed Report.

        Raises:
            Misbehaved: the authority did not order it, or the order is over.
        """
        order = self.order(SEAL, encoded)
        if order.generation <= self._bulletins.number(Kind.PLAN):
            raise Misbehaved("The ring has reached that generation already.")
        return pack(await self._succession.seal(order.generation))


class Survey:
    """The operator's node: asks all others.

    Args:
        slots, replicas: of the ring.
    """

    _log = Logger()

    def __init__(
        self, chord: ChordService, call: Call, survivor: Survivor, bulletins: Bulletins, slots: int, replicas: int
    ) -> None:
        self._chord, self._call, self._survivor, self._bulletins = chord, call, survivor, bulletins
        self._slots, self._replicas = slots, replicas
        self._draft: tuple[int, bytes] | None = None
        self.losses = Losses((), ())
        """What the last draft may cost."""

    async def look(self, given_up: Iterable[Identifier]) -> Found:
        """Ask everybody whom anybody knows, except those given up."""
        found, without = Found(), set(given_up)
        waiting = {self._chord.me} - without
        while waiting:
            answers = await self._all({node: self._known(node, found) for node in waiting})
            found.survivors |= set(answers)
            found.missing |= waiting - set(answers)
            heard = set[Identifier]().union(*answers.values())
            waiting = heard - found.survivors - found.missing - without
        found.missing -= found.drained
        return found

    async def _known(self, node: Identifier, found: Found) -> set[Identifier]:
        nodes: set[Identifier] = set()
        after: Identifier | None = None
        while True:
            answer = await self._asked(node, commands.AskKnown, ASK_SECONDS, after=after)
            nodes.update(answer["nodes"])
            found.drained.update(answer["drained"])
            found.generation = max(found.generation, answer["generation"])
            if not answer["more"] or not answer["nodes"]:
                return nodes
            after = answer["nodes"][-1]

    async def seal(self, encoded: bytes) -> tuple[int, int, int]:
        """Seal every survivor, and draft a plan from what they have: its bytes, empty and doubtful slots.

        Raises:
            UserError: a node is missing that was not given up; what was sealed stays so until a plan is signed.
        """
        order = self._survivor.order(SEAL, encoded)
        starts = range(0, len(order.body), IDENTIFIER_BYTES)
        given_up = {from_bytes(order.body[start : start + IDENTIFIER_BYTES]) for start in starts}
        found = await self.look(given_up)
        refuse_missing(found.missing)
        reports = await self._all({node: self._report(node, encoded) for node in found.survivors})
        refuse_missing(found.survivors - set(reports))
        refuse_missing(named_nodes(reports) - set(reports) - given_up - found.drained)
        plan, self.losses = planned(reports, self._slots, self._replicas, order.generation)
        self._draft = order.generation, pack(plan)
        return len(self._draft[1]), len(self.losses.empty), len(self.losses.doubtful)

    async def _report(self, node: Identifier, encoded: bytes) -> Report:
        whole, total = b"", 1
        while len(whole) < total:
            answer = await self._asked(node, commands.SealSlots, SEAL_SECONDS, order=encoded, offset=len(whole))
            total = answer["total"]
            if not answer["part"]:
                break
            whole += answer["part"]
        return unpack(Report, whole)

    def draft(self, offset: int) -> bytes:
        """A part of the plan that waits for a signature."""
        return self._drafted()[1][offset : offset + PART_BYTES]

    def sign(self, ring: bytes, signature: bytes, signer: bytes) -> int:
        """Take the signature under the draft, carry it out and tell everybody; the generation.

        Raises:
            Misbehaved: that is not the authority's signature.
        """
        generation, body = self._drafted()
        statement = T(PLAN, ring, u64(generation), body)
        self._bulletins.learn(Kind.PLAN, b"".join(map(lv, (statement, signature, signer))))
        self._draft = None
        if self._chord.state is NodeState.JOINING:
            self._chord.found()
        return self._bulletins.number(Kind.PLAN)

    def _drafted(self) -> tuple[int, bytes]:
        if self._draft is None:
            raise UserError("This node has drafted no plan. Run the command again from its beginning.")
        return self._draft

    # -- asking

    async def _asked(self, node: Identifier, command: type[Any], seconds: float, **arguments: Any) -> dict[str, Any]:
        """Ask a node, and once more if that did not work: a link may just have been lost."""
        try:
            return await self._call(node, command, timeout=seconds, **arguments)
        except TryElsewhere as error:
            self._log.info("{node} does not answer: {error}", node=name(node), error=str(error))
        return await self._call(node, command, timeout=seconds, **arguments)

    async def _all(self, asked: dict[Identifier, Coroutine[Any, Any, V]]) -> dict[Identifier, V]:
        """Ask at once; those that answered."""
        answers: dict[Identifier, V] = {}

        async def take(node: Identifier, work: Coroutine[Any, Any, V]) -> None:
            try:
                answers[node] = await work
            except P2PChatError as error:
                self._log.debug("{node} gives no answer: {error}", node=name(node), error=str(error))

        for running in [Deferred.fromCoroutine(take(node, work)) for node, work in asked.items()]:
            await running
        return answers


def refuse_missing(missing: Iterable[Identifier]) -> None:
    """Refuse to go on without nodes that nobody gave up."""
    named = " ".join(sorted(map(name, missing)))
    if named:
        raise UserError(
            f"These nodes do not answer, and were not named: {named}. Start them if they exist;"
            " if they are lost for ever, name them as well."
        )


def order_reader(
    root: Certificate, now: Callable[[], float], evicts: Callable[[Certificate], bool]
) -> Callable[[str, bytes], Order]:
    """Verifies orders of one ring."""
    return lambda label, encoded: Order.parse(label, encoded, root, now(), evicts)
