"""What both programs write to their logs: text, or one JSON object a line that names the request it belongs to.

Only fields that the line's text names are written: what a log call was not meant to say stays unsaid.
"""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from string import Formatter
from typing import IO, Any

from twisted.logger import (
    FilteringLogObserver,
    ILogObserver,
    LogEvent,
    LogLevel,
    LogLevelFilterPredicate,
    formatEvent,
    textFileLogObserver,
)
from twisted.python.failure import Failure
from twisted.python.logfile import LogFile
from zope.interface import implementer

from p2pchat import request

FORMATS = ("text", "json")
LEVELS = ("debug", "info", "warn", "error")
TWISTD_LOG = "twistd.log"
MAX_FIELD_CHARACTERS = 2_000
FILE_MODE = 0o600
"""As of every other file in a home: lines name contacts and addresses."""


class Log:
    """Where a program writes its log.

    Args:
        path: of the file; `-` or nothing in the foreground is standard output.
        style: one of FORMATS.
        level: one of LEVELS, from which on lines are written.
    """

    def __init__(self, path: str | None, foreground: bool, style: str = "text", level: str = "info") -> None:
        self._file: LogFile | None = None
        if path == "-" or (foreground and not path):
            out: Any = sys.stdout
        else:
            out = self._file = LogFile.fromFullPath(path or TWISTD_LOG, defaultMode=FILE_MODE)
        written = textFileLogObserver(out) if style == "text" else JSONLines(out)
        named = LogLevel.lookupByName(level)
        self.observer: ILogObserver = FilteringLogObserver(written, [LogLevelFilterPredicate(named)])

    def reopen(self) -> None:
        """Write into the file that has the path now; who moves logs away sends SIGHUP afterwards."""
        if self._file is not None:
            self._file.reopen()


@implementer(ILogObserver)
class JSONLines:
    """One JSON object a line: time, level, part, text, request where there is one, and the fields of the text."""

    def __init__(self, out: IO[Any], now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._out, self._now = out, now

    def __call__(self, event: LogEvent) -> None:
        """Write one event; what cannot be shown is left out."""
        self._out.write(json.dumps(self._row(event), ensure_ascii=False, default=str) + "\n")
        self._out.flush()

    def _row(self, event: LogEvent) -> dict[str, Any]:
        level = event.get("log_level")
        row: dict[str, Any] = {
            "time": self._now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": "info" if level is None else level.name,
            "part": str(event.get("log_namespace", "")),
            "text": formatEvent(event),
        }
        if identity := event.get("request") or request.current():
            row["request"] = str(identity)
        fields = {name: shown(event[name]) for name in named(event.get("log_format")) if name in event}
        if fields:
            row["fields"] = fields
        failure = event.get("log_failure")
        if isinstance(failure, Failure):
            row["traceback"] = failure.getTraceback()
        return row


def named(form: object) -> list[str]:
    """The fields that a line's text names; none of Twisted's own."""
    if not isinstance(form, str):
        return []
    try:
        names = [name for _, name, _, _ in Formatter().parse(form) if name]
    except ValueError:
        return []
    return [name for name in dict.fromkeys(names) if name.isidentifier() and not name.startswith("log_")]


def shown(value: Any) -> Any:
    """A field as JSON has it, of bounded length."""
    return value if isinstance(value, bool | int | float) or value is None else str(value)[:MAX_FIELD_CHARACTERS]
