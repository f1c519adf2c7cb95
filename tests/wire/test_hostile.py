"""One link, and bytes that no friendly end would send."""

from twisted.internet.defer import Deferred
from twisted.internet.testing import StringTransport
from twisted.protocols import amp
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import Misbehaved, P2PChatError
from p2pchat.wire.connection import Link, call
from p2pchat.wire.limits import LIMITS, Limits
from tests.wire.echo import Echo, Echoing, Fetch
from tests.wire.network import MemoryNetwork


class HostileTests(SynchronousTestCase):
    """One link, and bytes that no friendly end would send."""

    def setUp(self) -> None:
        self.network = MemoryNetwork()
        self.clock = self.network.clock
        self.transport = StringTransport()
        self.transport.abortConnection = self.abort  # type: ignore[method-assign]
        self.link: Link
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True

    def open(self, limits: Limits = LIMITS, handshake: bool = False) -> Link:
        self.echoing = Echoing()
        self.link = Link(self.clock, [self.echoing], limits, handshake)
        self.link.makeConnection(self.transport)
        return self.link

    def test_garbage_is_cut(self) -> None:
        self.open().dataReceived(b"GET / HTTP/1.1\r\nHost: example\r\n\r\n")
        self.assertTrue(self.aborted)
        self.assertFalse(self.link.usable)

    def test_nothing_is_answered_after_the_cut(self) -> None:
        good = amp.AmpBox(_command=Echo.commandName, _ask=b"1", text=b"x").serialize()
        self.open().dataReceived(b"\xff\xff" + good)
        self.assertEqual(self.transport.value(), b"")
        self.link.dataReceived(good)
        self.assertEqual(self.transport.value(), b"")

    def test_oversized_box_is_cut_before_it_is_held(self) -> None:
        link = self.open(Limits(box_bytes=100_000))
        part = b"".join([b"\0\1k\xff\xff", bytes(65_535)])
        link.dataReceived(part)
        self.assertFalse(self.aborted)
        link.dataReceived(part[:5])
        self.assertTrue(self.aborted)

    def test_too_many_keys_are_cut(self) -> None:
        link = self.open()
        link.dataReceived(b"\0\1k\0\0" * 64)
        self.assertFalse(self.aborted)
        link.dataReceived(b"\0\1k\0\0")
        self.assertTrue(self.aborted)

    def test_empty_box_is_cut(self) -> None:
        self.open().dataReceived(b"\0\0")
        self.assertTrue(self.aborted)

    def test_stray_answer_is_cut(self) -> None:
        self.open().dataReceived(amp.AmpBox(_answer=b"77").serialize())
        self.assertTrue(self.aborted)

    def test_error_without_code_is_cut(self) -> None:
        link = self.open()
        asked = Deferred.fromCoroutine(call(link, self.clock, Echo, text="?"))
        link.dataReceived(amp.AmpBox(_error=b"1").serialize())
        self.assertTrue(self.aborted)
        self.clock.advance(5.0)
        self.failureResultOf(asked, P2PChatError)

    def test_box_without_purpose_is_cut(self) -> None:
        self.open().dataReceived(amp.AmpBox(hello=b"1").serialize())
        self.assertTrue(self.aborted)

    def test_call_without_wish_for_an_answer_is_cut(self) -> None:
        self.open().dataReceived(amp.AmpBox(_command=Echo.commandName, text=b"x").serialize())
        self.assertTrue(self.aborted)

    def test_answer_that_cannot_be_read_is_misbehaved(self) -> None:
        link = self.open()
        asked = Deferred.fromCoroutine(call(link, self.clock, Echo, text="?"))
        link.dataReceived(amp.AmpBox(_answer=b"1", text=b"\xff\xfe").serialize())
        self.failureResultOf(asked, Misbehaved)
        asked = Deferred.fromCoroutine(call(link, self.clock, Echo, text="?"))
        link.dataReceived(amp.AmpBox(_answer=b"2").serialize())
        self.failureResultOf(asked, Misbehaved)

    def test_slow_loris_is_cut(self) -> None:
        link = self.open()
        for byte in amp.AmpBox(_command=b"Echo", _ask=b"1", text=b"x").serialize()[:-1]:
            link.dataReceived(bytes([byte]))
            self.clock.advance(1.0)
        self.assertTrue(self.aborted)

    def test_handshake_that_does_not_end_is_cut(self) -> None:
        self.open(handshake=True)
        self.clock.advance(9.9)
        self.assertFalse(self.aborted)
        self.clock.advance(0.2)
        self.assertTrue(self.aborted)

    def test_reader_that_does_not_read_is_cut(self) -> None:
        link = self.open(Limits(unsent_bytes=300_000))
        link.pauseProducing()
        box = amp.AmpBox(_command=Fetch.commandName, size=(60_000).to_bytes(8, "big"))
        for number in range(3):
            box[b"_ask"] = b"%d" % number
            link.dataReceived(box.serialize())
        self.assertTrue(self.aborted)

    def test_our_calls_wait_for_a_slow_reader(self) -> None:
        link = self.open()
        link.pauseProducing()
        asked = Deferred.fromCoroutine(call(link, self.clock, Echo, text="?", timeout=60.0))
        self.assertEqual(self.transport.value(), b"")
        link.resumeProducing()
        self.assertIn(b"Echo", self.transport.value())
        link.dataReceived(amp.AmpBox(_answer=b"1", text=b"x").serialize())
        self.successResultOf(asked)

    def test_start_tls_and_amp_methods_are_not_offered(self) -> None:
        self.open().dataReceived(amp.AmpBox(_command=b"StartTLS", _ask=b"1").serialize())
        self.assertIn(b"UNHANDLED", self.transport.value())
