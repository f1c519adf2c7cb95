"""A ring in memory for agents: the nodes' own services and locators, a clock, and agents with real homes."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.protocols import amp

from p2pchat.accounts.locator import AgentAccountsLocator
from p2pchat.accounts.proving import Proving
from p2pchat.accounts.service import AccountsService
from p2pchat.chat.syncing import PlainDisk
from p2pchat.client.agent import Agent
from p2pchat.client.conversations import Conversations
from p2pchat.client.door import Door
from p2pchat.client.home import Home
from p2pchat.client.keyring import ACTIVE
from p2pchat.client.people import People
from p2pchat.client.surroundings import Surroundings
from p2pchat.client.ways import Ways
from p2pchat.crypto.identity import Identity
from p2pchat.errors import NoNodeReachable, P2PChatError
from p2pchat.heartbeat import commands as heartbeat
from p2pchat.identifiers import Address, Identifier
from p2pchat.mailbox.locator import AgentMailboxLocator
from p2pchat.mailbox.service import MailboxService
from p2pchat.wire.bulletins import Bulletins
from p2pchat.wire.connection import Link
from p2pchat.wire.faults import error_of, read_answer
from p2pchat.wire.locators import Locators
from tests.accounts.memory import MemoryReplication
from tests.crypto.keys import CHEAP, RING, Drawn, identity
from tests.wire.network import MemoryNetwork

NODE = Identifier(0xABCD << 240)
PASSWORD = "correct horse battery"
START = 1_760_000_000.0


class PresenceLocator(amp.CommandLocator):
    """Who beat last is online."""

    def __init__(self, ring: "MemoryRing") -> None:
        self._ring = ring

    @heartbeat.Beat.responder
    async def beat(self, **said: Any) -> dict[str, object]:
        await self._ring.accounts.verify(
            *(said["user"], said["epoch"], said["sequence"], said["counter"]),
            "beat",
            said["presence"].encode(),
            said["signature"],
        )
        self._ring.beats[said["user"]] = said["presence"]
        epoch, sequence = self._ring.accounts.standing(said["user"])
        return {"epoch": epoch, "sequence": sequence, "mailbox_version": self._ring.version}

    @heartbeat.Watch.responder
    def watch(self, users: list[str], seen_key: bytes | None = None) -> dict[str, object]:
        return {"presences": [{"user": each, "presence": self._ring.presence(each)} for each in users]}

    @heartbeat.Unwatch.responder
    def unwatch(self, users: list[str]) -> dict[str, object]:
        return {}


class MemoryRing:
    """One node that is a whole ring; `down` makes it unreachable, `lose` loses single answers of work that was done."""

    def __init__(self, clock: Clock) -> None:
        self.clock, self.replication = clock, MemoryReplication(self.now_ms)
        self.beats: dict[str, str] = {}
        self.agents: list[MemoryGateway] = []
        self.down = False
        self.version = 0
        self.calls: list[str] = []
        self.lose: list[str] = []
        proving = Proving(NODE, self._no_call, lambda _: NODE, at_once, clock)
        self.accounts = AccountsService(
            NODE,
            RING,
            self.replication,  # type: ignore[arg-type]
            self._no_call,
            proving,
            self.push,
            clock,
            self.now_ms,
        )
        self.mailbox = MailboxService(
            NODE,
            RING,
            self.replication,  # type: ignore[arg-type]
            self._no_call,
            self.accounts.verify,
            lambda _: NODE,
            lambda _: NODE,
            lambda _: None,
            self.push,
            clock,
            bytes(32),
            1,
        )
        self.replication.on_added.append(lambda *_: self._mail_came())
        self.locators = Locators(
            [
                AgentAccountsLocator(self.accounts, "192.0.2.1", list),
                AgentMailboxLocator(self.mailbox, lambda: "192.0.2.1"),
                PresenceLocator(self),
            ]
        )

    def now_ms(self) -> int:
        return int(1000 * (START + self.clock.seconds()))

    async def _no_call(self, *_: Any, **__: Any) -> dict[str, Any]:
        raise NoNodeReachable("There is no other node.")

    def push(self, user: str, command: type[amp.Command], /, **arguments: Any) -> int:
        for each in self.agents:
            each.pushed(command, arguments)
        return 1

    def _mail_came(self) -> None:
        self.version += 1
        for each in self.agents:
            active = each.agent_of().active
            if active is not None:
                active.mailbox_version(self.version)

    def presence(self, user: str) -> str:
        return heartbeat.ONLINE if self.beats.get(user) == heartbeat.VISIBLE else heartbeat.OFFLINE

    async def answer(self, command: type[amp.Command], arguments: dict[str, Any]) -> dict[str, Any]:
        """One call, through the bytes of its box and back."""
        self.calls.append(command.__name__)
        link = Link(self.clock)
        box = command.makeArguments(arguments, link)
        responder = self.locators.locateResponder(command.commandName)
        if responder is None:
            raise NoNodeReachable(f"nothing answers {command.__name__}")
        try:
            answer = await responder(box)
        except amp.RemoteAmpError as error:
            raise error_of(command, error.errorCode, str(error.description)) from None
        if command.__name__ in self.lose:
            self.lose.remove(command.__name__)
            raise NoNodeReachable("The answer was lost.")
        return read_answer(command, answer, link)


class KnownList:
    """A list of evictions that proves itself: number and bytes."""

    def __init__(self) -> None:
        self.number, self.encoded = 0, b""

    def learn(self, encoded: bytes) -> bool:
        """Keep a later one."""
        newer = len(encoded) > self.number
        if newer:
            self.number, self.encoded = len(encoded), encoded
        return newer


class MemoryGateway(Service):
    """Stands for client.gateway.Gateway."""

    def __init__(
        self, ring: MemoryRing, locators: Callable[[Any], Sequence[amp.CommandLocator]], agent_of: Any
    ) -> None:
        self.ring, self.agent_of = ring, agent_of
        self._locators = locators
        self.peer, self.node, self.link = None, "abcd0000", object()
        self.bulletins = Bulletins(ring.clock, KnownList())
        ring.agents.append(self)

    async def __call__(
        self,
        command: type[amp.Command],
        /,
        *,
        timeout: float = 10.0,
        signed: Callable[[], dict[str, Any]] = dict,
        **arguments: Any,
    ) -> Any:
        if self.ring.down:
            raise NoNodeReachable("No node of the ring is reachable.")
        return await self.ring.answer(command, {**arguments, **signed()})

    async def connected(self, timeout: float) -> None:
        if self.ring.down:
            raise NoNodeReachable("No node of the ring is reachable.")

    def pushed(self, command: type[amp.Command], arguments: dict[str, Any]) -> None:
        responder = Locators(list(self._locators(None))).locateResponder(command.commandName)
        if responder is not None and not self.ring.down:
            Deferred.fromCoroutine(_ask(responder, command.makeArguments(arguments, Link(self.ring.clock))))


async def _ask(responder: Callable[[Any], Any], box: Any) -> None:
    await responder(box)


def at_once(slow: Callable[..., Any], *arguments: Any) -> Any:
    """Stands for a thread; identities are fixed, because making RSA keys takes seconds."""
    if slow == Identity.generate:
        return succeed(identity(*arguments))
    try:
        return succeed(slow(*arguments))
    except P2PChatError as error:
        failed: Deferred[Any] = Deferred()
        failed.errback(error)
        return failed


class Person:
    """An agent on its home, with what its followers were told."""

    def __init__(
        self,
        ring: MemoryRing,
        path: Path,
        seed: int,
        keep_keys: bool = True,
        network: MemoryNetwork | None = None,
        encrypt: bool = False,
    ) -> None:
        self.door, self.address = Door(), Address(f"192.0.2.{seed}", 7000)
        if network is not None:
            network.ports[self.address] = self.door
        self.home = Home(path, sync=lambda _: None)
        self.home.lock()
        self.events: list[dict[str, Any]] = []

        async def find() -> list[Any]:
            return []

        clock = ring.clock
        around = Surroundings(
            clock,
            lambda: START + clock.seconds(),
            random.Random(seed),
            Drawn(seed),
            at_once,  # type: ignore[arg-type]
            network.reach if network is not None else _no_network,
            find,
            PlainDisk(lambda _: None),
        )

        def gateway(*arguments: Any) -> Any:
            return MemoryGateway(ring, arguments[7], lambda: self.agent)

        reached = [self.address]
        self.agent = Agent(around, self.home, [], keep_keys, lambda: reached, self.door, encrypt, gateway, CHEAP)
        self._pin()
        self.agent.followers.listen(self.events.append)
        self.ways, self.people = Ways(self.agent), People(self.agent)
        self.talk = Conversations(self.agent, self.people)
        self.agent.startService()

    def _pin(self) -> None:
        """The ring has no certificate that could lie in the home: what the agent read before is read again."""
        self.agent.pin.ring = RING
        self.agent.keyring.load(RING)
        self.agent._close_history()
        self.agent.open_history()
        if self.agent.keyring.state == ACTIVE:
            self.agent._begin()

    def stop(self) -> None:
        """As the process ends."""
        self.agent.stopService()
        self.agent.close()

    def texts(self, user: str) -> list[str]:
        """The history with somebody."""
        return [each["text"] for each in self.talk.history(user, 100, None, None, False)[0]]

    def state(self, identifier: str) -> str:
        """How far a message is."""
        return str(self.talk.why(identifier)[0]["state"])


def _no_network(_address: Any) -> Any:
    raise NoNodeReachable("There is no network in this test.")
