"""Links: limits, errors, time limits, keep-alive."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.testing import StringTransport
from twisted.protocols import amp
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import Busy, Conflict, InternalError, LookupFailed, Misbehaved, TryElsewhere
from p2pchat.wire.connection import KeepAlive, Link, call
from p2pchat.wire.limits import CONTROL_LIMITS, LIMITS, Limits
from tests.wire.echo import Echo, Echoing, Fail, Fetch, Unknown
from tests.wire.network import MemoryNetwork


class LinkTests(SynchronousTestCase):
    """Two links over a connection in memory."""

    def setUp(self) -> None:
        self.network = MemoryNetwork()
        self.clock = self.network.clock

    def connected(self, limits: Limits = LIMITS, mine: Limits = LIMITS) -> Link:
        """Our end; `self.there` is the other, `self.echoing` answers there."""
        self.echoing = Echoing()
        self.there, here = self.network.pair(
            lambda: Link(self.clock, [self.echoing], limits), lambda: Link(self.clock, (), mine)
        )
        return here

    def ask(self, link: Link, command: type[amp.Command], **arguments: Any) -> "Deferred[dict[str, Any]]":
        asked = Deferred.fromCoroutine(call(link, self.clock, command, **arguments))
        self.network.flush()
        return asked

    def test_answer_comes_back(self) -> None:
        answer = self.successResultOf(self.ask(self.connected(), Echo, text="good morning"))
        self.assertEqual(answer, {"text": "good morning"})

    def test_declared_error_keeps_its_type(self) -> None:
        link = self.connected()
        self.echoing.error = LookupFailed("no owner")
        error = self.failureResultOf(self.ask(link, Fail), LookupFailed).value
        self.assertEqual(str(error), "no owner")
        self.successResultOf(self.ask(link, Echo, text="still there"))

    def test_undeclared_error_is_internal_and_link_stays(self) -> None:
        link = self.connected()
        error = self.failureResultOf(self.ask(link, Fail), InternalError).value
        self.assertNotIn("a bug", str(error))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.successResultOf(self.ask(link, Echo, text="still there"))

    def test_undeclared_error_of_ours_is_internal_too(self) -> None:
        link = self.connected()
        self.echoing.error = Conflict("not declared")
        self.failureResultOf(self.ask(link, Fail), InternalError)
        self.assertEqual(len(self.flushLoggedErrors(Conflict)), 1)

    def test_tracebacks_in_the_log_are_bounded(self) -> None:
        link = self.connected()
        for _ in range(30):
            self.failureResultOf(self.ask(link, Fail), InternalError)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 10)

    def test_unknown_command_is_try_elsewhere(self) -> None:
        link = self.connected()
        self.failureResultOf(self.ask(link, Unknown), TryElsewhere)
        self.successResultOf(self.ask(link, Echo, text="still there"))

    def test_bad_argument_is_misbehaved_and_link_stays(self) -> None:
        link = self.connected()
        answer = link._sendBoxCommand(Echo.commandName, amp.AmpBox(text=b"x" * 101))
        self.network.flush()
        error = self.failureResultOf(answer, amp.RemoteAmpError).value
        self.assertEqual(error.errorCode, Misbehaved.code)
        self.successResultOf(self.ask(link, Echo, text="still there"))

    def test_error_text_is_fit_for_a_terminal(self) -> None:
        link = self.connected()
        self.echoing.error = TryElsewhere("\x1b[2Jgone" + "x" * 5000)
        error = self.failureResultOf(self.ask(link, Fail), TryElsewhere).value
        self.assertEqual(str(error)[:10], " [2Jgonexx")
        self.assertLessEqual(len(str(error)), 1000)

    def test_answer_that_is_too_big_is_internal_and_link_stays(self) -> None:
        link = self.connected()
        self.successResultOf(self.ask(link, Fetch, size=65_535))
        error = self.failureResultOf(self.ask(link, Fetch, size=65_536), InternalError)
        self.assertTrue(error)
        self.flushLoggedErrors()
        self.successResultOf(self.ask(link, Echo, text="still there"))

    def test_argument_that_is_too_big_is_our_own_bug(self) -> None:
        self.failureResultOf(self.ask(self.connected(), Echo, text="x" * 101), ValueError)

    def test_silent_callee_is_try_elsewhere_in_time(self) -> None:
        link = self.connected()
        self.echoing.wait = True
        asked = self.ask(link, Echo, text="?", timeout=2.0)
        self.network.flush(1.9)
        self.assertNoResult(asked)
        self.network.flush(0.2)
        self.failureResultOf(asked, TryElsewhere)
        self.echoing.waiting[0].callback(None)
        self.network.flush()
        self.echoing.wait = False
        self.successResultOf(self.ask(link, Echo, text="a late answer did no harm"))

    def test_lost_connection_fails_calls_at_once_and_tells(self) -> None:
        link = self.connected()
        self.echoing.wait = True
        lost: list[Link] = []
        link.when_lost(lost.append)
        asked = self.ask(link, Echo, text="?")
        self.network.cut(self.network.pumps[0])
        self.failureResultOf(asked, TryElsewhere)
        self.assertEqual(lost, [link])
        self.failureResultOf(self.ask(link, Echo, text="?"), TryElsewhere)
        self.assertFalse(link.usable)
        link.when_lost(lost.append)
        self.assertEqual(lost, [link, link])

    def test_no_timer_is_left_after_loss(self) -> None:
        link = self.connected()
        self.echoing.wait = True
        asked = self.ask(link, Echo, text="?")
        link.close()
        self.network.flush()
        self.failureResultOf(asked, TryElsewhere)
        self.network.flush(200)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_burst_waits_at_the_caller(self) -> None:
        limits = Limits(calls_in=4, calls_out=3)
        link = self.connected(limits, limits)
        self.echoing.wait = True
        asked = [self.ask(link, Echo, text=str(n)) for n in range(10)]
        self.assertEqual(self.echoing.heard, ["0", "1", "2"])
        for n in range(10):
            self.echoing.waiting[n].callback(None)
            self.network.flush()
        self.assertEqual([self.successResultOf(each)["text"] for each in asked], [str(n) for n in range(10)])

    def test_thousand_calls_at_once_all_succeed(self) -> None:
        link = self.connected()
        asked = [Deferred.fromCoroutine(call(link, self.clock, Echo, text=str(n))) for n in range(1000)]
        self.network.flush()
        self.assertEqual([self.successResultOf(each)["text"] for each in asked], [str(n) for n in range(1000)])

    def test_queue_is_bounded(self) -> None:
        limits = Limits(calls_out=1, queued_calls=2)
        link = self.connected(mine=limits)
        self.echoing.wait = True
        waiting = [self.ask(link, Echo, text="?") for _ in range(3)]
        self.failureResultOf(self.ask(link, Echo, text="one too many"), Busy)
        link.abort("end of test")
        self.network.flush()
        for each in waiting:
            self.failureResultOf(each, TryElsewhere)

    def test_call_that_timed_out_in_the_queue_is_never_sent(self) -> None:
        link = self.connected(mine=Limits(calls_out=1))
        self.echoing.wait = True
        first = self.ask(link, Echo, text="first", timeout=60.0)
        queued = self.ask(link, Echo, text="second", timeout=1.0)
        self.network.flush(1.1)
        self.failureResultOf(queued, TryElsewhere)
        self.echoing.waiting[0].callback(None)
        self.network.flush()
        self.successResultOf(first)
        self.assertEqual(self.echoing.heard, ["first"])

    def test_too_many_calls_are_refused_and_link_stays(self) -> None:
        link = self.connected(Limits(calls_in=2))
        self.echoing.wait = True
        waiting = [self.ask(link, Echo, text="?") for _ in range(2)]
        self.failureResultOf(self.ask(link, Echo, text="one too many"), Busy)
        self.assertTrue(link.usable)
        for blocked in self.echoing.waiting:
            blocked.callback(None)
        self.network.flush()
        for each in waiting:
            self.successResultOf(each)

    def test_responder_that_never_ends_is_given_up(self) -> None:
        link = self.connected(Limits(answer_seconds=30.0))
        self.echoing.wait = True
        asked = self.ask(link, Echo, text="?", timeout=60.0)
        for _ in range(31):
            self.network.flush(1.0)
        self.failureResultOf(asked, InternalError)
        self.assertTrue(self.there.idle)

    def test_quiet_link_is_kept_alive(self) -> None:
        link = self.connected()
        for _ in range(100):
            self.network.flush(5.0)
        self.assertTrue(link.usable)
        self.assertTrue(self.there.usable)

    def test_silent_other_end_is_cut(self) -> None:
        link = Link(self.clock)
        transport = StringTransport()
        transport.abortConnection = transport.loseConnection  # type: ignore[method-assign]
        link.makeConnection(transport)
        self.clock.pump([3.0] * 4)
        self.assertFalse(transport.disconnecting)
        self.assertIn(KeepAlive.commandName, transport.value())
        self.clock.pump([3.0])
        self.assertTrue(transport.disconnecting)

    def test_who_reads_no_answers_to_questions_of_life_is_cut(self) -> None:
        link = Link(self.clock, (), Limits(unsent_bytes=100))
        transport = StringTransport()
        transport.abortConnection = transport.loseConnection  # type: ignore[method-assign]
        link.makeConnection(transport)
        link.pauseProducing()
        link.dataReceived(amp.AmpBox(_command=KeepAlive.commandName, _ask=b"1").serialize() * 20)
        self.assertTrue(transport.disconnecting)
        self.assertFalse(link.usable)

    def test_process_that_stood_still_blames_nobody(self) -> None:
        link = self.connected()
        self.network.flush(3600.0)
        self.network.flush(5.0)
        self.assertTrue(link.usable)

    def test_suspended_screen_is_not_cut(self) -> None:
        link = Link(self.clock, (), CONTROL_LIMITS)
        link.makeConnection(StringTransport())
        self.clock.advance(3600.0)
        self.assertTrue(link.usable)
