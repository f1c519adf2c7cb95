"""A small ring with people on this machine: child processes in a folder that goes away with them."""

import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twisted.internet.error import ConnectError
from twisted.internet.task import deferLater
from twisted.protocols import amp

from p2pchat.cli.control import open_link
from p2pchat.cli.programs import AGENT, NODE, start_child
from p2pchat.cli.ring_watch import open_admin
from p2pchat.crypto.authority import Authority
from p2pchat.errors import P2PChatError, TimedOut
from p2pchat.server import commands as server
from p2pchat.server.status import NodeRow
from p2pchat.wire.connection import Link, call

STEP_SECONDS = 90.0
"""A step that takes longer has failed; on two quiet cores each takes a few seconds."""

LOOK_SECONDS = 0.1
END_SECONDS = 5.0
"""How long the programs may take to end when they are told to."""

MAX_LOG_BYTES = 20_000

READY = {
    NODE: re.compile(r"p2pchat-server ready: node (\S+) ring (\S+) on (\S+) clients (\S+)"),
    AGENT: re.compile(r"p2pchat-client ready: home (.+) on (\S+)"),
}


@dataclass(slots=True)
class Program:
    """One child: its folder, its process, and what its line of readiness said."""

    folder: Path
    process: "subprocess.Popen[bytes]"
    ready: tuple[str, ...] = ()

    @property
    def output(self) -> Path:
        """The file of what it prints."""
        return self.folder / "output"

    def last_words(self) -> str:
        """The end of its log, for a reason."""
        logs = [
            path.read_bytes()[-MAX_LOG_BYTES:] for path in (self.output, self.folder / "twistd.log") if path.exists()
        ]
        lines = b"\n".join(logs).decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


@dataclass(slots=True)
class World:
    """All children of one demonstration; `close` leaves neither a process nor a file."""

    reactor: Any
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="p2pchat-demo-")))
    nodes: list[Program] = field(default_factory=list)
    agents: dict[str, Program] = field(default_factory=dict)
    _ended: list[Program] = field(default_factory=list)

    @property
    def authority(self) -> Path:
        """The ring's authority, for nodes that admit themselves."""
        return self.folder / "authority"

    def create_ring(self) -> None:
        """Make the authority."""
        Authority.create(self.authority, "demo", 4, 1024, time.time())

    async def start_nodes(self, count: int) -> None:
        """Start nodes on addresses of their own: one, then the others, who join it."""
        await self._ready(self._start_node(1, []), NODE)
        first = self.nodes[0].ready[2]
        others = [self._start_node(number, ["--join", first]) for number in range(2, count + 1)]
        for each in others:
            await self._ready(each, NODE)

    async def add_node(self) -> Program:
        """Start one more node, which joins the first one; returns when it is ready."""
        program = self._start_node(len(self.nodes) + 1, ["--join", self.nodes[0].ready[2]])
        await self._ready(program, NODE)
        return program

    async def start_again(self, killed: Sequence[Program]) -> None:
        """Start killed nodes on their old disks, with other ports: one, then the others, who are told of it."""
        first, *others = [int(each.folder.name.removeprefix("node")) for each in killed]
        await self._ready(program := self._start_node(first, []), NODE)
        for each in [self._start_node(number, ["--join", program.ready[2]]) for number in others]:
            await self._ready(each, NODE)

    async def start_beside(self, killed: Program, other: Program) -> None:
        """Start a killed node on its old disk, with other ports; it is told of one that lives."""
        number = int(killed.folder.name.removeprefix("node"))
        await self._ready(self._start_node(number, ["--join", other.ready[2]]), NODE)

    def _start_node(self, number: int, options: Sequence[str]) -> Program:
        host = f"127.0.0.{number}"
        told = ["--ring", f"{host}:0", "--clients", f"{host}:0", "--no-multicast", "--authority", str(self.authority)]
        program = self._start(NODE, f"node{number}", lambda folder: ["--data", str(folder), *told, *options])
        self.nodes.append(program)
        return program

    async def start_agent(
        self,
        person: str,
        servers: Sequence[str],
        locator: amp.CommandLocator | None = None,
        options: Sequence[str] = (),
    ) -> Link:
        """Start somebody's agent, in the same home as before if there is one; a link to its control socket."""
        known = [word for each in servers for word in ("--server", each)]
        told = ["--listen", "127.0.0.1:0", "--no-multicast", *known, *options]
        program = self._start(AGENT, person, lambda folder: ["--home", str(folder), *told])
        self.agents[person] = program
        await self._ready(program, AGENT)
        return await self.link(person, locator)

    async def link(self, person: str, locator: amp.CommandLocator | None = None) -> Link:
        """A link to the control socket of somebody's agent."""
        try:
            return await open_link(self.reactor, self.agents[person].folder, locator)
        except (ConnectError, OSError) as error:
            raise P2PChatError(f"The agent of {person} does not answer: {error}") from error

    def _start(self, kind: str, name: str, options: Callable[[Path], list[str]]) -> Program:
        folder = self.folder / name
        folder.mkdir(mode=0o700, exist_ok=True)
        output = folder / "output"
        output.unlink(missing_ok=True)
        return Program(folder, start_child(kind, options(folder), folder, output))

    async def _ready(self, program: Program, kind: str) -> None:
        async def look() -> bool:
            found = READY[kind].search(program.output.read_text(errors="replace"))
            if found is not None:
                program.ready = found.groups()
            elif program.process.poll() is not None:
                raise P2PChatError(f"{program.folder.name} ended at once: {program.last_words()}")
            return found is not None

        await self.until(look, f"{program.folder.name} does not get ready")

    async def until(self, look: Callable[[], Awaitable[bool]], otherwise: str) -> None:
        """Look again and again; TimedOut with `otherwise` if it does not come to pass."""
        until = self.reactor.seconds() + STEP_SECONDS
        while not await look():
            if self.reactor.seconds() > until:
                raise TimedOut(f"{otherwise} (waited {STEP_SECONDS:g} s)")
            await deferLater(self.reactor, LOOK_SECONDS)

    async def rows(self, program: Program) -> list[NodeRow]:
        """The ring as one node sees it."""
        link = await open_admin(self.reactor, program.folder)
        try:
            answer = await call(link, self.reactor, server.AskRing, timeout=STEP_SECONDS, after=0)
        finally:
            link.close()
        return [NodeRow.parse(each) for each in answer["nodes"]]

    def kill(self, *programs: Program) -> None:
        """End programs as a power cut does, all at once."""
        for each in programs:
            each.process.kill()
        for each in programs:
            each.process.wait()
            self.nodes.remove(each)
            self._ended.append(each)

    async def stop_agent(self, person: str) -> None:
        """End somebody's agent politely."""
        program = self.agents.pop(person)
        program.process.send_signal(signal.SIGTERM)

        async def ended() -> bool:
            return program.process.poll() is not None

        self._ended.append(program)
        await self.until(ended, f"the agent of {person} does not end")

    def close(self) -> None:
        """End everything and remove the folder."""
        programs = [*self.nodes, *self.agents.values(), *self._ended]
        for each in programs:
            if each.process.poll() is None:
                each.process.terminate()
        until = time.monotonic() + END_SECONDS
        for each in programs:
            try:
                each.process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                each.process.kill()
                each.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def keep_logs(self, place: Path) -> None:
        """Copy what the programs wrote, before the folder goes away."""
        for program in [*self.nodes, *self.agents.values(), *self._ended]:
            kept = place / program.folder.name
            kept.mkdir(parents=True, exist_ok=True)
            for name in ("output", "twistd.log"):
                if (program.folder / name).exists():
                    shutil.copy(program.folder / name, kept / name)
