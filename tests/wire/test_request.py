"""The id of a request goes along with every call that it leads to; who does not know it, looks away."""

from random import Random
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import Clock
from twisted.protocols import amp
from twisted.test.iosim import connectedServerAndClient
from twisted.trial.unittest import SynchronousTestCase

from p2pchat import request
from p2pchat.errors import UserError, on_wire
from p2pchat.wire.connection import Link, call
from p2pchat.wire.tally import Tally


class Echo(amp.Command):
    """Says what it was told."""

    arguments = [(b"text", amp.Unicode())]
    response = [(b"text", amp.Unicode())]
    errors = on_wire(UserError)


class Noting(amp.CommandLocator):
    """Notes the request of each call; passes it on where there is a next one."""

    def __init__(self, clock: Clock, onward: Link | None = None) -> None:
        self.clock, self.onward, self.requests = clock, onward, list[str]()
        self.waiting: list[Deferred[None]] = []

    @Echo.responder
    async def echo(self, text: str) -> dict[str, Any]:
        pause: Deferred[None] = Deferred()
        self.waiting.append(pause)
        await pause
        self.requests.append(request.current())
        if text == "bad":
            raise UserError("No.")
        return {"text": text} if self.onward is None else await call(self.onward, self.clock, Echo, text=text)

    def go_on(self) -> None:
        waiting, self.waiting = self.waiting, []
        for each in waiting:
            each.callback(None)


class RequestTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.tally = Clock(), Tally()
        self.last = Noting(self.clock)
        onward, _, self.pump_last = connectedServerAndClient(
            lambda: Link(self.clock, [self.last]), lambda: Link(self.clock)
        )
        self.first = Noting(self.clock, onward)
        self.link, _, self.pump = connectedServerAndClient(
            lambda: Link(self.clock, [self.first], tally=self.tally), lambda: Link(self.clock, tally=self.tally)
        )

    def ask(self, text: str = "hello") -> "Deferred[Any]":
        return Deferred.fromCoroutine(call(self.link, self.clock, Echo, text=text))

    async def requested(self, seed: int, text: str = "hello") -> str:
        identity = request.begin(Random(seed))
        await call(self.link, self.clock, Echo, text=text)
        return identity

    def run_all(self) -> None:
        for _ in range(3):
            self.pump.flush()
            self.first.go_on()
            self.pump_last.flush()
            self.last.go_on()
            self.pump_last.flush()
            self.pump.flush()

    def test_it_reaches_the_second_node(self) -> None:
        asked = Deferred.fromCoroutine(self.requested(1))
        self.run_all()
        identity = self.successResultOf(asked)
        self.assertRegex(identity, "^[0-9a-f]{16}$")
        self.assertEqual((self.first.requests, self.last.requests), ([identity], [identity]))

    def test_requests_at_the_same_time_are_not_mixed_up(self) -> None:
        asked = gatherResults([Deferred.fromCoroutine(self.requested(seed)) for seed in range(5)])
        self.run_all()
        identities = self.successResultOf(asked)
        self.assertEqual(len(set(identities)), 5)
        self.assertEqual(self.last.requests, identities)
        self.assertEqual(request.current(), "")

    def test_what_nobody_asked_for_has_none(self) -> None:
        asked = self.ask()
        self.run_all()
        self.assertEqual(self.successResultOf(asked), {"text": "hello"})
        self.assertEqual(self.last.requests, [""])

    def test_a_program_that_does_not_know_it_answers_all_the_same(self) -> None:
        class Older(amp.AMP):
            @Echo.responder
            def echo(self, text: str) -> dict[str, Any]:
                return {"text": text}

        link, _, pump = connectedServerAndClient(Older, lambda: Link(self.clock))

        async def ask() -> Any:
            request.begin(Random(3))
            return await call(link, self.clock, Echo, text="hello")

        asked = Deferred.fromCoroutine(ask())
        pump.flush()
        self.assertEqual(self.successResultOf(asked), {"text": "hello"})

    def test_what_is_no_id_is_as_none(self) -> None:
        for said in (b"", b"x" * 16, b"0" * 15, b"0123456789abcdef\n", b"\x1b[2J", b"A" * 60_000):
            request.resume(amp.AmpBox({request.KEY: said}))
            self.assertEqual(request.current(), "")

    def test_calls_are_counted_on_both_sides(self) -> None:
        asked = [self.ask(), self.ask("bad")]
        self.run_all()
        self.successResultOf(asked[0])
        self.failureResultOf(asked[1], UserError)
        self.assertEqual(self.tally.served, {("Echo", "ok"): 1, ("Echo", "user"): 1})
        self.assertEqual(self.tally.asked, {("Echo", "ok"): 1, ("Echo", "user"): 1})
        self.assertEqual(self.tally.received["Echo"], self.tally.sent["Echo"])
        self.assertGreater(self.tally.sent["Echo"], len("hello"))

    def test_commands_that_nobody_knows_are_counted_as_one(self) -> None:
        for number in range(3):
            invented = amp.AmpBox({amp.COMMAND: b"Nonsense%d" % number, amp.ASK: b"%d" % number})
            self.link.sendBox(invented)
        self.pump.flush()
        self.assertEqual(list(self.tally.seconds), ["unknown"])
        self.assertEqual(sum(self.tally.served.values()), 3)
