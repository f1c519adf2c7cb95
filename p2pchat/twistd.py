"""What both programs under twistd share: options from a table, the line that says ready, and an exit status."""

import atexit
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any, ClassVar

from twisted.application.service import MultiService
from twisted.logger import ILogObserver, Logger
from twisted.python import usage
from twisted.python.components import Componentized

from p2pchat.errors import P2PChatError
from p2pchat.logs import Log
from p2pchat.notify import Notifier
from p2pchat.settings import Setting, Shape, resolve

USAGE_STATUS = 2
_log = Logger()


class TableOptions(usage.Options):
    """Options of a twistd program as its table of settings says; `chosen` has them all after parsing.

    A subclass sets `program` and `table`; twistd reads the flags, and `settings.resolve` adds environment, file and
    defaults.
    """

    program: ClassVar[str]
    table: ClassVar[Sequence[Setting]]
    optFlags: ClassVar[list[list[str | None]]]
    optParameters: ClassVar[list[list[str | None]]]

    def __init_subclass__(cls) -> None:
        shown = {each.name: f"{each.meaning}{_default(each)}" for each in cls.table}
        cls.optFlags = [[each.name, None, shown[each.name]] for each in cls.table if each.shape is Shape.SWITCH]
        cls.optParameters = [
            [each.name, None, None, shown[each.name]] for each in cls.table if each.shape is not Shape.SWITCH
        ]

    def __init__(self) -> None:
        self.chosen: dict[str, Any] = {}
        self._repeatable = {each.name for each in self.table if each.shape is Shape.MANY}
        super().__init__()

    def __setitem__(self, key: str, value: Any) -> None:
        """Gather what is given several times, where Twisted would keep the last."""
        if key in self._repeatable:
            value = [*(self.get(key) or ()), value]
        super().__setitem__(key, value)

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """As Twisted's, but what is wrong ends with one line and status 2."""
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            sys.stderr.write(f"{self.program}: {error}\n")
            raise SystemExit(USAGE_STATUS) from error

    def parseArgs(self, *rest: str) -> None:
        """Nothing but options is understood."""
        if rest:
            raise usage.UsageError(f"{rest[0]!r} is no option; see --help.")

    def postOptions(self) -> None:
        """Add what the environment, the file and the defaults say."""
        given = {each.name: self[each.name] for each in self.table if self[each.name] not in (None, 0)}
        try:
            self.chosen = resolve(self.table, given, os.environ)
        except P2PChatError as error:
            raise usage.UsageError(str(error)) from error


def _default(setting: Setting) -> str:
    return "" if setting.default in (None, False, ()) else f" (default {setting.default})"


class Program(MultiService):
    """What a plugin's makeService returns: twistd's log as the options want it, reopened at SIGHUP.

    Args:
        options: as twistd has parsed them; `--logger` and `--syslog` are left to twistd.
        reactor: tells systemd that it turns; the log is reopened in its next turn, when nobody is in the middle of a
            line.
    """

    def __init__(self, options: TableOptions, reactor: Any) -> None:
        super().__init__()
        self._call_soon = reactor.callFromThread
        self._notifier = Notifier(os.environ, reactor)
        self._twistd, self._chosen = options.parent, options.chosen
        self._log: Log | None = None
        self._before: Any = None

    def setServiceParent(self, parent: Any) -> None:
        """The parent is twistd's application: give it the log before it opens its own."""
        super().setServiceParent(parent)
        if isinstance(parent, Componentized) and self._twistd is not None and not self._twistd.get("syslog"):
            chosen = (self._chosen.get("log-format", "text"), self._chosen.get("log-level", "info"))
            self._log = Log(self._twistd["logfile"], bool(self._twistd["nodaemon"]), *chosen)
            parent.setComponent(ILogObserver, self._log.observer)

    def startService(self) -> None:
        """From now on SIGHUP reopens the log, and ends nothing."""
        super().startService()
        if self._log is not None:
            self._before = signal.signal(signal.SIGHUP, self._reopen)

    def stopService(self) -> Any:
        """Leave SIGHUP as it was."""
        self._notifier.stopping()
        if self._before is not None:
            signal.signal(signal.SIGHUP, self._before)
            self._before = None
        return super().stopService()

    def announce(self, line: str) -> None:
        """The program is ready: say so to whoever reads its output, and to systemd."""
        announce(line)
        self._notifier.ready(line)

    def _reopen(self, *_: Any) -> None:
        if self._log is not None:
            self._call_soon(self._log.reopen)


def announce(line: str) -> None:
    """Print a line where twistd's log does not catch it, flushed; and say it in the log, which a daemon has alone."""
    _log.info("{line}", line=line)
    if sys.__stdout__ is not None and not sys.__stdout__.closed:
        sys.__stdout__.write(f"{line}\n")
        sys.__stdout__.flush()


def give_up(reactor: Any, program: str, error: P2PChatError) -> None:
    """Say in one line why the program cannot go on, and end it with the error's exit status.

    twistd swallows SystemExit in a running reactor, and removes its pid file only after that: hence so late.  The line
    is the last one, so that whoever started the program finds it.
    """
    _log.error("{program} cannot go on: {error}", program=program, error=str(error))
    atexit.register(end, f"{program}: {error}", error.exit_status)
    if reactor.running:
        reactor.stop()
    else:
        reactor.callWhenRunning(reactor.stop)


def end(line: str, status: int) -> None:
    """The last thing that this process does."""
    if sys.__stderr__ is not None and not sys.__stderr__.closed:
        sys.__stderr__.write(f"{line}\n")
    for stream in (sys.__stdout__, sys.__stderr__, sys.stdout):
        if stream is not None and not stream.closed:
            stream.flush()
    os._exit(status)
