"""Bytes between hosts: in order and once, refused, stalled, reset and silent."""

from random import Random
from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.identifiers import Address
from p2pchat.simulation.clock import HeapClock
from p2pchat.simulation.streams import Streams

PORT = 7401


class Taking(Protocol):
    """Keeps what comes."""

    transport: Any

    def __init__(self) -> None:
        self.taken = b""
        self.ended: list[object] = []

    def dataReceived(self, data: bytes) -> None:
        self.taken += data

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:  # noqa: B008  as Twisted has it
        self.ended.append(reason.type)

    def getHandle(self) -> None:
        return None


class StreamsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = HeapClock()
        self.streams = Streams(self.clock, Random(1))
        self.one, self.other = self.streams.start("one"), self.streams.start("other")
        self.accepted: list[Taking] = []
        self.other.ports[PORT] = self.factory(self.accepted)

    def factory(self, built: list[Taking]) -> Factory:
        def build(addr: Any) -> Taking:
            built.append(Taking())
            return built[-1]

        factory = Factory()
        factory.buildProtocol = build  # type: ignore[method-assign]
        return factory

    def dial(self, port: int = PORT, host: str = "other") -> Any:
        answer = self.one.reach(Address(host, port)).connect(self.factory([]))
        self.clock.advance(0.1)
        return answer

    def connected(self) -> tuple[Taking, Taking]:
        return self.successResultOf(self.dial()), self.accepted[-1]

    def test_bytes_arrive_once_and_in_order(self) -> None:
        dialled, accepted = self.connected()
        for number in range(200):
            dialled.transport.write(bytes([number]))
        accepted.transport.writeSequence([b"the other ", b"way"])
        self.clock.advance(1)
        self.assertEqual((accepted.taken, dialled.taken), (bytes(range(200)), b"the other way"))

    def test_nobody_listens(self) -> None:
        self.failureResultOf(self.dial(PORT + 1), Refused)
        self.assertNoResult(self.dial(host="nowhere"))

    def test_closing_comes_after_what_was_written(self) -> None:
        dialled, accepted = self.connected()
        dialled.transport.write(b"last words")
        dialled.transport.loseConnection()
        dialled.transport.write(b"too late")
        self.clock.advance(1)
        self.assertEqual(
            (accepted.taken, accepted.ended, dialled.ended), (b"last words", [ConnectionDone], [ConnectionDone])
        )

    def test_what_is_written_across_a_cut_waits_until_it_is_mended(self) -> None:
        dialled, accepted = self.connected()
        self.streams.partition([["one"], ["other"]])
        dialled.transport.write(b"later ")
        dialled.transport.write(b"or never")
        self.assertNoResult(self.dial())
        self.clock.advance(60)
        self.assertEqual(accepted.taken, b"")
        self.streams.mend()
        self.clock.advance(1)
        self.assertEqual(accepted.taken, b"later or never")

    def test_a_killed_program_resets_its_connections(self) -> None:
        dialled, accepted = self.connected()
        self.streams.kill("other")
        self.clock.advance(1)
        self.assertEqual((dialled.ended, accepted.ended), ([ConnectionLost], []))
        self.assertNoResult(self.dial())

    def test_a_host_without_power_is_silent_until_something_runs_there_again(self) -> None:
        dialled, _ = self.connected()
        self.streams.kill("other", silent=True)
        dialled.transport.write(b"are you there?")
        self.clock.advance(30)
        self.assertEqual(dialled.ended, [])
        self.streams.start("other")
        dialled.transport.write(b"and now?")
        self.clock.advance(1)
        self.assertEqual(dialled.ended, [ConnectionLost])

    def test_whoever_pauses_gets_the_rest_later(self) -> None:
        dialled, accepted = self.connected()
        accepted.transport.pauseProducing()
        dialled.transport.write(b"patience")
        self.clock.advance(1)
        self.assertEqual(accepted.taken, b"")
        accepted.transport.resumeProducing()
        self.assertEqual(accepted.taken, b"patience")

    def test_a_slow_host_delays_and_loses_nothing(self) -> None:
        dialled, accepted = self.connected()
        self.streams.slow["other"] = 5.0
        for number in range(20):
            dialled.transport.write(bytes([number]))
        self.clock.advance(0.01)
        self.assertLess(len(accepted.taken), 20)
        self.clock.advance(10)
        self.assertEqual(accepted.taken, bytes(range(20)))
