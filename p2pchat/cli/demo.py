"""`p2pchat demo`: a ring of five nodes and two people on this machine, with a script or with the chat screen."""

import argparse
import contextlib
import os
import secrets
import signal
import sys
from collections.abc import Iterator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as OutOfTime
from twisted.protocols import amp

from p2pchat.cli import control, running
from p2pchat.cli.control import ANSWER_SECONDS
from p2pchat.cli.demo_world import STEP_SECONDS, Program, World
from p2pchat.cli.screens import watching
from p2pchat.client import commands
from p2pchat.errors import P2PChatError, TimedOut
from p2pchat.tui import run
from p2pchat.tui.palette import theme_of
from p2pchat.tui.preferences import Preferences
from p2pchat.wire.connection import Link

NODES = 5
LETTERS = 10
"""Messages for bob while he is away."""

HISTORY_LINES = 100

ANSWERS = (
    "Hello alice! Everything you write here is sealed for me alone.",
    "I am a few lines of Python behind an agent of my own.",
    "Press F1 for help, Ctrl-q to leave: then this ring is gone, with every file of it.",
)


def demo(options: argparse.Namespace) -> int:
    """Play the script (`--check`, or without a terminal), or end in alice's chat screen."""
    script = options.check or not (sys.stdin.isatty() and sys.stdout.isatty())

    async def act(reactor: Any) -> int:
        signal.signal(signal.SIGHUP, lambda *_: reactor.callFromThread(reactor.stop))
        worlds.append(World(reactor))
        play = Play(worlds[0])
        try:
            await play.meet()
            await (play.script() if script else play.screen())
        except P2PChatError as error:
            if options.logs is not None:
                worlds[0].keep_logs(options.logs)
            raise P2PChatError(f"The demo failed at {play.step!r}: {error}") from error
        return 0

    worlds: list[World] = []
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    try:
        return running.run(act)
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        for world in worlds:
            world.close()


def interrupted(*_: object) -> None:
    """A signal outside the reactor ends the demo as Ctrl-C does."""
    raise KeyboardInterrupt


class Play:
    """What happens in the demonstration, step by step."""

    def __init__(self, world: World) -> None:
        self.world, self.step = world, "start"
        self._links: dict[str, Link] = {}
        self._gateways: dict[str, str] = {}

    @contextlib.contextmanager
    def doing(self, step: str) -> Iterator[None]:
        """A step: named in a failure, and a line with its seconds when it is done."""
        self.step = step
        began = self.world.reactor.seconds()
        yield
        print(f"{self.world.reactor.seconds() - began:6.1f} s  {step}", flush=True)

    async def ask(self, person: str, command: type[amp.Command], **arguments: Any) -> dict[str, Any]:
        """Put a command to somebody's agent."""
        if any(name == b"timeout" for name, _ in command.arguments):
            arguments["timeout"] = STEP_SECONDS
        try:
            return await control.ask(
                self._links[person], self.world.reactor, command, STEP_SECONDS + ANSWER_SECONDS, **arguments
            )
        except OutOfTime:
            raise TimedOut(f"the agent of {person} gave no answer to {command.__name__}") from None

    async def meet(self) -> None:
        """The ring forms, and two people register."""
        world = self.world
        with self.doing(f"{NODES} nodes form a ring"):
            world.create_ring()
            await world.start_nodes(NODES)
            await world.until(self._grown, "the ring does not grow to five copies")
        for person, gateway in (("alice", 1), ("bob", 3)):
            with self.doing(f"{person} registers"):
                order = [*world.nodes[gateway:], *world.nodes[:gateway]]
                locator = Answers(self) if person == "bob" else None
                self._links[person] = await world.start_agent(person, [each.ready[3] for each in order], locator)
                password = secrets.token_urlsafe(16)
                account = (await self.ask(person, commands.Register, user=person, password=password))["account"]
                self._gateways[person] = account["node"]

    async def _grown(self) -> bool:
        """Whether every node knows the others, and every slot has five members."""
        for program in self.world.nodes:
            rows = await self.world.rows(program)
            ready = [row for row in rows if row.state == "ready" and row.members_least == row.members_wanted == NODES]
            if len(ready) < NODES:
                return False
        return True

    async def script(self) -> None:
        """What the ring promises, tried."""
        world = self.world
        with self.doing("alice writes to bob, who is online"):
            await self._send("Hello bob", "delivered")
        with self.doing("bob goes away"):
            await world.stop_agent("bob")
        with self.doing(f"alice writes {LETTERS} messages, which the ring stores"):
            letters = [f"letter {number}" for number in range(1, LETTERS + 1)]
            copies = [(await self._send(letter, "stored"))["copies"] for letter in letters]
            if min(copies) < 3:
                raise P2PChatError(f"a message was called stored with {min(copies)} copies")
        with self.doing("two nodes are killed at once"):
            world.kill(*self._victims())
        with self.doing("bob comes back through another node and gets all of them, once and in order"):
            self._links["bob"] = await world.start_agent("bob", [each.ready[3] for each in reversed(world.nodes)])
            await world.until(lambda: self._has(["Hello bob", *letters]), "bob does not get everything")
        with self.doing("alice sees that they are delivered"):
            await world.until(self._delivered, "alice does not see everything delivered")

    def _victims(self) -> list[Program]:
        """Two nodes: the one that bob was at, and another that alice is not at."""
        nodes = sorted(self.world.nodes, key=lambda node: node.ready[0] != self._gateways["bob"])
        return [node for node in nodes if node.ready[0] != self._gateways["alice"]][:2]

    async def _send(self, text: str, wait: str) -> dict[str, Any]:
        answer = await self.ask("alice", commands.Send, to="bob", text=text, wait=wait)
        if answer["status"]:
            raise P2PChatError(answer["reason"])
        sent: dict[str, Any] = answer["sent"]
        return sent

    async def _has(self, texts: list[str]) -> bool:
        got = [message["text"] for message in await self._history("bob", "alice")]
        if len(got) > len(texts) or got != texts[: len(got)]:
            raise P2PChatError(f"bob has {got}")
        return got == texts

    async def _delivered(self) -> bool:
        sent = await self._history("alice", "bob")
        return len(sent) == LETTERS + 1 and all(each["state"] in ("delivered", "read") for each in sent)

    async def _history(self, person: str, other: str) -> list[dict[str, Any]]:
        answer = await self.ask(person, commands.History, user=other, limit=HISTORY_LINES)
        messages: list[dict[str, Any]] = answer["messages"]
        return messages

    async def screen(self) -> None:
        """Alice's chat screen, with a bob who answers."""
        await self.ask("bob", commands.Follow)
        await self._send("Hello bob", "delivered")
        self.step = "the chat screen"
        home = self.world.agents["alice"].folder
        link = self.world.link
        reactor = self.world.reactor
        watch = watching(reactor, self.world.nodes[0].folder)
        await run.chat(
            reactor, lambda each: link("alice", each), home, Preferences(), theme_of(os.environ), "bob", watch
        )


class Answers(amp.CommandLocator):
    """Bob, who has something to say to each message."""

    def __init__(self, play: Play) -> None:
        self._play, self._count = play, 0

    @commands.Happened.responder
    def happened(self, event: dict[str, Any]) -> dict[str, Any]:
        """Answer alice's messages, after the agent's call is answered."""
        if event.get("event") == "message" and event.get("from") == "alice":
            self._play.world.reactor.callLater(0, lambda: Deferred.fromCoroutine(self._answer(str(event["text"]))))
        return {}

    async def _answer(self, text: str) -> None:
        answer = ANSWERS[self._count] if self._count < len(ANSWERS) else f"You wrote {len(text)} characters."
        self._count += 1
        with contextlib.suppress(P2PChatError):
            await self._play.ask("bob", commands.MarkRead, user="alice")
            await self._play.ask("bob", commands.Send, to="alice", text=answer, wait="queued")
