"""Runs beside an agent, on its host: writes to people all the time and notes what comes, until its input ends.

    chatter.py HOME EVERY NAME...

EVERY is the time between two messages to each person, in seconds.  At the end it prints what it
wrote and noted, as one JSON object.
Times are of the machine's monotonic clock, which containers and namespaces of one machine share; each text carries when
it was written.
"""

import json
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from twisted.internet import stdio
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.protocol import Protocol
from twisted.internet.task import LoopingCall, deferLater, react
from twisted.protocols import amp

from p2pchat.cli.control import ask, open_link
from p2pchat.client import commands
from p2pchat.wire.connection import Link

ANSWER_SECONDS = 120.0
DELIVERY_SECONDS = 240.0
"""For what is still under way when the writing has ended."""

LOOK_SECONDS = 0.5
PAGE = 500


class Ear(amp.CommandLocator):
    """Notes when messages come, and how long they took."""

    def __init__(self) -> None:
        super().__init__()
        self.came: dict[str, list[float]] = {}
        self.delays: dict[str, list[float]] = {}

    @commands.Happened.responder
    def happened(self, event: dict[str, Any]) -> dict[str, Any]:
        """One event; only messages of a chatter have a time in them."""
        if event["event"] == "message" and event["text"].startswith("chatter "):
            now = time.monotonic()
            self.came.setdefault(event["from"], []).append(now)
            self.delays.setdefault(event["from"], []).append(now - float(event["text"].rpartition(" ")[2]))
        return {}

    def silence(self, name: str) -> float:
        """The longest time between two messages of somebody."""
        came = self.came.get(name, [])
        return max((later - sooner for sooner, later in pairwise(came)), default=0.0)


class Chatter:
    """The writer."""

    def __init__(self, reactor: Any, link: Link, names: list[str]) -> None:
        self._reactor, self._link = reactor, link
        self.written: dict[str, list[str]] = {name: [] for name in names}
        self._queued: list[Deferred[dict[str, Any]]] = []

    def write(self) -> None:
        """One message to each."""
        for name, texts in self.written.items():
            text = f"chatter {len(texts)} {time.monotonic():.3f}"
            texts.append(text)
            words = {"to": name, "text": text, "wait": "queued", "timeout": ANSWER_SECONDS}
            self._queued.append(Deferred.fromCoroutine(self._ask(commands.Send, **words)))

    async def queued(self) -> None:
        """Wait until all of it is on the agent's disk."""
        for answer in await gatherResults(self._queued, consumeErrors=True):
            if answer["status"]:
                raise RuntimeError(answer["reason"])

    async def undelivered(self) -> int:
        """How many messages stay undelivered."""
        end = self._reactor.seconds() + DELIVERY_SECONDS
        while True:
            late = [await self._undelivered(name, texts) for name, texts in self.written.items()]
            if not sum(late) or self._reactor.seconds() > end:
                return sum(late)
            await deferLater(self._reactor, LOOK_SECONDS)

    async def _undelivered(self, name: str, texts: list[str]) -> int:
        states: dict[str, str] = {}
        more: dict[str, Any] = {}
        while True:
            page = await self._ask(commands.History, user=name, limit=PAGE, **more)
            states |= {row["text"]: row["state"] for row in page["messages"] if row["to"] == name}
            if not (page["more"] and page["messages"]):
                return sum(states.get(text) not in ("delivered", "read") for text in texts)
            more = {"before": page["messages"][0]["id"]}

    async def _ask(self, command: type[amp.Command], **arguments: Any) -> dict[str, Any]:
        return await ask(self._link, self._reactor, command, ANSWER_SECONDS, **arguments)


class InputEnds(Protocol):
    """Fires when standard input ends."""

    def __init__(self, over: "Deferred[None]") -> None:
        self._over = over

    def connectionLost(self, reason: Any = None) -> None:
        """It ended."""
        self._over.callback(None)


async def run(reactor: Any, home: str, every: str, *names: str) -> None:
    """Write until told to end."""
    ear = Ear()
    link = await open_link(reactor, Path(home), ear)
    chatter = Chatter(reactor, link, list(names))
    await ask(link, reactor, commands.Follow, ANSWER_SECONDS)
    over: Deferred[None] = Deferred()
    stdio.StandardIO(InputEnds(over))
    loop = LoopingCall(chatter.write)
    ended = loop.start(float(every))
    await over
    loop.stop()
    await ended
    await chatter.queued()
    undelivered = await chatter.undelivered()
    report = {
        "written": chatter.written,
        "undelivered": undelivered,
        "silence": {name: ear.silence(name) for name in ear.came},
        "delay": {name: max(delays) for name, delays in ear.delays.items()},
    }
    sys.__stdout__.write(json.dumps(report) + "\n")  # type: ignore[union-attr]
    sys.__stdout__.flush()  # type: ignore[union-attr]
    link.close()


if __name__ == "__main__":
    react(lambda reactor: Deferred.fromCoroutine(run(reactor, *sys.argv[1:])))
