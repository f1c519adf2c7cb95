"""A ring on five hosts and three people on hosts of another network; every wait is for something that can be seen.

A ring takes a while to form, so tests share one and leave it whole; a test that fails has it made anew for the next.
"""

import atexit
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from twisted.trial.unittest import SynchronousTestCase

from tests.cluster import drivers
from tests.cluster.hosts import Host, Hosts
from tests.end_to_end.stage import Answer, Row, until

WAIT_SECONDS = 120.0
"""For anything that takes a few seconds on a quiet machine."""

WRONG = 4
"""The exit status for a wrong user or password."""

SERVERS = 5
SMALL_DISK_MEBIBYTES = 64
"""That of the last server."""

NAMES = ("ana", "bob", "cat")
PASSWORD = "correct horse battery staple cluster"


def figure(text: str) -> None:
    """Tell a measured figure to whoever reads the tests' output."""
    sys.stderr.write(f"[figure] {text}\n")


@dataclass(slots=True)
class Person:
    """Somebody at a home on a client's host: that of the host's own agent, or another one beside it."""

    name: str
    host: Host
    place: str = "home"

    def __call__(self, *words: str, timeout: float = 60.0, status: int | None = 0) -> Answer:
        """Run a command with `--json`; AssertionError if it exits with another status."""
        told = ["--home", self.home, "--json", "--timeout", str(timeout)]
        answer = self.host.run("p2pchat", *words, *told, seconds=timeout + 60)
        if status is not None and answer.status != status:
            log = "" if self.host.runs else "(its host does not run)"
            raise AssertionError(f"{self.name}: {words} exited with {answer.status}\n{answer.errors}\n{log}{self.log}")
        return answer

    @property
    def home(self) -> str:
        """The agent's folder."""
        return f"{self.host.folder}/{self.place}"

    @property
    def password_file(self) -> str:
        """A file with everybody's password."""
        return f"{self.host.folder}/password"

    @property
    def log(self) -> str:
        """The end of the agent's log."""
        return self.host.log

    def register(self, name: str | None = None, **expected: Any) -> Answer:
        """Make an account."""
        return self("register", name or self.name, "--password-file", self.password_file, **expected)

    def texts_from(self, other: "Person") -> list[str]:
        """What came from somebody, oldest first."""
        rows = self("history", other.name, "--limit", "2000").rows
        return [row["text"] for row in rows if row["from"] == other.name]

    def end(self) -> None:
        """End the agent of a home beside the host's own, which runs in the background."""
        ended = self.host.run("sh", "-c", f"kill $(cat {self.home}/agent.lock)")
        assert ended.status == 0, ended.errors

    def gateway(self) -> str | None:
        """The node that the agent talks to."""
        row = self("status").row
        return str(row["node"]) if row["connected"] else None


@dataclass(slots=True)
class Stage:
    """The ring and the people."""

    hosts: Hosts = field(default_factory=drivers.hosts)
    servers: list[Host] = field(default_factory=list)
    people: list[Person] = field(default_factory=list)
    nodes: dict[str, str] = field(default_factory=dict)
    """The node on each server, which stays what it is wherever the server goes."""

    def open(self) -> None:
        """Start everything, and wait until the ring has its full size."""
        self.hosts.open()
        disks = {number: self.hosts.disk(f"server{number}") for number in range(1, SERVERS)}
        disks[SERVERS] = self.hosts.disk(f"server{SERVERS}", SMALL_DISK_MEBIBYTES)
        self.hosts.admit(disks)
        for number, disk in disks.items():
            self.servers.append(self.hosts.start_host(f"server{number}", "servers", 10 + number, disk))
        for number, name in enumerate(NAMES, 1):
            disk = self.hosts.disk(f"client{number}")
            host = self.hosts.start_host(f"client{number}", "clients", 10 + number, disk)
            self.people.append(Person(name, host))
            written = host.run("sh", "-c", f"cat >{host.folder}/password", typed=PASSWORD)
            assert written.status == 0, written.errors
        self.until_whole()
        at = {row["address"]: row["node"] for row in self.status(self.servers[0])}
        self.nodes = {each.name: at[f"{each.address}:7401"] for each in self.servers}
        for person in self.people:
            person.register()

    def close(self) -> None:
        """Remove everything."""
        self.hosts.close()

    def status(self, server: Host) -> list[Row]:
        """`ring status` of one node; empty if it does not answer."""
        answer = server.run("p2pchat", "ring", "status", "--json")
        return answer.rows if answer.status == 0 else []

    def until_whole(self, servers: Sequence[Host] | None = None) -> float:
        """Wait until each of these sees all of them at their addresses, with every copy; how many seconds it took."""
        servers = servers or self.servers
        began = time.monotonic()
        wanted = {f"{each.address}:7401" for each in servers}
        shown: dict[str, list[Row]] = {}

        def look() -> bool:
            for each in servers:
                shown[each.name] = rows = self.status(each)
                if not sees_whole(rows, wanted):
                    return False
            return True

        try:
            until(look, "the ring does not get whole", WAIT_SECONDS)
        except AssertionError as error:
            rows = "\n".join(f"{name}: {json.dumps(row)}" for name, rows in shown.items() for row in rows)
            logs = "\n".join(f"-- {each.name}\n{each.log[-2000:]}" for each in servers)
            raise AssertionError(f"{error}\n{rows}\n{logs}") from None
        return time.monotonic() - began


def sees_whole(rows: list[Row], wanted: set[str]) -> bool:
    """Whether a node sees just these addresses ready, with nothing missing."""
    ready = [row for row in rows if row["state"] == "ready"]
    size = min(len(wanted), 5)
    full = [row for row in ready if row["deficit"] == 0 and row["members"] == {"least": size, "wanted": size}]
    return {row["address"] for row in ready} == wanted and len(full) >= size


class _Shared:
    """What the tests of one process share."""

    stage: Stage | None = None
    removals: ClassVar[list[Callable[[], None]]] = []


def shared_stage() -> Stage:
    """The stage that tests share."""
    if _Shared.stage is None:
        began = time.monotonic()
        _Shared.stage = Stage()
        _Shared.stage.hosts.prepare()
        kind = type(_Shared.stage.hosts).__name__.lower()
        figure(f"{kind} can be made after {time.monotonic() - began:.0f} s")
        began = time.monotonic()
        try:
            _Shared.stage.open()
        except BaseException:
            drop_stage()
            raise
        figure(f"a ring of {SERVERS} with {len(NAMES)} people stands after {time.monotonic() - began:.0f} s")
    return _Shared.stage


def drop_stage() -> None:
    """Remove it; the next test makes another."""
    stage, _Shared.stage = _Shared.stage, None
    if stage is not None:
        stage.close()


def _ended(*_: object) -> None:
    """Remove everything also when the tests are ended from outside, and more than once."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for each in (drop_stage, *_Shared.removals):
        each()
    os._exit(1)


def remove_at_end(what: Callable[[], None]) -> None:
    """Do this too when the tests are ended from outside."""
    signal.signal(signal.SIGTERM, _ended)
    _Shared.removals.append(what)


atexit.register(drop_stage)


class ClusterCase(SynchronousTestCase):
    """A test on the shared stage, which it leaves whole."""

    skip = drivers.missing() or None

    def setUp(self) -> None:
        signal.signal(signal.SIGTERM, _ended)
        self._passed = False
        self.stage = shared_stage()
        self.addCleanup(self._look_back)
        self.ana, self.bob, self.cat = self.stage.people

    def whole(self) -> float:
        """Wait until the ring is whole, which ends a test; seconds."""
        seconds = self.stage.until_whole()
        self._passed = True
        return seconds

    def _look_back(self) -> None:
        if not self._passed:
            drop_stage()

    def somebody_new(self, name: str, host: Host) -> Person:
        """At a home of their own beside the host's agent; that agent knows the ring when this returns."""
        person = Person(name, host, name)
        # A login that must fail: only a node of the ring can say so.
        self.eventually(
            lambda: person("login", f"no-{name}", "--password-file", person.password_file, status=None).status == WRONG,
            f"{name} finds no ring",
        )
        return person

    def both_write(self, one: Person, other: Person, text: str) -> None:
        """Each writes to the other, and both get it."""
        for writer, reader in ((one, other), (other, one)):
            writer("send", reader.name, f"{text} from {writer.name}", "--wait", "delivered")
            self.assertEqual(reader.texts_from(writer)[-1], f"{text} from {writer.name}")

    def until_delivered(self, sender: Person, receiver: Person, text: str) -> None:
        """Wait until what was sent last is there, or tell what its sender knows of it."""
        try:
            self.eventually(
                lambda: receiver.texts_from(sender)[-1:] == [text], f"{receiver.name} does not get {text!r}"
            )
        except AssertionError as error:
            last = [row for row in sender("history", receiver.name).rows if row["text"] == text][-1]
            trace = sender("why", last["id"]).output
            raise AssertionError(f"{error}\n{trace}\n{sender.log}\n-- {receiver.name}\n{receiver.log}") from None

    def eventually(self, look: Callable[[], Any], otherwise: str) -> Any:
        """Wait for something that can be seen."""
        return until(look, otherwise, WAIT_SECONDS)
