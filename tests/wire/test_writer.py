"""What a connection writes: joined in one turn, in order, within limits."""

from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.protocols import amp
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.wire.connection import Link
from p2pchat.wire.writer import JOINED_BYTES, Writer
from tests.wire.echo import Echo, Echoing, Fetch


class Pieces(StringTransport):
    """Remembers each write."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.pieces.append(data)


class WriterTests(SynchronousTestCase):
    """The writer alone, and in a link."""

    def setUp(self) -> None:
        self.transport, self.cuts = Pieces(), list[str]()
        self.writer = Writer(1000, self.cuts.append)

    def test_nothing_is_written_without_a_transport(self) -> None:
        self.assertRaises(ConnectionLost, self.writer.write, b"x")
        self.writer.open(self.transport)
        self.writer.write(b"x")
        self.writer.close()
        self.assertRaises(ConnectionLost, self.writer.write, b"y")
        self.assertEqual(self.transport.pieces, [b"x"])

    def test_what_is_held_goes_out_together_and_in_order(self) -> None:
        self.writer.open(self.transport)
        self.writer.hold()
        self.writer.write(b"1")
        self.writer.write(b"2")
        self.assertEqual(self.transport.pieces, [])
        self.writer.release()
        self.writer.write(b"3")
        self.assertEqual(self.transport.pieces, [b"12", b"3"])

    def test_what_is_held_is_bounded(self) -> None:
        self.writer.open(self.transport)
        self.writer.hold()
        for _ in range(10):
            self.writer.write(bytes(JOINED_BYTES // 4))
        self.assertEqual([len(each) for each in self.transport.pieces], [JOINED_BYTES, JOINED_BYTES])
        self.writer.release()
        self.assertEqual(sum(map(len, self.transport.pieces)), 10 * (JOINED_BYTES // 4))

    def test_what_was_held_is_dropped_with_the_connection(self) -> None:
        self.writer.open(self.transport)
        self.writer.hold()
        self.writer.write(b"x")
        self.writer.close()
        self.writer.release()
        self.assertEqual(self.transport.pieces, [])

    def test_unread_bytes_are_counted_from_the_pause_on(self) -> None:
        self.writer.open(self.transport)
        self.writer.write(bytes(5000))
        self.writer.pause()
        self.writer.write(bytes(1000))
        self.assertRaises(ConnectionLost, self.writer.write, b"x")
        self.assertEqual(self.cuts, ["It does not read what it asked for."])
        self.writer.resume()
        self.writer.write(bytes(5000))
        self.assertEqual(len(self.cuts), 1)

    def opened(self) -> Link:
        link = Link(Clock(), [Echoing()])
        self.transport.abortConnection = self.transport.loseConnection  # type: ignore[method-assign]
        link.makeConnection(self.transport)
        return link

    def test_answers_to_one_read_are_one_write(self) -> None:
        asked = [amp.AmpBox(_command=Echo.commandName, _ask=b"%d" % n, text=b"x").serialize() for n in range(20)]
        self.opened().dataReceived(b"".join(asked))
        self.assertEqual(len(self.transport.pieces), 1)
        self.assertEqual(
            [box[amp.ANSWER] for box in amp.parseString(self.transport.pieces[0])], [b"%d" % n for n in range(20)]
        )

    def test_big_answers_to_one_read_do_not_pile_up(self) -> None:
        asked = amp.AmpBox(_command=Fetch.commandName, _ask=b"1", size=(60_000).to_bytes(8, "big")).serialize()
        self.opened().dataReceived(asked * 50)
        self.assertEqual(len(self.transport.pieces), 50)

    def test_answers_of_a_read_that_ends_badly_are_not_sent(self) -> None:
        asked = amp.AmpBox(_command=Echo.commandName, _ask=b"1", text=b"x").serialize()
        link = self.opened()
        link.dataReceived(asked + b"\xff\xff")
        self.assertFalse(link.usable)
        self.assertEqual(self.transport.pieces, [])

    def test_closing_in_the_middle_of_a_read_sends_what_was_written(self) -> None:
        link = self.opened()

        class Closing(amp.CommandLocator):
            @Echo.responder
            def echo(self, text: str) -> dict[str, object]:
                if text == "close":
                    link.close()
                return {"text": text}

        link.serve([Closing()])
        asked = [amp.AmpBox(_command=Echo.commandName, _ask=each, text=each).serialize() for each in (b"1", b"close")]
        link.dataReceived(b"".join(asked))
        self.assertIn(b"1", amp.parseString(self.transport.pieces[0])[0][amp.ANSWER])
        self.assertTrue(self.transport.disconnecting)
