"""Answers commands about presence: one locator for each link to an agent, one for each link to a node."""

from typing import Any

from twisted.protocols import amp

from p2pchat.heartbeat import commands
from p2pchat.heartbeat.beats import SignedBeat
from p2pchat.heartbeat.service import HeartbeatService
from p2pchat.identifiers import Identifier
from p2pchat.wire.connection import Link


class AgentHeartbeatLocator(amp.CommandLocator):
    """What an agent may ask its gateway."""

    def __init__(self, heartbeat: HeartbeatService, link: Link) -> None:
        self._heartbeat, self._link = heartbeat, link

    @commands.Beat.responder
    async def beat(self, **values: Any) -> dict[str, object]:
        standing = await self._heartbeat.beat(self._link, SignedBeat.parse(values))
        return {
            "epoch": standing.epoch,
            "sequence": standing.sequence,
            "mailbox_version": standing.mailbox_version,
        }

    @commands.Watch.responder
    async def watch(self, users: list[str], seen_key: bytes | None = None) -> dict[str, object]:
        known = await self._heartbeat.watches.watch(self._link, users, seen_key)
        return {
            "presences": [
                {"user": user, "presence": presence, "last_seen": last_seen}
                for user, (presence, last_seen) in known.items()
            ]
        }

    @commands.Unwatch.responder
    async def unwatch(self, users: list[str]) -> dict[str, object]:
        self._heartbeat.watches.unwatch(self._link, users)
        return {}


class NodeHeartbeatLocator(amp.CommandLocator):
    """What a node may ask or tell another about presence."""

    def __init__(self, heartbeat: HeartbeatService, node: Identifier) -> None:
        self._heartbeat, self._node = heartbeat, node

    @commands.ReportBeats.responder
    async def report_beats(self, beats: list[dict[str, Any]]) -> dict[str, object]:
        answers = await self._heartbeat.report(self._node, [SignedBeat.parse(each) for each in beats])
        return {
            "answers": [
                {
                    "account": account,
                    "epoch": standing.epoch,
                    "sequence": standing.sequence,
                    "mailbox_version": standing.mailbox_version,
                }
                for account, standing in answers
            ]
        }

    @commands.WatchAccounts.responder
    async def watch_accounts(
        self, accounts: list[Identifier], keys: list[dict[str, Any]] | None = None
    ) -> dict[str, object]:
        shown = [(each["account"], each["seen_key"]) for each in keys or ()]
        return dict(self._heartbeat.owner.watch(self._node, accounts, shown))

    @commands.AskLastSeen.responder
    def ask_last_seen(self, account: Identifier, seen_key: bytes) -> dict[str, object]:
        return {"last_seen": self._heartbeat.owner.last_seen.of(account, seen_key)}

    @commands.AnnouncePresence.responder
    async def announce_presence(
        self, presences: list[dict[str, Any]], shown: list[dict[str, Any]] | None = None
    ) -> dict[str, object]:
        self._heartbeat.watches.learn(self._node, presences, shown or ())
        return {}
