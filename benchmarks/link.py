"""Calls of 300 bytes over mutual TLS 1.3: our link beside stock AMP, in turn, with 1, 64 and 256 calls under way.

python -m benchmarks.link [--seconds S] [--rounds N] [--json]

The callee is a process of its own; it sends the 300 bytes back.  Processor time is that of both ends together.  Both
kinds of connection have the same TLS, the same command and no Nagle delay; ours has its limits, time limits and
keep-alive, stock AMP has none.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.stdio import StandardIO
from twisted.protocols import amp
from twisted.protocols.tls import TLSMemoryBIOFactory

from p2pchat.cli import running
from p2pchat.crypto.certificates import session_certificate
from p2pchat.wire.arguments import Blob, Natural
from p2pchat.wire.connection import Link, call
from p2pchat.wire.tls import TLS, channel_tls

BYTES = 300
WIDTHS = (1, 64, 256)
WARM_CALLS = 500
HOST = "127.0.0.1"


class Repeat(amp.Command):
    """Send the same bytes back."""

    arguments = [(b"body", Blob(1000))]
    response = [(b"body", Blob(1000))]


class AskProcessor(amp.Command):
    """Processor time of the callee so far, in microseconds."""

    response = [(b"microseconds", Natural())]


class Repeater(amp.CommandLocator):
    """Answers both."""

    @Repeat.responder
    async def repeat(self, body: bytes) -> dict[str, object]:
        """The same."""
        return {"body": body}

    @AskProcessor.responder
    async def processor(self) -> dict[str, object]:
        """Of this process."""
        return {"microseconds": int(1_000_000 * time.process_time())}


class Stock(amp.AMP):
    """Twisted's own, without the delay of small packets."""

    transport: Any

    def connectionMade(self) -> None:
        """The connection stands."""
        super().connectionMade()
        self.transport.setTcpNoDelay(True)


def tls() -> TLS:
    """Of one end: a key and a certificate of its own."""
    key = Ed25519PrivateKey.generate()
    return channel_tls(key, session_certificate(key, time.time()))


def makers(reactor: Any) -> dict[str, Callable[[], amp.AMP]]:
    """Both kinds of connection, by name."""
    return {"stock AMP": lambda: Stock(locator=Repeater()), "p2pchat": lambda: Link(reactor, [Repeater()])}


class UntilClosed(Protocol):
    """Tells when the measuring process is gone."""

    def __init__(self) -> None:
        self.closed: Deferred[None] = Deferred()

    def connectionLost(self, reason: Any = None) -> None:
        """Standard input has ended."""
        self.closed.callback(None)


async def serve(reactor: Any) -> None:
    """Listen for both kinds, say where, and stay until standard input ends."""
    ours, ports = tls(), []
    for make in makers(reactor).values():
        factory = Factory.forProtocol(make)
        port = await TCP4ServerEndpoint(reactor, 0, interface=HOST).listen(TLSMemoryBIOFactory(ours, False, factory))
        ports.append(port.getHost().port)
    print(json.dumps(ports), flush=True)
    until = UntilClosed()
    StandardIO(until, reactor=reactor)
    await until.closed


class Caller:
    """One connection to the callee, of either kind."""

    def __init__(self, reactor: Any, protocol: amp.AMP) -> None:
        self._reactor, self._protocol = reactor, protocol

    async def ask(self, command: type[amp.Command], **arguments: Any) -> dict[str, Any]:
        """One call, in the connection's own way."""
        if isinstance(self._protocol, Link):
            return await call(self._protocol, self._reactor, command, **arguments)
        answer: dict[str, Any] = await self._protocol.callRemote(command, **arguments)
        return answer

    def lane(self, more: Callable[[], bool], taken: list[float]) -> "Deferred[None]":
        """Calls one after the other while `more`; seconds of each into `taken`."""
        if isinstance(self._protocol, Link):
            begin = partial(call, self._protocol, self._reactor, Repeat)
        else:
            begin = partial(self._protocol.callRemote, Repeat)
        body = bytes(BYTES)

        async def run() -> None:
            while more():
                began = time.perf_counter()
                answer = await begin(body=body)
                taken.append(time.perf_counter() - began)
                if answer["body"] != body:
                    raise ValueError("something else came back")

        return Deferred.fromCoroutine(run())

    async def lanes(self, width: int, more: Callable[[], bool], taken: list[float]) -> None:
        """So many at once."""
        await DeferredList([self.lane(more, taken) for _ in range(width)], fireOnOneErrback=True)

    async def processor(self) -> float:
        """Seconds of both processes."""
        return float((await self.ask(AskProcessor))["microseconds"] / 1_000_000 + time.process_time())

    async def measure(self, width: int, seconds: float) -> dict[str, float]:
        """Calls per second, milliseconds of one and processor time, with so many under way."""
        warm: list[float] = []
        await self.lanes(width, lambda: len(warm) < WARM_CALLS, warm)
        before, began = await self.processor(), time.perf_counter()
        taken: list[float] = []
        await self.lanes(width, lambda: time.perf_counter() - began < seconds, taken)
        whole = time.perf_counter() - began
        cuts = statistics.quantiles(taken, n=100)
        return {
            "per_second": len(taken) / whole,
            "p50_ms": 1000 * cuts[49],
            "p99_ms": 1000 * cuts[98],
            "cpu_s_per_1000": 1000 * (await self.processor() - before) / len(taken),
        }


async def measure_all(options: argparse.Namespace, reactor: Any) -> None:
    """Both kinds in turn, at each width; the medians of the rounds, and ratios."""
    command = [sys.executable, "-m", "benchmarks.link", "--serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as callee:
        assert callee.stdout is not None
        ports = json.loads(callee.stdout.readline())
        callers = {}
        for (name, make), port in zip(makers(reactor).items(), ports, strict=True):
            factory = TLSMemoryBIOFactory(tls(), True, Factory.forProtocol(make))
            wrapped: Any = await TCP4ClientEndpoint(reactor, HOST, port).connect(factory)
            callers[name] = Caller(reactor, wrapped.wrappedProtocol)
        for width in options.widths:
            rounds: dict[str, list[dict[str, float]]] = {name: [] for name in callers}
            for _ in range(options.rounds):
                for name, caller in callers.items():
                    rounds[name].append(await caller.measure(width, options.seconds))
            show(width, rounds, options.json)
        callee.stdin.close()  # type: ignore[union-attr]


def show(width: int, rounds: dict[str, list[dict[str, float]]], as_json: bool) -> None:
    """The medians of each kind; for ours the ratio of calls per second, round by round."""
    ratios = [
        ours["per_second"] / theirs["per_second"]
        for ours, theirs in zip(rounds["p2pchat"], rounds["stock AMP"], strict=True)
    ]
    for name, taken in rounds.items():
        row = {
            "connection": name,
            "w": width,
            **{key: statistics.median(each[key] for each in taken) for key in taken[0]},
        }
        if name == "p2pchat":
            row["times stock"] = statistics.median(ratios)
        if as_json:
            print(json.dumps(row), flush=True)
        else:
            figures = "   ".join(f"{key} {value:.3g}" for key, value in row.items() if isinstance(value, float))
            print(f"{name:<10} w {width:<3}   {figures}", flush=True)


def main() -> None:
    """Measure, or serve the process that does."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5.0, help="for each figure of a round (5)")
    parser.add_argument("--rounds", type=int, default=3, help="in turn; medians are shown (3)")
    parser.add_argument("--widths", type=int, nargs="+", default=WIDTHS, help="calls under way (1 64 256)")
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    parser.add_argument("--serve", action="store_true", help="be the callee, which the benchmark itself starts")
    options = parser.parse_args()
    running.run(serve if options.serve else partial(measure_all, options))


if __name__ == "__main__":
    main()
