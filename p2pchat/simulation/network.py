"""Messages in memory between nodes: delays, loss, duplication, reordering, cuts and crashed nodes.

A node's calls arrive at the real locators of the node that it asks.  What TCP would hide (order within a connection)
is not promised here, so the protocols above are tried harder than on a real network.
"""

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from random import Random
from types import CoroutineType
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.protocols import amp
from twisted.python.failure import Failure

from p2pchat.errors import InternalError, TryElsewhere
from p2pchat.identifiers import Identifier, name
from p2pchat.simulation.clock import HeapClock
from p2pchat.simulation.traffic import Traffic

T = TypeVar("T")
CALL_SECONDS = 5.0
"""As of `wire.connection`, which would bring all of TLS with it."""


@dataclass(frozen=True, slots=True)
class Weather:
    """What the network does to every message.

    Attributes:
        least, most: delay of a message in seconds, drawn evenly; so messages overtake each other.
        loss, duplication: chance that a message vanishes, or arrives twice, 0 to 1.
        lag, lagging: chance that a message is late, and by up to how many seconds.
    """

    least: float = 0.001
    most: float = 0.02
    loss: float = 0.0
    duplication: float = 0.0
    lag: float = 0.0
    lagging: float = 1.0


class Host:
    """One life of a node on the network; a restarted node has a new one."""

    def __init__(self, node: Identifier, locators: Callable[[Identifier], Sequence[amp.CommandLocator]]) -> None:
        self.node, self.alive = node, True
        self._locators = locators
        self._known: dict[tuple[Identifier, bytes], Any] = {}

    def responder(self, caller: Identifier, command: type[amp.Command]) -> Any:
        """The function that answers `command` of this caller, with the locator bound to it."""
        key = (caller, command.commandName)
        if key not in self._known:
            self._known[key] = self._find(caller, command)
        return self._known[key]

    def _find(self, caller: Identifier, command: type[amp.Command]) -> Any:
        for locator in self._locators(caller):
            dispatch: dict[bytes, Any] = vars(type(locator))["_commandDispatch"]
            found = dispatch.get(command.commandName)
            if found is not None:
                return found[1].__get__(locator)
        raise InternalError(f"node {name(self.node)} does not answer {command.__name__}")


class Judge(Protocol):
    """Decides for nodes with whom they have to do at all, as certificates and lists of evictions do for real ones."""

    def admits(self, node: Identifier, other: Identifier, command: type[amp.Command]) -> bool:
        """Whether `node` takes a question or an answer of `other`."""

    def refused(self, node: Identifier, by: Identifier) -> None:
        """A question of `node` was not let in."""


class Network:
    """Carries calls between the hosts that are up; `digest` is a hash over everything that was delivered."""

    def __init__(self, clock: HeapClock, chance: Random, coded: bool = False) -> None:
        self.clock, self.weather, self.coded = clock, Weather(), coded
        self.failures: list[Failure] = []
        self.messages = 0
        self.traffic: Traffic | None = None  # counts bytes where there is one
        self.signatures = Signatures()
        self.watch: Callable[[Identifier, type[amp.Command], str], None] | None = None
        """Told of a node and a command that "arrived", or is "answered"."""
        self.strike: Callable[[Identifier, str, str], None] | None = None
        """The same by the command's name, and when its turn is "written" and not durable, and an answer is "heard"."""
        self.judge: Judge | None = None
        self._chance = chance
        self._hosts: dict[Identifier, Host] = {}
        self._cuts: set[tuple[Identifier, Identifier]] = set()
        self._hash = blake2b(digest_size=16)

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()

    def note(self, *what: object) -> None:
        """Put an event into the log's hash."""
        self._hash.update(repr((self.clock.seconds(), *what)).encode())

    def attach(self, host: Host) -> None:
        self._hosts[host.node] = host

    def detach(self, node: Identifier) -> None:
        """The node crashes: nothing reaches it, and nothing that it still does has an effect."""
        if (host := self._hosts.pop(node, None)) is not None:
            host.alive = False

    def is_up(self, node: Identifier) -> bool:
        return node in self._hosts

    def cut(self, source: Identifier, target: Identifier) -> None:
        """Lose every message on the way from source to target; the way back stays open."""
        self._cuts.add((source, target))

    def partition(self, groups: Iterable[Iterable[Identifier]]) -> None:
        """Only nodes of one group hear each other."""
        sides = [frozenset(group) for group in groups]
        self._cuts = {
            (source, target)
            for side in sides
            for source in side
            for other in sides
            if other is not side
            for target in other
        }

    def mend(self) -> None:
        """No cuts any more."""
        self._cuts.clear()

    def hears(self, source: Identifier, target: Identifier) -> bool:
        """Whether a message can arrive at this moment."""
        return target in self._hosts and (source, target) not in self._cuts

    def send(self, source: Identifier, target: Identifier, function: Callable[..., object], *arguments: Any) -> None:
        """Run `function` where and when a message from source arrives, if it does; twice if it is doubled."""
        now = self.clock.seconds()
        if source == target:
            self.clock.at(now, function, *arguments)
            return
        weather, chance = self.weather, self._chance.random
        if (source, target) in self._cuts or chance() < weather.loss:
            return
        for _ in range(2 if chance() < weather.duplication else 1):
            delay = weather.least + chance() * (weather.most - weather.least)
            if chance() < weather.lag:
                delay += chance() * weather.lagging
            self.clock.at(now + delay, function, *arguments)

    def call_from(self, host: Host) -> "HostCall":
        return HostCall(self, host)

    def deliver(
        self,
        source: Host,
        target: Identifier,
        command: type[amp.Command],
        arguments: dict[str, Any],
        reply: Deferred[dict[str, Any]],
    ) -> None:
        """A request arrives: run the responder and send its answer back."""
        host = self._hosts.get(target)
        if host is None:
            return
        self.messages += 1
        self.note(source.node, target, command.commandName)
        if self.judge is not None and not self.judge.admits(target, source.node, command):
            self.send(target, source.node, self._refuse, source, target, command, reply)
            return
        if not self._survives(host, command, "arrived"):
            return
        done = False

        def answered(result: dict[str, Any] | Exception) -> None:
            nonlocal done
            done = True
            if host.alive and self._survives(host, command, "answered"):
                self.send(target, source.node, self._arrive, source, target, command, reply, result)

        drive(self._run(host, source.node, command, arguments), answered)
        if not done:
            self._survives(host, command, "written")

    def _survives(self, host: Host, command: type[amp.Command], moment: str) -> bool:
        """Whether a node is still up after whoever watches has seen this moment."""
        if self.watch is not None and moment in ("arrived", "answered"):
            self.watch(host.node, command, moment)
        if self.strike is not None and host.alive:
            self.strike(host.node, command.__name__, moment)
        return host.alive

    def _refuse(
        self, source: Host, target: Identifier, command: type[amp.Command], reply: Deferred[dict[str, Any]]
    ) -> None:
        if source.alive and not reply.called:
            self.note(source.node, command.commandName, "refused")
            reply.errback(TryElsewhere(f"node {name(target)} does not let us in"))
            if self.judge is not None:
                self.judge.refused(source.node, target)

    async def _run(
        self, host: Host, caller: Identifier, command: type[amp.Command], arguments: dict[str, Any]
    ) -> dict[str, Any]:
        try:
            if self.coded:
                arguments = command.parseArguments(command.makeArguments(arguments, None), None)
            answer: Any = host.responder(caller, command)(**arguments)
            if isinstance(answer, (CoroutineType, Deferred)):
                answer = await answer
            if self.coded:
                answer = command.parseResponse(command.makeResponse(answer, None), None)
            if self.traffic is not None:
                self.traffic.answered(command.__name__, box_bytes(command.makeResponse(answer, None)))
            return self.signatures.completed(command, "response", answer)
        except Exception as error:
            if (known := _declared(error, command)) is not None:
                if self.traffic is not None:
                    self.traffic.failed(command.__name__, str(error))
                raise known from error
            self.failures.append(Failure())
            raise InternalError(f"node {name(host.node)} failed to answer {command.__name__}: {error!r}") from error

    def _arrive(
        self,
        source: Host,
        target: Identifier,
        command: type[amp.Command],
        reply: Deferred[dict[str, Any]],
        result: Any,
    ) -> None:
        if not source.alive or reply.called:
            return
        if self.judge is not None and not self.judge.admits(source.node, target, command):
            return
        if not self._survives(source, command, "heard"):
            return
        if isinstance(result, Exception):
            self.note(source.node, command.commandName, type(result).__name__)
            reply.errback(result)
        else:
            self.note(source.node, command.commandName)
            reply.callback(result)


def drive(work: Coroutine[Any, Any, T], done: Callable[[T | Exception], None], failed: Failure | None = None) -> None:
    """Run a coroutine to its end, as `Deferred.fromCoroutine` for a fraction of the price; nothing can cancel it."""
    try:
        # A Deferred that is running its callbacks cannot raise its own failure once more: it is thrown in from here.
        waiting: Deferred[object]
        waiting = work.send(None) if failed is None else work.throw(failed.value or InternalError("no reason is known"))
    except StopIteration as end:
        done(end.value)
    except Exception as error:
        done(error)
    else:
        waiting.addCallbacks(lambda _: drive(work, done), lambda failure: drive(work, done, failure))


class HostCall:
    """How one life of a node asks others; of a crashed node no call ever returns."""

    def __init__(self, network: Network, host: Host) -> None:
        self._network, self._host = network, host

    async def __call__(
        self, node: Identifier, command: type[amp.Command], /, *, timeout: float = CALL_SECONDS, **arguments: Any
    ) -> dict[str, Any]:
        reply: Deferred[dict[str, Any]] = Deferred()
        network, host = self._network, self._host
        if network.judge is not None and host.alive and not network.judge.admits(host.node, node, command):
            raise TryElsewhere(f"node {name(node)} does not belong to our ring")
        if host.alive:
            if network.traffic is not None:
                size, up = box_bytes(command.makeArguments(arguments, None)), network.hears(host.node, node)
                network.traffic.asked(host.node, node, command.__name__, size, up, network.clock.seconds())
            request = network.signatures.completed(command, "arguments", arguments)
            network.send(host.node, node, network.deliver, host, node, command, request, reply)
            network.clock.at(network.clock.seconds() + timeout, self._expire, node, command, reply)
        return await reply

    def _expire(self, node: Identifier, command: type[amp.Command], reply: Deferred[dict[str, Any]]) -> None:
        if self._host.alive and not reply.called:
            reply.errback(TryElsewhere(f"node {name(node)} did not answer {command.__name__} in time"))


class Signatures:
    """What commands declare, looked up once for each."""

    def __init__(self) -> None:
        self._known: dict[tuple[type[amp.Command], str], dict[str, bool]] = {}

    def completed(self, command: type[amp.Command], part: str, given: dict[str, Any]) -> dict[str, Any]:
        """The values as the other end sees them: optional ones that were left out are None, lists are its own.

        `part` is "arguments" or "response".  TypeError for a value that the command does not declare, or for one that
        is missing: a bug that AMP would show as well.
        """
        names = self._known.get((command, part))
        if names is None:
            names = self._known[command, part] = _names(getattr(command, part))
        if not given.keys() <= names.keys():
            raise TypeError(f"{command.__name__} declares {sorted(names)} as {part}, not {sorted(given)}")
        values = {each: list(value) if isinstance(value, list) else value for each, value in given.items()}
        for each, optional in names.items():
            if each not in values:
                if not optional:
                    raise TypeError(f"{command.__name__} demands {each} among its {part}")
                values[each] = None
        return values


def box_bytes(box: Mapping[bytes, bytes]) -> int:
    """What these keys and values take in an AMP box."""
    return sum(4 + len(key) + len(value) for key, value in box.items())


def _names(declared: Iterable[tuple[bytes, amp.Argument]]) -> dict[str, bool]:
    """Python names of arguments, and whether they are optional."""
    return {wire.decode().replace("-", "_"): bool(argument.optional) for wire, argument in declared}


def _declared(error: Exception, command: type[amp.Command]) -> Exception | None:
    """The error as AMP hands it to the caller: as the first declared class that it is an instance of."""
    declared: dict[type[Exception], bytes] = vars(command)["allErrors"]
    for kind in declared:
        if isinstance(error, kind):
            return kind(str(error))
    return None
