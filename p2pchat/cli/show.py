"""How rows look in the terminal: JSON lines for programs, short aligned lines for people."""

import json
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from p2pchat.errors import UserError

Row = Mapping[str, Any]

GAP = "  "

MARKS = {"queued": "…", "stored": "◔", "delivered": "✓", "read": "✓✓", "failed": "!", "received": " "}
"""Signs of message states; the word stands beside them where only one message is shown."""


class UsageError(UserError):
    """What was typed cannot be done so."""

    exit_status = 2


def json_line(row: Row) -> None:
    """One JSON object on a line of its own, flushed: a program may be reading."""
    try:
        line = json.dumps(row, ensure_ascii=False)
        line.encode()
    except UnicodeEncodeError:
        line = json.dumps(row)
    print(line, flush=True)


def emit(rows: Iterable[Row], as_json: bool, columns: Sequence[str]) -> None:
    """Rows as JSON lines, or as a table with these columns."""
    if as_json:
        for row in rows:
            json_line(row)
    else:
        table([[cell(row.get(column)) for column in columns] for row in rows], columns)


def pairs(row: Row, names: Sequence[str]) -> None:
    """One thing as `name  value` lines; what is not known is left out."""
    shown = [(name, cell(row[name])) for name in names if row.get(name) not in (None, "", [])]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        print(f"{name.replace('_', ' '):<{width}}{GAP}{value}")


def table(rows: Sequence[Sequence[str]], titles: Sequence[str]) -> None:
    """Aligned columns under their titles; nothing at all when there is no row."""
    if not rows:
        return
    lines = [[title.replace("_", " ") for title in titles], *rows]
    widths = [max(columns_of(line[index]) for line in lines) for index in range(len(titles))]
    for line in lines:
        padded = [text + " " * (width - columns_of(text)) for text, width in zip(line, widths, strict=True)]
        print(GAP.join(padded).rstrip())


def cell(value: Any) -> str:
    """A value as a person reads it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, list):
        return " ".join(cell(each) for each in value)
    if isinstance(value, Mapping):
        return " ".join(f"{name} {cell(each)}" for name, each in value.items())
    return printable(str(value))


def printable(text: str) -> str:
    """`text` without what could steer a terminal: controls, escapes and marks that turn the direction."""
    return "".join(" " if character in "\n\t" else "" if hostile(character) else character for character in text)


def hostile(character: str) -> bool:
    """Controls (Cc), surrogates and bidirectional overrides; joiners inside emoji stay."""
    category = unicodedata.category(character)
    return category in ("Cc", "Cs") or (category == "Cf" and character != "\u200d")


def columns_of(text: str) -> int:
    """Cells that `text` takes in a terminal, near enough to align a table."""
    return sum(
        0 if unicodedata.combining(each) else 2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text
    )


def message_line(message: Row) -> str:
    """One message of a history; further lines of its text are indented."""
    at = str(message.get("sent_at") or "")[:16].replace("T", " ")
    mark = MARKS.get(str(message.get("state")), "?")
    lines = str(message.get("text", "")).split("\n")
    text = "\n    ".join(printable(line) for line in lines)
    quoted = message.get("quoted")
    answers = f"(to {cell(quoted['from'])}: {preview(quoted)}) " if quoted else ""
    return f"{at} {mark:<2} {printable(str(message.get('from')))}: {answers}{text}"


def preview(message: Row | None, width: int = 50) -> str:
    """The beginning of a message on one line."""
    if message is None:
        return "-"
    body = cell(str(message.get("text", "")))
    return body if len(body) <= width else body[: width - 1] + "…"


def warn(text: str) -> None:
    """A line beside what the command prints."""
    print(text, file=sys.stderr, flush=True)
