"""Our codec against Twisted's: the same bytes and values in both directions, and links that talk with stock AMP."""

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.protocols import amp
from twisted.test.iosim import FakeTransport, IOPump
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import LookupFailed, Misbehaved, TryElsewhere, on_wire
from p2pchat.wire.arguments import Blob, Blobs, Flag, Natural, Text, Texts
from p2pchat.wire.boxes import END, BoxParser, pair, pairs
from p2pchat.wire.codec import Fields, answer, codec_of, question, refusal
from p2pchat.wire.connection import Link, call
from tests.wire.echo import Echo, Echoing, Fail, Unknown
from tests.wire.test_boxes import boxes

RELAXED = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])


class Many(amp.Command):
    """One argument of each kind, some optional, one with a word of Python as its name."""

    arguments = [
        (b"text", Text(500)),
        (b"number", Natural()),
        (b"blob", Blob(500, optional=True)),
        (b"a-list", Blobs(5, 100)),
        (b"class", Flag()),
        (b"names", Texts(4, 200, optional=True)),
        (b"whole", amp.Integer()),
        (b"unicode", amp.Unicode(optional=True)),
        (b"rows", amp.AmpList([(b"x", amp.Integer()), (b"y", amp.Unicode())])),
    ]
    response = arguments


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
values = st.fixed_dictionaries(
    {
        "text": texts,
        "number": st.integers(0, 2**64 - 1),
        "blob": st.none() | st.binary(max_size=500),
        "a_list": st.lists(st.binary(max_size=100), max_size=5),
        "Class": st.booleans(),
        "names": st.none() | st.lists(texts, max_size=4),
        "whole": st.integers(),
        "unicode": st.none() | texts,
        "rows": st.lists(st.fixed_dictionaries({"x": st.integers(), "y": texts}), max_size=3),
    },
)


class CodecTests(SynchronousTestCase):
    """Bytes and values."""

    @given(boxes)
    @RELAXED
    def test_a_box_has_the_bytes_that_twisted_gives_it(self, box: amp.AmpBox) -> None:
        self.assertEqual(pairs(box.items()) + END, box.serialize())

    @given(values, st.binary(min_size=1, max_size=8))
    @RELAXED
    def test_calls_and_answers_have_the_bytes_of_twisted_and_are_read_alike(
        self, given_values: dict[str, Any], tag: bytes
    ) -> None:
        codec = codec_of(Many)
        ours = question(tag, codec.named, codec.arguments.write(given_values, None))
        box = Many.makeArguments(given_values, None)
        box.update({amp.ASK: tag, amp.COMMAND: Many.commandName})
        self.assertEqual(ours, box.serialize())
        (parsed,) = BoxParser(1 << 20, 64).feed(box.serialize())
        self.assertEqual(codec.arguments.read(parsed, None), given_values)
        self.assertEqual(Many.parseArguments(amp.parseString(ours)[0], None), given_values)

        answered = answer(tag, codec.response.write(given_values, None))
        box = Many.makeResponse(given_values, None)
        box[amp.ANSWER] = tag
        self.assertEqual(answered, box.serialize())
        self.assertEqual(Many.parseResponse(amp.parseString(answered)[0], None), given_values)

    @given(st.binary(min_size=1, max_size=300), st.binary(min_size=1, max_size=40), texts)
    @RELAXED
    def test_refusals_are_boxes_of_twisted(self, tag: bytes, code: bytes, text: str) -> None:
        (box,) = amp.parseString(refusal(tag, code, text))
        self.assertEqual(
            box, {amp.ERROR: tag, amp.ERROR_CODE: code, amp.ERROR_DESCRIPTION: text.encode("utf-8", "replace")}
        )
        (box,) = amp.parseString(answer(tag, b""))
        self.assertEqual(box, {amp.ANSWER: tag})

    @given(boxes)
    @RELAXED
    def test_any_box_is_read_as_twisted_reads_it_or_refused_as_there(self, box: amp.AmpBox) -> None:
        box.setdefault(b"text", b"x")
        for fields, twisted in (
            (codec_of(Many).arguments, Many.parseArguments),
            (codec_of(Echo).response, Echo.parseResponse),
        ):
            self.assertEqual(_outcome(fields.read, box), _outcome(twisted, box))

    def test_what_does_not_fit_is_not_written(self) -> None:
        fields = Fields([(b"value", amp.String())])
        self.assertEqual(len(fields.write({"value": bytes(65_535)}, None)), 65_535 + 9)
        self.assertRaises(ValueError, fields.write, {"value": bytes(65_536)}, None)
        self.assertRaises(ValueError, pair, b"", b"x")
        self.assertEqual(len(pair(b"k" * 255, b"")), 259)
        self.assertRaises(ValueError, pair, b"k" * 256, b"")
        self.assertRaises(KeyError, fields.write, {}, None)
        self.assertRaises(amp.InvalidSignature, fields.check, {"value": b"", "other": b""})


def _outcome(read: Callable[..., dict[str, Any]], box: amp.AmpBox) -> object:
    try:
        return read(box, None)
    except (KeyError, ValueError, Misbehaved) as error:
        return type(error)


class Stock(amp.AMP):
    """Twisted's connection, as another program would use it."""


class StockPeerTests(SynchronousTestCase):
    """A link, and a peer that knows AMP only from Twisted."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.echoing, self.theirs = Echoing(), Echoing()
        self.link = Link(self.clock, [self.echoing])
        self.stock = Stock(locator=self.theirs)
        ours, far = FakeTransport(self.link, True), FakeTransport(self.stock, False)
        self.link.makeConnection(ours)
        self.stock.makeConnection(far)
        self.pump = IOPump(self.stock, self.link, far, ours, False, clock=self.clock)

    def call(self, command: type[amp.Command], **arguments: Any) -> "Deferred[dict[str, Any]]":
        asked = Deferred.fromCoroutine(call(self.link, self.clock, command, **arguments))
        self.pump.flush()
        return asked

    def asked(self, command: type[amp.Command], **arguments: Any) -> "Deferred[dict[str, Any]]":
        async def ask() -> dict[str, Any]:
            answer: dict[str, Any] = await self.stock.callRemote(command, **arguments)
            return answer

        asked = Deferred.fromCoroutine(ask())
        self.pump.flush()
        return asked

    def test_each_answers_the_other(self) -> None:
        for text in ("", "good morning", "ö" * 50):
            self.assertEqual(self.successResultOf(self.call(Echo, text=text)), {"text": text})
            self.assertEqual(self.successResultOf(self.asked(Echo, text=text)), {"text": text})

    def test_many_under_way_both_ways(self) -> None:
        ours = [Deferred.fromCoroutine(call(self.link, self.clock, Echo, text=str(n))) for n in range(500)]
        far = [self.stock.callRemote(Echo, text=str(n)) for n in range(150)]
        self.pump.flush()
        for asked in (ours, far):
            self.assertEqual(
                [self.successResultOf(each)["text"] for each in asked], [str(n) for n in range(len(asked))]
            )

    def test_declared_errors_pass_both_ways(self) -> None:
        self.echoing.error = self.theirs.error = LookupFailed("no owner")
        self.assertEqual(str(self.failureResultOf(self.call(Fail), LookupFailed).value), "no owner")
        self.assertEqual(str(self.failureResultOf(self.asked(Fail), LookupFailed).value), "no owner")

    def test_unknown_commands_are_refused_both_ways(self) -> None:
        self.failureResultOf(self.call(Unknown), TryElsewhere)
        self.failureResultOf(self.asked(Unknown), amp.UnhandledCommand)
        self.successResultOf(self.asked(Echo, text="still there"))

    def test_responder_that_waits_answers_later(self) -> None:
        self.echoing.wait = True
        asked = self.asked(Echo, text="later")
        self.assertNoResult(asked)
        self.echoing.waiting[0].callback(None)
        self.pump.flush()
        self.assertEqual(self.successResultOf(asked), {"text": "later"})

    def test_link_calls_as_twisted_does_too(self) -> None:
        asked: Deferred[dict[str, Any]] = self.link.callRemote(Echo, text="x")
        self.pump.flush()
        self.assertEqual(self.successResultOf(asked), {"text": "x"})


class Waits(amp.Command):
    """Wait as often as told, and give back what came."""

    arguments = [(b"times", Natural())]
    response = [(b"got", Texts(10, 10))]
    errors = on_wire(TryElsewhere, LookupFailed)


class Waiter(amp.CommandLocator):
    """Answers after several waits."""

    def __init__(self) -> None:
        self.waits: list[Deferred[str]] = []

    @Waits.responder
    async def waits_for(self, times: int) -> dict[str, object]:
        got = []
        for _ in range(times):
            self.waits.append(Deferred())
            try:
                got.append(await self.waits[-1])
            except LookupFailed:
                got.append("failed")
        return {"got": got}


class WaitingTests(SynchronousTestCase):
    """A responder that was begun without a Deferred goes on with one, whatever comes."""

    def test_results_and_errors_reach_the_coroutine(self) -> None:
        clock, waiter = Clock(), Waiter()
        here, there = Link(clock), Link(clock, [waiter])
        ours, far = FakeTransport(here, False), FakeTransport(there, True)
        here.makeConnection(ours)
        there.makeConnection(far)
        pump = IOPump(here, there, ours, far, False, clock=clock)
        asked = Deferred.fromCoroutine(call(here, clock, Waits, times=3))
        pump.flush()
        waiter.waits[0].callback("one")
        waiter.waits[1].errback(LookupFailed("?"))
        self.assertFalse(there.idle)
        waiter.waits[2].callback("three")
        pump.flush()
        self.assertEqual(self.successResultOf(asked), {"got": ["one", "failed", "three"]})
        self.assertTrue(there.idle)
