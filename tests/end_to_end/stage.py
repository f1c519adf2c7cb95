"""A ring of real nodes and people with homes of their own; every wait is for something that can be seen.

Rings take seconds to form, so tests share one (`ring_of_five`), each with users of its own; a test that kills nodes
makes its own ring.  Whatever is started ends with the process that runs the tests.
"""

import atexit
import contextlib
import ctypes
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

WAIT_SECONDS = 90.0
"""For anything that takes a few seconds on a quiet machine."""

LOOK_SECONDS = 0.2

READY = re.compile(r"^p2pchat-server ready: node (\S+) ring (\S+) on (\S+) clients (\S+)", re.MULTILINE)

TWISTD = "from twisted.scripts.twistd import run; run()"
DIE_WITH_PARENT = 1
MAX_LOG_BYTES = 6000

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command did."""

    status: int
    output: str
    errors: str

    @property
    def rows(self) -> list[Row]:
        """Its JSON lines."""
        return [json.loads(line) for line in self.output.splitlines()]

    @property
    def row(self) -> Row:
        """Its only JSON line."""
        (row,) = self.rows
        return row


def until(look: Callable[[], Any], otherwise: str, seconds: float = WAIT_SECONDS) -> Any:
    """Look until it is true; AssertionError with `otherwise` if it does not come to pass."""
    end = time.monotonic() + seconds
    while True:
        if found := look():
            return found
        if time.monotonic() > end:
            raise AssertionError(f"{otherwise} (waited {seconds:g} s)")
        time.sleep(LOOK_SECONDS)


def surroundings(folder: Path) -> dict[str, str]:
    """An environment in which no option is set and no home of the tester is found."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("P2PCHAT_", "XDG_"))}
    return {**kept, "HOME": str(folder), "LC_ALL": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}


def p2pchat(
    *words: str, folder: Path, typed: str | None = None, seconds: float = WAIT_SECONDS, within: Sequence[str] = ()
) -> Answer:
    """Run the p2pchat command; `within` is what stands before a command so that it runs on another host."""
    start = [*within, sys.executable, "-P", "-m", "p2pchat.cli.main"]
    # Files and not pipes: an agent that was started in the background must not keep the test waiting.
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        done = subprocess.run(
            [*start, *words],
            cwd=folder,
            env=surroundings(folder),
            input=None if typed is None else typed.encode(),
            stdin=subprocess.DEVNULL if typed is None else None,
            stdout=output,
            stderr=errors,
            timeout=seconds + 60,
            check=False,
        )
        for file in (output, errors):
            file.seek(0)
        return Answer(done.returncode, output.read().decode(), errors.read().decode())


def die_with_parent() -> None:
    """In a child, before it begins: Linux ends it when the tests end, however they end."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    """A port that was free a moment ago."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def group() -> str:
    """A multicast group and port that nobody else is likely to use."""
    return f"239.192.{random.randrange(1, 255)}.{random.randrange(1, 255)}:{free_port(socket.SOCK_DGRAM)}"


@dataclass(slots=True)
class Node:
    """One node's process."""

    data: Path
    process: "subprocess.Popen[bytes]"
    name: str = ""
    ring: str = ""
    address: str = ""
    clients: str = ""

    @property
    def log(self) -> str:
        """The end of what it wrote."""
        return (self.data / "log").read_bytes()[-MAX_LOG_BYTES:].decode(errors="replace")

    def kill(self) -> None:
        """End it as a power cut does."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """End it politely; its exit status."""
        self.process.terminate()
        return self.process.wait(WAIT_SECONDS)


@dataclass(slots=True)
class Person:
    """Somebody with a home, who knows some nodes."""

    stage: "Stage"
    name: str
    home: Path
    servers: list[str]
    password: Path

    def __call__(self, *words: str, typed: str | None = None, timeout: float = 60.0, status: int | None = 0) -> Answer:
        """Run a command with `--json` in this home; AssertionError if it exits with another status."""
        told = ["--home", str(self.home), "--json", "--timeout", str(timeout)]
        answer = p2pchat(*words, *told, *self.agent_options, folder=self.stage.folder, typed=typed, seconds=timeout)
        if status is not None and answer.status != status:
            logs = "\n".join(each.log for each in self.stage.nodes[:1])
            raise AssertionError(f"{words} exited with {answer.status}\n{answer.errors}\n{self.log}\n-- node\n{logs}")
        return answer

    @property
    def agent_options(self) -> list[str]:
        """For an agent that has to be started."""
        servers = [word for each in self.servers for word in ("--server", each)]
        return ["--no-multicast", "--listen", "127.0.0.1:0", *servers]

    @property
    def log(self) -> str:
        """The end of the agent's log."""
        path = self.home / "agent.log"
        return path.read_bytes()[-MAX_LOG_BYTES:].decode(errors="replace") if path.exists() else "(no agent.log)"

    @property
    def pid(self) -> int | None:
        """The agent's process, if one runs."""
        try:
            pid = int((self.home / "agent.lock").read_text().strip() or "0")
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError):
            return None
        return pid if str(self.home).encode() in command else None

    def register(self) -> Row:
        """Make an account."""
        return self("register", self.name, "--password-file", str(self.password)).row

    def login(self, *words: str, **expected: Any) -> Answer:
        """Log in."""
        return self("login", self.name, "--password-file", str(self.password), *words, **expected)

    def texts_from(self, other: "Person") -> list[str]:
        """What came from somebody, in order."""
        rows = self("history", other.name).rows
        return [row["text"] for row in rows if row["from"] == other.name]

    def stop_agent(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the agent, and wait until it has ended."""
        pid = self.pid
        if pid is not None:
            os.kill(pid, how)
            until(lambda: self.pid is None, f"the agent of {self.name} does not end")


@dataclass(slots=True)
class Stage:
    """A folder with an authority, nodes and homes."""

    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="p2pchat-test-")))
    nodes: list[Node] = field(default_factory=list)
    people: list[Person] = field(default_factory=list)
    count: int = 0

    def __post_init__(self) -> None:
        atexit.register(self.close)

    @property
    def authority(self) -> Path:
        """The ring's authority, made at first use."""
        folder = self.folder / "authority"
        if not folder.exists():
            answer = p2pchat("ring", "create", str(folder), folder=self.folder)
            assert answer.status == 0, answer.errors
        return folder

    def spawn(self, *options: str, data: Path | None = None, program: str = TWISTD, within: Sequence[str] = ()) -> Node:
        """Start a node and do not wait for it; `within` as for `p2pchat`."""
        self.count += 1
        data = data or self.folder / f"node{self.count}"
        data.mkdir(exist_ok=True)
        command = [*within, sys.executable, "-P", "-c", program, "-n", "--pidfile=", "p2pchat-server"]
        with (data / "log").open("wb") as log:
            process = subprocess.Popen(
                [*command, "--data", str(data), *options],
                cwd=self.folder,
                env=surroundings(self.folder),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent,
            )
        node = Node(data, process)
        self.nodes.append(node)
        return node

    def spawn_member(self, join: Node | None = None, data: Path | None = None, program: str = TWISTD) -> Node:
        """Start a node of this ring on an address of its own."""
        host = f"127.0.0.{self.count % 200 + 2}"
        joining = ["--join", join.address] if join is not None else []
        authority = str(self.authority)
        addresses = ["--ring", f"{host}:0", "--clients", f"{host}:0"]
        return self.spawn(*addresses, "--no-multicast", "--authority", authority, *joining, data=data, program=program)

    def ended(self, node: Node) -> int:
        """Wait until a node has ended by itself; its exit status."""
        return int(until(lambda: node.process.poll() is not None and [node.process.returncode], node.log)[0])

    def ready(self, node: Node) -> Node:
        """Wait for a node's line of readiness."""

        def look() -> bool:
            found = READY.search((node.data / "log").read_text(errors="replace"))
            if found is not None:
                node.name, node.ring, node.address, node.clients = found.groups()
            elif node.process.poll() is not None:
                raise AssertionError(f"a node exited with {node.process.returncode}:\n{node.log}")
            return found is not None

        until(look, f"a node does not get ready:\n{node.log}")
        return node

    def start_ring(self, count: int) -> list[Node]:
        """A ring whose slots have their full size."""
        first = self.ready(self.spawn_member())
        nodes = [first, *(self.spawn_member(first) for _ in range(count - 1))]
        for node in nodes:
            self.ready(node)
        self.wait_for_growth(nodes)
        return nodes

    def wait_for_growth(self, nodes: list[Node], wanted: int | None = None) -> None:
        """Wait until every one of these nodes sees all of them ready, and full configurations."""
        size = wanted or (5 if len(nodes) >= 5 else 3 if len(nodes) >= 3 else 1)

        def look() -> bool:
            for node in nodes:
                rows = [row for row in self.status(node) if row["state"] == "ready"]
                if {row["node"] for row in rows} != {each.name for each in nodes}:
                    return False
                # A node that came late may hold nothing yet: better places are given away after two minutes only.
                holding = [row["members"] for row in rows if row["slots"]]
                if len(holding) < size or any(each != {"least": size, "wanted": size} for each in holding):
                    return False
            return True

        try:
            until(look, "the ring does not grow")
        except AssertionError as error:
            rows = "\n".join(json.dumps(row) for row in self.status(nodes[0]))
            raise AssertionError(f"{error}\n{rows}\n{nodes[0].log}") from None

    def status(self, node: Node) -> list[Row]:
        """`ring status` of one node; empty if it does not answer yet."""
        answer = p2pchat("ring", "status", "--data", str(node.data), "--json", folder=self.folder)
        return answer.rows if answer.status == 0 else []

    def trace(self, name: str) -> Row:
        """Where an account lies, as `ring trace` of some living node says."""
        node = next(each for each in self.nodes if each.process.poll() is None)
        answer = p2pchat("ring", "trace", name, "--data", str(node.data), "--json", folder=self.folder)
        assert answer.status == 0, answer.errors
        return answer.row

    def person(self, name: str, *nodes: Node, home: str | None = None) -> Person:
        """Somebody new, or the same person at another home."""
        password = self.folder / f"password-{name}"
        if not password.exists():
            password.write_text(f"correct horse {name} battery\n")
        chosen = [node.clients for node in nodes or self.nodes]
        person = Person(self, name, self.folder / f"home-{home or name}", chosen, password)
        self.people.append(person)
        return person

    def close(self) -> None:
        """End everything and remove the folder."""
        atexit.unregister(self.close)
        for node in self.nodes:
            if node.process.poll() is None:
                node.process.kill()
                node.process.wait()
        for person in self.people:
            if (pid := person.pid) is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)


@cache
def ring_of_five() -> Stage:
    """The ring that tests share; nobody kills its nodes."""
    stage = Stage()
    stage.start_ring(5)
    return stage
