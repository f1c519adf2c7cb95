"""Logs as JSON lines: what is in a line, what never is, and what happens when the file is moved away."""

import io
import json
import os
import signal
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

from twisted.application.service import Application
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

from p2pchat import request
from p2pchat.logs import FORMATS, LEVELS, JSONLines, Log
from p2pchat.settings import CLIENT, LOGS, SERVER
from p2pchat.twistd import Program
from tests.test_twistd import ServerOptions


class Secretive:
    """Something with a secret that its text does not show."""

    secret = "correct horse"

    def __repr__(self) -> str:
        return "a thing"


class JSONTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.out = io.StringIO()
        self.log = Logger("p2pchat.part", observer=JSONLines(self.out))

    def row(self) -> dict[str, Any]:
        (line,) = self.out.getvalue().splitlines()
        found: dict[str, Any] = json.loads(line)
        return found

    def test_a_line_has_time_level_part_text_and_the_fields_of_its_text(self) -> None:
        self.log.warn("node {node} of {count} is lost\n at {link}", node="1a2b3c4d", count=5, link=Secretive())
        row = self.row()
        self.assertRegex(row.pop("time"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        expected = {
            "level": "warn",
            "part": "p2pchat.part",
            "text": "node 1a2b3c4d of 5 is lost\n at a thing",
            "fields": {"node": "1a2b3c4d", "count": 5, "link": "a thing"},
        }
        self.assertEqual(row, expected)

    def test_a_field_that_the_text_does_not_name_is_not_written(self) -> None:
        self.log.info("somebody logged in", password="correct horse", thing=Secretive())
        self.assertNotIn("horse", self.out.getvalue())
        self.assertNotIn("fields", self.row())

    def test_a_failure_has_its_traceback_without_values(self) -> None:
        def fail() -> None:
            password = "correct horse"
            raise ValueError(f"no: {len(password)}")

        try:
            fail()
        except ValueError:
            self.log.failure("it failed")
        row = self.row()
        self.assertIn("ValueError: no: 13", row["traceback"])
        self.assertNotIn("correct horse battery", self.out.getvalue())
        self.assertEqual(row["level"], "critical")

    def test_the_request_is_named(self) -> None:
        async def work() -> str:
            identity = request.begin(Random(1))
            self.log.info("done")
            return identity

        identity = self.successResultOf(Deferred.fromCoroutine(work()))
        self.assertEqual(self.row()["request"], identity)

    def test_text_that_is_no_format_breaks_nothing(self) -> None:
        self.log.info("{")
        self.log.info("{0} {} {a.b} {log_source}", a=1)
        self.assertEqual(len(self.out.getvalue().splitlines()), 2)


class FileTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp()).absolute()

    def test_levels(self) -> None:
        for level, count in (("debug", 4), ("info", 3), ("warn", 2), ("error", 1)):
            path = Path(self.mktemp()).absolute()
            log = Logger(observer=Log(str(path), True, "json", level).observer)
            for each in LEVELS:
                getattr(log, each)("line")
            self.assertEqual(len(path.read_text().splitlines()), count)

    def test_a_file_that_was_moved_away_is_opened_anew(self) -> None:
        for style in FORMATS:
            path, moved = Path(self.mktemp()).absolute(), Path(self.mktemp()).absolute()
            opened = Log(str(path), True, style)
            log = Logger(observer=opened.observer)
            log.info("before")
            path.rename(moved)
            log.info("between")
            opened.reopen()
            log.info("after")
            self.assertIn("between", moved.read_text())
            self.assertIn("after", path.read_text())
            self.assertNotIn("before", path.read_text())

    def test_only_its_owner_reads_a_log(self) -> None:
        self.addCleanup(os.umask, os.umask(0o022))
        opened = Log(str(self.path), True)
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)
        self.path.unlink()
        opened.reopen()
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)

    def test_a_log_that_others_could_read_is_theirs_no_longer(self) -> None:
        self.path.touch(0o644)
        Log(str(self.path), True)
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)

    def test_sighup_reopens_the_log_of_a_running_program(self) -> None:
        options, application = ServerOptions(), Application("p2pchat")
        options.parent = {"logfile": str(self.path), "nodaemon": 1, "syslog": 0}  # type: ignore[assignment]
        options.chosen = {"log-format": "json", "log-level": "info"}
        soon: list[Any] = []
        before = signal.getsignal(signal.SIGHUP)
        program = Program(options, mock.Mock(callFromThread=soon.append))
        program.setServiceParent(application)
        program.startService()
        try:
            self.path.unlink()
            os.kill(os.getpid(), signal.SIGHUP)
            (reopen,) = soon
            reopen()
        finally:
            program.stopService()
        self.assertTrue(self.path.exists())
        self.assertEqual(signal.getsignal(signal.SIGHUP), before)

    def test_standard_output_needs_no_reopening(self) -> None:
        with mock.patch("sys.stdout", io.StringIO()) as out:
            opened = Log(None, True, "json")
            opened.reopen()
            Logger(observer=opened.observer).info("line")
        self.assertEqual(json.loads(out.getvalue())["text"], "line")

    def test_the_options_offer_what_there_is(self) -> None:
        for setting, words in zip(LOGS, (FORMATS, LEVELS), strict=True):
            self.assertEqual([setting.convert(word) for word in words], list(words))
            self.assertRaises(ValueError, setting.convert, "xml")
            self.assertIn(setting, SERVER)
            self.assertIn(setting, CLIENT)
