"""The link to an agent: what is asked, what is left of the time, and what is said when there is no answer."""

from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.protocols import amp
from twisted.python.failure import Failure
from twisted.test.iosim import FakeTransport, connect
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.cli.control import ANSWER_SECONDS, Agent, failed_start, is_served
from p2pchat.cli.transfer import pages_of
from p2pchat.client import commands
from p2pchat.client.home import Home
from p2pchat.errors import RingUnknown, TimedOut, TryElsewhere, UserError, WrongCredentials
from p2pchat.wire.connection import Link
from p2pchat.wire.limits import CONTROL_LIMITS


class Answering(amp.CommandLocator):
    """An agent that remembers what it was asked, and answers what the test says."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answer: Any = None

    @commands.Login.responder
    def login(self, **arguments: Any) -> Any:
        self.asked.append(arguments)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class AgentTests(SynchronousTestCase):
    """One link in memory."""

    def setUp(self) -> None:
        self.clock, self.locator = Clock(), Answering()
        theirs = Link(self.clock, [self.locator], CONTROL_LIMITS)
        ours = Link(self.clock, (), CONTROL_LIMITS)
        self.pump = connect(theirs, FakeTransport(theirs, True), ours, FakeTransport(ours, False))
        self.agent = Agent(ours, self.clock, 30.0, Path("/log"))

    def ask(self) -> Deferred[dict[str, Any]]:
        """Log in."""
        answer = Deferred.fromCoroutine(self.agent.ask(commands.Login, user="ana", password="secret"))
        self.pump.flush()
        return answer

    def test_the_agent_is_told_what_is_left_of_the_time(self) -> None:
        self.locator.answer = {"account": {"user": "ana"}}
        self.clock.advance(10)
        self.assertEqual(self.successResultOf(self.ask()), {"account": {"user": "ana"}})
        self.assertEqual(self.locator.asked[0]["timeout"], 20.0)

    def test_an_error_keeps_its_type_and_text(self) -> None:
        self.locator.answer = WrongCredentials("The password is wrong.")
        failure = self.failureResultOf(self.ask(), WrongCredentials)
        self.assertEqual(str(failure.value), "The password is wrong.")

    def test_silence_ends_as_timed_out(self) -> None:
        self.locator.answer = Deferred()
        answer = self.ask()
        self.clock.advance(30)
        self.assertNoResult(answer)
        self.clock.advance(ANSWER_SECONDS)
        self.assertIn("/log", str(self.failureResultOf(answer, TimedOut).value))

    def test_an_agent_that_ends_is_named(self) -> None:
        self.locator.answer = Deferred()
        answer = self.ask()
        self.agent.link.connectionLost(Failure(ConnectionLost()))
        self.assertIn("has ended", str(self.failureResultOf(answer, TryElsewhere).value))


class StartTests(SynchronousTestCase):
    """An agent that does not start."""

    def test_the_reason_is_the_end_of_what_it_wrote_this_time(self) -> None:
        class Child:
            returncode = 1

        log = Path(self.mktemp())
        log.write_text("an old reason\n")
        before = log.stat().st_size
        with log.open("a") as more:
            more.write("The port is in use.\n2026-11-29 Server Shut Down.\n\n")
        error: Any = failed_start(Child(), log, before)  # type: ignore[arg-type]
        self.assertIsInstance(error, UserError)
        self.assertIn("The port is in use.", str(error))
        Child.returncode = 3
        self.assertIsInstance(failed_start(Child(), log, log.stat().st_size), RingUnknown)  # type: ignore[arg-type]

    def test_a_home_that_another_agent_holds_is_served(self) -> None:
        home = Home(Path(self.mktemp()))
        self.assertFalse(is_served(home.path))
        home.lock()
        self.addCleanup(home.unlock)
        self.assertTrue(is_served(home.path))
        home.unlock()
        self.assertFalse(is_served(home.path))


class PageTests(SynchronousTestCase):
    """Histories in pages."""

    def test_pages_hold_everything_in_order_and_no_page_is_too_long(self) -> None:
        rows: list[Any] = [{"text": "x" * (1000 * (number % 40))} for number in range(600)]
        pages = list(pages_of(rows))
        self.assertEqual([row for page in pages for row in page], rows)
        self.assertTrue(all(len(page) <= commands.MAX_PAGE_ROWS for page in pages))
        self.assertEqual(list(pages_of([])), [])
