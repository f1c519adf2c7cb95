"""Answers commands about slots by asking the service."""

from typing import Any

from twisted.protocols import amp

from p2pchat.identifiers import Identifier
from p2pchat.replication import commands
from p2pchat.replication.requests import Request
from p2pchat.replication.service import ReplicationService


class ReplicationLocator(amp.CommandLocator):
    """Answers one node, known by its certificate."""

    def __init__(self, replication: ReplicationService, caller: Identifier) -> None:
        self._replication = replication
        self._caller = caller

    async def _answer(self, request: Request) -> dict[str, Any]:
        return {"reply": await self._replication.answer(self._caller, request)}

    @commands.PrepareRegister.responder
    async def prepare_register(self, request: Request) -> dict[str, Any]:
        return await self._answer(request)

    @commands.AcceptRegister.responder
    async def accept_register(self, request: Request) -> dict[str, Any]:
        return await self._answer(request)

    @commands.ReadRegister.responder
    async def read_register(self, request: Request) -> dict[str, Any]:
        return await self._answer(request)

    @commands.AddItems.responder
    async def add_items(self, request: Request) -> dict[str, Any]:
        return await self._answer(request)

    @commands.ListItems.responder
    async def list_items(self, request: Request) -> dict[str, Any]:
        return await self._answer(request)

    @commands.MarkItems.responder
    async def mark_items(self, request: Request) -> dict[str, Any]:
        return await self._answer(request)

    @commands.BuryItems.responder
    async def bury_items(self, request: Request) -> dict[str, Any]:
        return await self._answer(request)

    @commands.CollectItems.responder
    async def collect_items(self, request: Request) -> dict[str, Any]:
        return await self._answer(request)

    @commands.LookAtItems.responder
    async def look_at_items(self, request: Request) -> dict[str, Any]:
        return await self._answer(request)

    @commands.AskConfigurations.responder
    async def ask_configurations(self, request: Request) -> dict[str, Any]:
        return await self._answer(request)

    @commands.Nominate.responder
    async def nominate(self, request: Request) -> dict[str, Any]:
        return await self._answer(request)

    @commands.Elect.responder
    async def elect(self, request: Request) -> dict[str, Any]:
        return await self._answer(request)

    @commands.Announce.responder
    async def announce(self, request: Request) -> dict[str, Any]:
        return await self._answer(request)

    @commands.Stand.responder
    async def stand(self, request: Request) -> dict[str, Any]:
        return await self._answer(request)

    @commands.Pull.responder
    async def pull(self, request: Request) -> dict[str, Any]:
        return await self._answer(request)

    @commands.Copy.responder
    async def copy(self, request: Request) -> dict[str, Any]:
        return await self._answer(request)

    @commands.CompareSlots.responder
    async def compare_slots(self, request: Request) -> dict[str, Any]:
        return await self._answer(request)

    @commands.Mirror.responder
    async def mirror(self, request: Request) -> dict[str, Any]:
        return await self._answer(request)

    @commands.Follow.responder
    async def follow(self, request: Request) -> dict[str, Any]:
        return await self._answer(request)
