"""The move of a conversation to another home, on real processes: how long it takes, and what it survives.

python -m benchmarks.handover [--messages N] [--kills N] [--kill-messages N] [--nodes N] [--seed S] [--json]

First one move of N messages, with somebody writing meanwhile.  Then moves whose old or new agent is killed (-9) at
random moments and started again, until so many were killed; after each move every message must be there, once.
"""

import argparse
import contextlib
import json
import random
import secrets
import shutil
import statistics
import time
from datetime import datetime
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.task import deferLater
from twisted.protocols import amp

from benchmarks.costs import cpu_ms
from benchmarks.installed import compile_modules
from p2pchat.cli import running
from p2pchat.cli.demo_world import World
from p2pchat.client import commands
from p2pchat.client.entrance import ACCEPTED
from p2pchat.client.rows import iso
from p2pchat.errors import P2PChatError
from p2pchat.logs import TWISTD_LOG
from p2pchat.wire.connection import Link, call

PAGE = 500
CALL_SECONDS = 60.0
BEGAN_MS = 1_750_000_000_000
KILL_SECONDS = (0.0, 1.5)
"""Between two kills: as long as an agent takes to come back, and a little of its work."""
LOOK_SECONDS = 0.05
FIRST = "to the new home"
TEXT = "people talk about moving from one home to another and about what comes along with it"
GONE = (P2PChatError, ConnectionLost, ConnectionDone, CancelledError, OSError)


def main() -> None:
    """Measure, then tear; figures as they come."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=50_000, help="in the move that is timed; 0: none (50000)")
    parser.add_argument("--kills", type=int, default=200, help="agents to kill during moves (200)")
    parser.add_argument("--kill-messages", type=int, default=4_000, help="in each of those moves (4000)")
    parser.add_argument("--nodes", type=int, default=5, help="of the ring (5)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments to kill (1)")
    parser.add_argument("--json", action="store_true", help="one JSON object for each part")
    options = parser.parse_args()
    compile_modules()

    async def act(reactor: Any) -> None:
        world = World(reactor)
        try:
            world.create_ring()
            await world.start_nodes(options.nodes)
            if options.messages:
                show(options.json, await Move(world, "alice").timed(options.messages))
            if options.kills:
                show(options.json, await Torn(world, random.Random(options.seed)).soak(options))
        finally:
            world.close()

    running.run(act)


def show(as_json: bool, figures: dict[str, Any]) -> None:
    """One part's figures."""
    if as_json:
        print(json.dumps(figures), flush=True)
        return
    for name, value in figures.items():
        print(f"{name:<60} {value:10.2f}" if isinstance(value, float) else f"{name:<60} {value:>10}", flush=True)


def conversation(count: int, chance: random.Random) -> list[dict[str, Any]]:
    """Rows as `import` takes them: texts of 5 to 30 words between alice and somebody."""
    rows = []
    for number in range(count):
        mine = number % 2 == 0
        rows.append(
            {
                "id": chance.randbytes(16).hex(),
                "from": "alice" if mine else "bob",
                "to": "bob" if mine else "alice",
                "text": " ".join(chance.choices(TEXT.split(), k=chance.randrange(5, 30))) + f" {number}",
                "sent_at": iso(BEGAN_MS + 1000 * number),
                "received_at": iso(BEGAN_MS + 1000 * number + 100),
                "state": "read",
                "copies": 0,
                "chat": "bob",
            }
        )
    return rows


class Arrivals(amp.CommandLocator):
    """When a message came that was written to the new home."""

    def __init__(self) -> None:
        self.first: Deferred[float] = Deferred()

    @commands.Happened.responder
    def happened(self, event: dict[str, Any]) -> dict[str, Any]:
        """One event of the agent."""
        if event.get("event") == "message" and event.get("text") == FIRST and not self.first.called:
            self.first.callback(time.time())
        return {}


class Move:
    """One account that moves from home to home."""

    def __init__(self, world: World, user: str) -> None:
        self.world, self.user, self.password = world, user, secrets.token_urlsafe(16)
        self.servers = [each.ready[3] for each in world.nodes]

    async def ask(self, link: Link, command: Any, **arguments: Any) -> dict[str, Any]:
        """One call to an agent."""
        answer: dict[str, Any] = await call(link, self.world.reactor, command, timeout=CALL_SECONDS, **arguments)
        return answer

    async def filled(self, home: str, rows: list[dict[str, Any]]) -> Link:
        """A first home with an account and a history."""
        link = await self.world.start_agent(home, self.servers)
        await self.ask(link, commands.Register, user=self.user, password=self.password)
        for at in range(0, len(rows), PAGE):
            await self.ask(link, commands.Import, messages=rows[at : at + PAGE])
        return link

    async def state(self, link: Link) -> dict[str, Any]:
        """The session's row."""
        row: dict[str, Any] = (await self.ask(link, commands.Session))["session"]
        return row

    async def ids(self, link: Link) -> list[str]:
        """The id of every message of a home."""
        found, after, more = [], 0, True
        while more:
            page = await self.ask(link, commands.Export, after=after)
            found += [str(each["id"]) for each in page["messages"]]
            after, more = page["after"], page["more"]
        return found

    def processor(self) -> dict[str, float]:
        """Seconds of processor time so far."""
        groups = {"the old home": ["home1"], "the new home": ["home2"]}
        used = {
            name: sum(cpu_ms(self.world.agents[each].process.pid) for each in homes) for name, homes in groups.items()
        }
        used |= {"all nodes": sum(cpu_ms(each.process.pid) for each in self.world.nodes)}
        return {name: spent / 1000 for name, spent in used.items()}

    async def first_both_ways(self, new: Link, bob: Link, arrivals: "Arrivals") -> dict[str, float]:
        """Seconds from the moment at which a node had accepted the password (the agent's log says when) until the new
        home had sent one message and had got one; both are sent as soon as the login is done."""
        sending = Deferred.fromCoroutine(self.ask(new, commands.Send, to="bob", text="from here", wait="stored"))
        sending.addCallback(lambda _: time.time())
        answering = Deferred.fromCoroutine(self.ask(bob, commands.Send, to="alice", text=FIRST, wait="delivered"))
        stored: Any = (await gatherResults([sending, answering]))[0]
        received = await arrivals.first
        log = (self.world.agents["home2"].folder / TWISTD_LOG).read_text()
        rows = [json.loads(line) for line in log.splitlines()]
        (line,) = [each["time"] for each in rows if str(each["text"]).startswith(ACCEPTED)]
        accepted = datetime.fromisoformat(line).timestamp()
        return {
            "the first message is stored, s after the password was accepted": stored - accepted,
            "the first one is received, s after the password was accepted": received - accepted,
        }

    async def timed(self, count: int) -> dict[str, Any]:
        """Seconds for everything that one waits for."""
        clock, rows = self.world.reactor, conversation(count, random.Random(0))
        bob = await self.world.start_agent("bob", self.servers[::-1])
        await self.ask(bob, commands.Register, user="bob", password=secrets.token_urlsafe(16))
        await self.filled("home1", rows)
        arrivals = Arrivals()
        new = await self.world.start_agent("home2", self.servers, arrivals, ["--log-format", "json"])
        await self.ask(new, commands.Follow)
        began = clock.seconds()
        await self.ask(new, commands.Login, user=self.user, password=self.password)
        logged_in = clock.seconds()
        first = await self.first_both_ways(new, bob, arrivals)
        moving = (await self.state(new))["handover"]
        delays = [clock.seconds() - logged_in]
        before = self.processor()
        while (row := (await self.state(new)))["handover"]["state"] != "done":
            if clock.seconds() - began > CALL_SECONDS * 10:
                raise P2PChatError(f"The hand-over does not end: {row}")
            asked = clock.seconds()
            await self.ask(new, commands.Send, to="bob", text="meanwhile", wait="delivered")
            delays.append(clock.seconds() - asked)
            await deferLater(clock, LOOK_SECONDS)
        moved, after = clock.seconds() - logged_in, self.processor()
        wanted = {each["id"] for each in rows}
        found = [each for each in await self.ids(new) if each in wanted]
        for home in ("home1", "home2", "bob"):
            await self.world.stop_agent(home)
        return {
            "messages": count,
            "log in, s": logged_in - began,
            **first,
            "messages that had come by then": moving["messages"],
            "the move is over, s after the login": moved,
            **{f"processor of {name} for it, s": after[name] - before[name] for name in after},
            "meanwhile a message was delivered, s, median": statistics.median(delays),
            "the longest, s": max(delays),
            "lost": len(wanted) - len(set(found)),
            "doubled": len(found) - len(set(found)),
        }


class Torn(Move):
    """Moves whose agents are killed."""

    def __init__(self, world: World, chance: random.Random) -> None:
        super().__init__(world, "torn")
        self.chance, self.kills, self.wanted_kills, self.moving = chance, 0, 0, False
        self.old, self.new = "torn0", "torn1"

    async def soak(self, options: argparse.Namespace) -> dict[str, Any]:
        """Move on and on, until so many agents were killed."""
        rows = [
            {**each, "from": self.user if each["from"] == "alice" else "bob", "to": "bob"}
            | ({"to": self.user} if each["from"] == "bob" else {})
            for each in conversation(options.kill_messages, random.Random(0))
        ]
        wanted = {each["id"] for each in rows}
        await self.filled(self.old, rows)
        self.wanted_kills, moves, lost, doubled = options.kills, 0, 0, 0
        while self.kills < self.wanted_kills:
            await self._move()
            found = await self.ids(await self._link(self.new))
            lost, doubled = lost + len(wanted - set(found)), doubled + len(found) - len(set(found))
            await self.world.stop_agent(self.old)
            shutil.rmtree(self.world.folder / self.old)
            moves += 1
            self.old, self.new = self.new, f"torn{moves + 1}"
        return {"killed": self.kills, "in moves": moves, "messages each": len(rows), "lost": lost, "doubled": doubled}

    async def _move(self) -> None:
        """One move, until both homes say that it is done; agents are killed all the while."""
        await self.world.start_agent(self.new, self.servers)
        self.moving = True
        killing = Deferred.fromCoroutine(self._kill_on())
        try:
            while not await self._entered():
                await deferLater(self.world.reactor, LOOK_SECONDS)
            began = self.world.reactor.seconds()
            while not (await self._done(self.new) and await self._done(self.old)):
                if self.world.reactor.seconds() - began > CALL_SECONDS * 20:
                    raise P2PChatError(f"A torn move from {self.old} to {self.new} does not end.")
                await deferLater(self.world.reactor, LOOK_SECONDS)
        finally:
            self.moving = False
            await killing  # to its end, so that who was killed last is there again
            for home in (self.old, self.new):
                if self.world.agents[home].process.poll() is not None:
                    await self.world.start_agent(home, self.servers)

    async def _entered(self) -> bool:
        """Log in at the new home; an attempt that was killed is made again."""
        with contextlib.suppress(*GONE):
            link = await self._link(self.new)
            if (await self.state(link))["state"] == "active":
                return True
            await self.ask(link, commands.Login, user=self.user, password=self.password)
            return True
        return False

    async def _done(self, home: str) -> bool:
        with contextlib.suppress(*GONE):
            return bool((await self.state(await self._link(home)))["handover"]["state"] == "done")
        return False

    async def _link(self, home: str) -> Link:
        return await self.world.link(home)

    async def _kill_on(self) -> None:
        """Kill one of the two agents at a random moment, start it again, and so on."""
        while self.kills < self.wanted_kills:
            await deferLater(self.world.reactor, self.chance.uniform(*KILL_SECONDS))
            if not self.moving:
                return
            home = self.chance.choice((self.old, self.new))
            process = self.world.agents[home].process
            process.kill()
            process.wait()
            self.kills += 1
            await self.world.start_agent(home, self.servers)


if __name__ == "__main__":
    main()
