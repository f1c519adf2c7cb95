"""Two agents write to each other while node after node is killed: nothing is lost, doubled or out of order."""

from collections.abc import Sequence
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import LoopingCall, deferLater
from twisted.protocols import amp
from twisted.trial.unittest import TestCase

from p2pchat.cli.control import ask, open_link
from p2pchat.client import commands
from p2pchat.errors import P2PChatError
from p2pchat.wire.connection import Link
from tests.end_to_end.stage import Node, Person, Row, Stage

MESSAGES = 1000
"""In each direction."""

WRITE_SECONDS = 30.0
"""Over which they are written, so that several nodes die meanwhile."""

KILL_SECONDS = 5.0
WAIT_SECONDS = 150.0
LOOK_SECONDS = 0.5


class Ear(amp.CommandLocator):
    """Keeps the texts that an agent tells of, as they come."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    @commands.Happened.responder
    def happened(self, event: Row) -> dict[str, Any]:
        """One event."""
        if event["event"] == "message":
            self.texts.append(event["text"])
        return {}


class Writer:
    """Somebody's agent, asked over its control socket."""

    def __init__(self, person: Person, other: Person, link: Link, ear: Ear) -> None:
        self.person, self.other, self.link, self.heard = person, other, link, ear.texts
        self.written: list[str] = []
        self._queued: list[Deferred[None]] = []

    @classmethod
    async def open(cls, person: Person, other: Person) -> "Writer":
        """Connect and follow."""
        ear = Ear()
        writer = cls(person, other, await open_link(reactor, person.home, ear), ear)
        await writer.ask(commands.Follow)
        return writer

    async def ask(self, command: type[amp.Command], **arguments: Any) -> dict[str, Any]:
        """Put one command to the agent; what it logged is told with a failure."""
        try:
            return await ask(self.link, reactor, command, WAIT_SECONDS, **arguments)
        except P2PChatError as error:
            raise AssertionError(f"{command.__name__} failed: {error}\n{self.person.log}") from error

    def write_until(self, count: int) -> None:
        """Have `count` messages written in all; they go out in this order."""
        for number in range(len(self.written), count):
            text = f"{self.person.name} {number}"
            self.written.append(text)
            self._queued.append(Deferred.fromCoroutine(self._send(text)))

    async def _send(self, text: str) -> None:
        answer = await self.ask(commands.Send, to=self.other.name, text=text, wait="queued", timeout=WAIT_SECONDS)
        assert answer["status"] == 0, answer

    async def all_queued(self) -> None:
        """Wait until all that was written is on the agent's disk."""
        await gatherResults(self._queued, consumeErrors=True)

    async def history(self) -> list[Row]:
        """The whole chat, oldest first."""
        rows: list[Row] = []
        more = True
        while more:
            before = {"before": rows[0]["id"]} if rows else {}
            page = await self.ask(commands.History, user=self.other.name, limit=500, **before)
            rows = page["messages"] + rows
            more = page["more"] and bool(page["messages"])
        return rows


class Fire:
    """Kills one node every few seconds, and starts it again in the same place."""

    def __init__(self, stage: Stage, nodes: Sequence[Node]) -> None:
        self._stage, self._nodes, self.killed = stage, list(nodes), 0
        self._loop = LoopingCall(self._kill_one)

    def start(self) -> None:
        """Begin with a kill."""
        self._ended = self._loop.start(KILL_SECONDS)

    async def stop(self) -> None:
        """Kill no more."""
        if self._loop.running:
            self._loop.stop()
        await self._ended

    def _kill_one(self) -> None:
        place = self.killed % len(self._nodes)
        old = self._nodes[place]
        old.kill()
        addresses = ["--ring", old.address, "--clients", old.clients, "--no-multicast"]
        join = self._nodes[(place + 1) % len(self._nodes)].address
        new = self._stage.spawn(*addresses, "--join", join, data=old.data)
        new.name, new.address, new.clients = old.name, old.address, old.clients
        self._nodes[place] = new
        self.killed += 1


class UnderFireTests(TestCase):
    """A ring of its own, whose nodes die."""

    timeout = 400

    def setUp(self) -> None:
        self.stage = Stage()
        self.addCleanup(self.stage.close)
        self.nodes = self.stage.start_ring(5)
        self.ana = self.stage.person("fire-ana", *self.nodes)
        self.bob = self.stage.person("fire-bob", *reversed(self.nodes))
        self.ana.register()
        self.bob.register()

    async def test_nothing_is_lost_doubled_or_out_of_order(self) -> None:
        writers = [await Writer.open(self.ana, self.bob), await Writer.open(self.bob, self.ana)]
        for each in writers:
            self.addCleanup(each.link.close)
        fire = Fire(self.stage, self.nodes)
        fire.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(fire.stop()))
        await self.write(writers)
        await fire.stop()
        self.assertGreaterEqual(fire.killed, 5)
        await self.until_heard(writers)
        await self.until_delivered(writers)
        for here, there in (writers, reversed(writers)):
            # What is late by more than two seconds is told of late, too; in the chat it takes its place.
            self.assertEqual(sorted(there.heard), sorted(here.written))
            rows = await there.history()
            self.assertEqual([row["text"] for row in rows if row["from"] == here.person.name], here.written)
            self.assertEqual(len({row["id"] for row in rows}), 2 * MESSAGES)

    async def write(self, writers: Sequence[Writer]) -> None:
        """All messages, spread over the time of the fire."""
        began = reactor.seconds()
        while (passed := reactor.seconds() - began) < WRITE_SECONDS:
            for each in writers:
                each.write_until(int(MESSAGES * passed / WRITE_SECONDS))
            await deferLater(reactor, 0.1)
        for each in writers:
            each.write_until(MESSAGES)
            await each.all_queued()

    async def until_heard(self, writers: Sequence[Writer]) -> None:
        """Wait until each has heard as many messages as the other wrote, or one text twice."""
        until = reactor.seconds() + WAIT_SECONDS
        while any(len(each.heard) < MESSAGES for each in writers):
            self.assertLess(reactor.seconds(), until, [len(each.heard) for each in writers])
            await deferLater(reactor, LOOK_SECONDS)

    async def until_delivered(self, writers: Sequence[Writer]) -> None:
        """Wait until each sees all of its messages delivered."""
        until = reactor.seconds() + WAIT_SECONDS
        for each in writers:
            while late := await self.undelivered(each):
                self.assertLess(reactor.seconds(), until, f"{len(late)} are not delivered: {late[:3]}")
                await deferLater(reactor, LOOK_SECONDS)

    async def undelivered(self, writer: Writer) -> list[Row]:
        """Messages of one's own that are not yet known to be delivered."""
        rows = await writer.history()
        return [row for row in rows if row["from"] == writer.person.name and row["state"] not in ("delivered", "read")]
