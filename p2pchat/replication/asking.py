"""Asks members of a slot at once, and waits for as few of them as the purpose needs."""

from collections.abc import Awaitable, Callable, Iterable
from math import inf
from random import Random

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from p2pchat.errors import Moving, NoQuorum, P2PChatError, TryElsewhere, UnknownOutcome
from p2pchat.identifiers import Identifier, name
from p2pchat.replication.commands import COMMANDS
from p2pchat.replication.requests import Reply, Request
from p2pchat.wire.connection import Call

QUORUM_SECONDS = 2.5
"""Without an answer of a majority for so long, an operation that was not begun is given up."""
HEDGE_SECONDS = 0.1
"""After this, whoever was not asked at first is asked as well."""
PAUSE_SECONDS = 0.05
MAX_PAUSE_SECONDS = 0.2

Replies = dict[Identifier, Reply | None]
"""By node; None: it could not be asked."""


class Asking:
    """The way from this node to members, itself included."""

    _log = Logger()

    def __init__(
        self,
        me: Identifier,
        answer: Callable[[Identifier, Request], Awaitable[Reply]],
        call: Call,
        clock: IReactorTime,
        random: Random,
        is_live: Callable[[Identifier], bool],
    ) -> None:
        """
        Args:
            answer: this node's own member.
        """
        self.me, self.clock, self.is_live = me, clock, is_live
        self.stopped = False
        self._answer, self._call, self._random = answer, call, random
        self._waiting: dict[Deferred[None], IDelayedCall] = {}

    async def one(self, node: Identifier, request: Request, seconds: float) -> Reply:
        """Ask one node.

        Raises:
            P2PChatError: as `call` and the command declare.
        """
        if node == self.me:
            return await self._answer(node, request)
        answer = await self._call(node, COMMANDS[type(request)], timeout=seconds, request=request)
        reply: Reply = answer["reply"]
        return reply

    async def several(
        self,
        nodes: Iterable[Identifier],
        request: Request,
        seconds: float,
        enough: Callable[[Replies], bool],
        linger: float = 0.0,
        first: int | None = None,
    ) -> Replies:
        """Ask nodes at once; return when all answered, when the time is over, or when it is enough.

        Args:
            enough: looks at the answers so far.
            linger: seconds from the start in which to wait for all nodes believed alive even when it is enough.
            first: ask only so many, ourselves among them if we can and else such as are believed alive; the others if
                those do not answer soon, or not enough.
        """
        asked = tuple(nodes)
        wave = _Wave(self, asked if first is None else self._nearest(asked), enough, first)
        return await wave.run(request, seconds, linger)

    def _nearest(self, nodes: tuple[Identifier, ...]) -> tuple[Identifier, ...]:
        """Ourselves, then those believed alive in an order of chance, so that all are asked alike, then the others."""
        drawn = self._random.sample(nodes, len(nodes))
        return tuple(sorted(drawn, key=lambda node: 0 if node == self.me else 1 if self.is_live(node) else 2))

    def tell(self, node: Identifier, request: Request, seconds: float) -> None:
        """Ask one node and wait for nothing."""
        Deferred.fromCoroutine(self.attempt(node, request, seconds))

    async def attempt(self, node: Identifier, request: Request, seconds: float) -> Reply | None:
        """Ask one node; None when that did not work."""
        try:
            return await self.one(node, request, seconds)
        except P2PChatError as error:
            self._log.debug("node {node} did not answer: {error}", node=name(node), error=error)
        except Exception:
            self._log.failure("asking node {node} failed", node=name(node))
        return None

    def pause(self, seconds: float, most: float = inf) -> Deferred[None]:
        """Fires after about so many seconds, drawn from half to one and a half times as many, at most `most`."""
        return self.wait(max(0.0, min(most, seconds * (0.5 + self._random.random()))))

    def wait(self, seconds: float) -> Deferred[None]:
        """Fires after so many seconds, or when `end` is called on it, or when this node stops."""
        done: Deferred[None] = Deferred()
        if self.stopped:
            done.callback(None)
        else:
            self._waiting[done] = self.clock.callLater(seconds, self.end, done)
        return done

    def end(self, waiting: Deferred[None]) -> None:
        """Fire what `wait` returned, unless it has fired."""
        timer = self._waiting.pop(waiting, None)
        if timer is not None:
            if timer.active():
                timer.cancel()
            waiting.callback(None)

    def stop(self) -> None:
        """Let everything that waits go on at once, to find that this node stops."""
        self.stopped = True
        for waiting in list(self._waiting):
            self.end(waiting)


class _Wave:
    """One request to several nodes, of which the first ones are asked at once and the others only if need be."""

    def __init__(
        self,
        asking: Asking,
        nodes: tuple[Identifier, ...],
        enough: Callable[[Replies], bool],
        first: int | None,
    ) -> None:
        self._asking, self._enough = asking, enough
        self._nodes, self._others = nodes[:first], () if first is None else nodes[first:]
        self._replies: Replies = {}
        self._lingering = False
        self._done: Deferred[None] | None = None

    async def run(self, request: Request, seconds: float, linger: float) -> Replies:
        self._request, self._until = request, self._asking.clock.seconds() + seconds
        self._done = over = self._asking.wait(min(seconds, HEDGE_SECONDS) if self._others else seconds)
        if linger > 0 and not over.called:
            self._lingering = True
            self._linger = self._asking.wait(linger)
            self._linger.addCallback(self._stop_lingering)
        self._ask(self._nodes)
        self._look()
        await over
        while self._others and not self._asking.stopped and not self._enough(self._replies):
            self._done = over = self._asking.wait(max(0.0, self._until - self._asking.clock.seconds()))
            others, self._others = self._others, ()
            self._nodes += others
            self._ask(others)
            self._look()
            await over
        self._done = None
        if self._lingering:
            self._asking.end(self._linger)
        return dict(self._replies)

    def _ask(self, nodes: tuple[Identifier, ...]) -> None:
        for node in nodes:
            Deferred.fromCoroutine(self._ask_one(node))

    async def _ask_one(self, node: Identifier) -> None:
        seconds = max(0.01, self._until - self._asking.clock.seconds())
        self._replies_from(node, await self._asking.attempt(node, self._request, seconds))

    def _replies_from(self, node: Identifier, reply: Reply | None) -> None:
        if self._done is not None:
            self._replies[node] = reply
            self._look()

    def _stop_lingering(self, result: None) -> None:
        self._lingering = False
        self._look()

    def _look(self) -> None:
        if self._done is None:
            return
        waiting = [node for node in self._nodes if node not in self._replies]
        if not waiting or (self._enough(self._replies) and not (self._lingering and self._any_live(waiting))):
            self._asking.end(self._done)

    def _any_live(self, nodes: list[Identifier]) -> bool:
        return any(node == self._asking.me or self._asking.is_live(node) for node in nodes)


class Trial:
    """How long one operation has tried, and what its caller is told when it gives up."""

    def __init__(self, asking: Asking, timeout: float, what: str) -> None:
        self._asking, self._what = asking, what
        self._deadline = asking.clock.seconds() + timeout
        self._quorum_until = asking.clock.seconds() + QUORUM_SECONDS
        self._pause = PAUSE_SECONDS / 4
        self.sent = False
        """Whether something left that may take effect."""

    def seconds(self, most: float = QUORUM_SECONDS) -> float:
        """For one question: until the trial is over, at most `most`."""
        return max(0.01, min(most, self._left()))

    def _left(self) -> float:
        """Seconds until the trial is over, as it stands."""
        until = self._deadline if self.sent else min(self._deadline, self._quorum_until)
        return until - self._asking.clock.seconds()

    def heard(self, answered: int, needed: int) -> None:
        """So many members answered, whatever they said."""
        if answered >= needed:
            self._quorum_until = self._asking.clock.seconds() + QUORUM_SECONDS

    def check(self) -> None:
        """Give up when the time is over.

        Raises:
            UnknownOutcome, NoQuorum, Moving: as the trial stands.
        """
        now = self._asking.clock.seconds()
        if self._asking.stopped:
            raise (UnknownOutcome if self.sent else TryElsewhere)(f"{self._what} was cut off: this node is stopping.")
        if self.sent:
            if now >= self._deadline:
                raise UnknownOutcome(f"{self._what} may or may not have been done; repeating it is safe.")
        elif now >= self._quorum_until:
            raise NoQuorum(f"{self._what} was not done: too few nodes answer. Try again when the ring has healed.")
        elif now >= self._deadline:
            raise Moving(f"{self._what} was not done: its records are moving. Try again.")

    async def rest(self) -> None:
        """Wait a little, longer each time, and give up as soon as the time is over."""
        self.check()
        await self._asking.pause(self._pause, self._left())
        self._pause = min(self._pause * 2, MAX_PAUSE_SECONDS)
        self.check()
