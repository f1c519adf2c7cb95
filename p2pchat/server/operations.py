"""Answers operators who change something: what they bring is signed by the ring's authority, and checked."""

from collections.abc import Callable
from typing import Any

from twisted.protocols import amp

from p2pchat.identifiers import Identifier
from p2pchat.server import commands
from p2pchat.server.survey import Survey, Survivor
from p2pchat.wire.bulletins import PART_BYTES, AskBulletin, Bulletins, Kind


class SurvivorLocator(amp.CommandLocator):
    """What another node may ask after majorities were lost."""

    def __init__(self, survivor: Survivor) -> None:
        self._survivor = survivor

    @commands.AskKnown.responder
    def ask_known(self, after: Identifier | None = None) -> dict[str, Any]:
        return self._survivor.known(after)

    @commands.SealSlots.responder
    async def seal_slots(self, order: bytes, offset: int) -> dict[str, Any]:
        report = await self._survivor.seal(order)
        return {"total": len(report), "part": report[offset : offset + PART_BYTES]}


class OperationsLocator(amp.CommandLocator):
    """What an operator may have a node do.

    Args:
        ring: ours.
        nodes: how many other nodes are connected.
    """

    def __init__(self, ring: bytes, bulletins: Bulletins, survey: Survey, nodes: Callable[[], int]) -> None:
        self._ring, self._bulletins, self._survey, self._nodes = ring, bulletins, survey, nodes

    @AskBulletin.responder
    def ask_bulletin(self, kind: int, offset: int) -> dict[str, Any]:
        return self._bulletins.answer(kind, offset)

    @commands.TakeEvictions.responder
    def take_evictions(self, evictions: bytes) -> dict[str, Any]:
        told = self._nodes()
        self._bulletins.learn(Kind.EVICTIONS, evictions)
        return {"number": self._bulletins.number(Kind.EVICTIONS), "told": told}

    @commands.AskSurvivors.responder
    async def ask_survivors(self, given_up: list[Identifier]) -> dict[str, Any]:
        found = await self._survey.look(given_up)
        return {
            "survivors": sorted(found.survivors),
            "missing": sorted(found.missing),
            "drained": sorted(found.drained),
            "generation": found.generation,
        }

    @commands.SealRing.responder
    async def seal_ring(self, order: bytes) -> dict[str, Any]:
        total, empty, doubtful = await self._survey.seal(order)
        return {"total": total, "empty": empty, "doubtful": doubtful}

    @commands.AskDraft.responder
    def ask_draft(self, offset: int) -> dict[str, Any]:
        return {"part": self._survey.draft(offset)}

    @commands.TakePlan.responder
    def take_plan(self, signature: bytes, signer: bytes) -> dict[str, Any]:
        return {"generation": self._survey.sign(self._ring, signature, signer)}
