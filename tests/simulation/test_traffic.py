"""What messages cost: payload, records and segments, links; and that a link costs what is counted for it."""

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.identifiers import Identifier
from p2pchat.simulation.traffic import (
    ANSWER_BYTES,
    ASK_BYTES,
    CALLING_BYTES,
    CLOSE_BYTES,
    KEEP_ALIVE_BYTES,
    LINK_BYTES,
    RECORD_BYTES,
    SEGMENT_BYTES,
    Traffic,
)
from p2pchat.wire.limits import LIMITS
from tests.wire.network import MemoryNetwork
from tests.wire.ring import Node

A, B = Identifier(1), Identifier(2)


class TrafficTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.traffic = Traffic()

    def call(self, now: float) -> None:
        self.traffic.asked(A, B, "Ping", 0, True, now)
        self.traffic.answered("Ping", 0)

    def test_a_call_is_two_records_and_three_segments(self) -> None:
        self.call(0.0)
        payload = ASK_BYTES + len("Ping") + ANSWER_BYTES
        self.assertEqual(self.traffic.payload["Ping"], payload)
        self.assertEqual(self.traffic.wire["Ping"], payload + 2 * RECORD_BYTES + 3 * SEGMENT_BYTES)
        self.assertEqual(self.traffic.wire["links opened"], LINK_BYTES)

    def test_what_is_large_takes_more_segments(self) -> None:
        self.traffic.answered("Ping", 3_000 - ANSWER_BYTES)
        self.assertEqual(self.traffic.wire["Ping"], 3_000 + RECORD_BYTES + 4 * SEGMENT_BYTES)

    def test_a_link_is_opened_once_and_kept_alive_while_it_is_quiet(self) -> None:
        quiet = LIMITS.quiet_seconds
        for now in (0.0, 1.0, 1.0 + 2.5 * quiet):
            self.call(now)
        self.assertEqual(self.traffic.wire["links opened"], LINK_BYTES)
        self.assertEqual(self.traffic.wire["links kept alive"], 2 * KEEP_ALIVE_BYTES)
        for now in (2.0 + 4 * quiet, 2.0 + 5 * quiet):
            self.traffic.settle(now, {A, B})
        self.assertEqual(self.traffic.wire["links kept alive"], 4 * KEEP_ALIVE_BYTES)

    def test_an_unused_link_is_closed_and_opened_anew(self) -> None:
        self.call(0.0)
        self.call(LIMITS.unused_seconds + 1.0)
        self.assertEqual(self.traffic.wire["links opened"], 2 * LINK_BYTES)
        self.assertEqual(self.traffic.wire["links closed"], CLOSE_BYTES)

    def test_who_is_gone_is_called_in_vain(self) -> None:
        self.traffic.asked(A, B, "Ping", 0, False, 0.0)
        self.assertEqual(self.traffic.wire.total(), CALLING_BYTES)

    def test_a_new_count_keeps_the_links(self) -> None:
        self.call(0.0)
        self.traffic.restart(1.0)
        self.call(2.0)
        self.assertEqual(self.traffic.wire["links opened"], 0)
        self.assertEqual((self.traffic.links, self.traffic.messages["Ping"]), (1, 1))

    def test_links_of_the_dead_are_forgotten(self) -> None:
        self.call(0.0)
        self.traffic.settle(1.0, {A})
        self.assertEqual(self.traffic.links, 0)

    def test_a_link_costs_what_is_counted(self) -> None:
        """TLS, certificates and HELLO as they are, counted at the ends of a connection in memory."""
        network, written = MemoryNetwork(), list[int]()
        one, two = Node(network, 1).listen(), Node(network, 2).listen()
        greeting = Deferred.fromCoroutine(one.dialer.greet(two.ring_address))
        transports = [transport for pump in network.pumps for transport in (pump.clientIO, pump.serverIO)]
        for transport in transports:
            write = transport.write

            def counted(content: bytes, write: object = write) -> None:
                written.append(len(content))
                write(content)  # type: ignore[operator]

            transport.write = counted
        started = sum(len(part) for transport in transports for part in transport.stream)
        network.flush()
        self.successResultOf(greeting)
        content = started + sum(written)
        self.assertGreater(content, 5_000)
        self.assertLess(abs(content + 16 * SEGMENT_BYTES - LINK_BYTES) / LINK_BYTES, 0.1)
