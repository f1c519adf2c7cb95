"""What both programs share under twistd: a quiet log, the ready line, and one line for what prevents them."""

import io
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

from twisted.application.service import Application
from twisted.logger import ILogObserver, Logger
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import NotAdmitted
from p2pchat.logs import Log
from p2pchat.settings import SERVER
from p2pchat.twistd import Program, TableOptions, announce, give_up


class ServerOptions(TableOptions):
    """As the server's plugin has them."""

    program = "p2pchat-server"
    table = SERVER


class LogTests(SynchronousTestCase):
    def test_debug_lines_are_left_out(self) -> None:
        path = Path(self.mktemp())
        log = Logger(observer=Log(str(path), foreground=True).observer)
        log.debug("of no interest")
        log.info("the state changed")
        text = path.read_text()
        self.assertIn("the state changed", text)
        self.assertNotIn("of no interest", text)

    def test_twistd_finds_the_log_in_its_application(self) -> None:
        options, application = ServerOptions(), Application("p2pchat")
        options.parent = {"logfile": self.mktemp(), "nodaemon": 1, "syslog": 0}  # type: ignore[assignment]
        Program(options, mock.Mock()).setServiceParent(application)
        self.assertIsNotNone(application.getComponent(ILogObserver, None))

    def test_syslog_is_left_to_twistd(self) -> None:
        options, application = ServerOptions(), Application("p2pchat")
        options.parent = {"logfile": None, "nodaemon": 0, "syslog": 1}  # type: ignore[assignment]
        Program(options, mock.Mock()).setServiceParent(application)
        self.assertIsNone(application.getComponent(ILogObserver, None))


class SayingTests(SynchronousTestCase):
    def test_the_ready_line_goes_past_the_log(self) -> None:
        with mock.patch("sys.__stdout__", io.StringIO()) as output:
            announce("p2pchat-server ready: node 1a2b3c4d")
            self.assertEqual(output.getvalue(), "p2pchat-server ready: node 1a2b3c4d\n")

    def test_what_prevents_a_program_is_the_last_line_and_has_its_status(self) -> None:
        reactor = SimpleNamespace(running=True, stop=mock.Mock())
        with mock.patch("atexit.register") as register:
            give_up(reactor, "p2pchat-server", NotAdmitted("No certificate."))
        reactor.stop.assert_called_once_with()
        last, *arguments = register.call_args.args
        with mock.patch("sys.__stderr__", io.StringIO()) as errors, mock.patch("os._exit") as left:
            last(*arguments)
        self.assertEqual(errors.getvalue(), "p2pchat-server: No certificate.\n")
        left.assert_called_once_with(3)
