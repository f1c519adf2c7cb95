"""Answers operators (admin.sock, and the ring port with an operator certificate) and other nodes about this node."""

from collections.abc import Callable
from typing import Any

from twisted.protocols import amp

from p2pchat.replication.configuration import shown_epoch
from p2pchat.server import commands
from p2pchat.server.rows import RingRows, hop_values
from p2pchat.server.users import Users


class NodeStatusLocator(amp.CommandLocator):
    """What a node may ask another about itself."""

    def __init__(self, rows: RingRows, now: Callable[[], float]) -> None:
        self._rows, self._now = rows, now

    @commands.AskStatus.responder
    async def ask_status(self) -> dict[str, Any]:
        return (await self._rows.own()).values()

    @commands.AskClock.responder
    def ask_clock(self) -> dict[str, Any]:
        return {"now": int(self._now() * 1000)}


class OperatorLocator(amp.CommandLocator):
    """What an operator may ask a node."""

    def __init__(self, rows: RingRows, users: Users) -> None:
        self._rows, self._users = rows, users

    @commands.AskStatus.responder
    async def ask_status(self) -> dict[str, Any]:
        return (await self._rows.own()).values()

    @commands.AskRing.responder
    async def ask_ring(self, after: int) -> dict[str, Any]:
        rows, following = await self._rows.page(after)
        return {"nodes": [row.values() for row in rows], "next": following}

    @commands.AskTrace.responder
    async def ask_trace(self, target: str) -> dict[str, Any]:
        point, hops, trace = await self._rows.trace(target)
        return {
            "identifier": point,
            "hops": hop_values(hops),
            "slot": trace.slot,
            "epoch": shown_epoch(trace.epoch),
            "members": trace.members,
            "owner": trace.owner,
            "copies": trace.copies,
        }

    @commands.AskUsers.responder
    async def ask_users(self, after: str) -> dict[str, Any]:
        page = await self._users.page(after)
        return {"users": [{"name": each.name, "owner": each.owner, "owned": each.owned} for each in page]}
