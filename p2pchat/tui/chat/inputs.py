"""What was typed before, kept in a file of the home: bounded, and for its owner alone."""

import json
import os
from collections.abc import Callable
from pathlib import Path

from twisted.logger import Logger

MAX_INPUTS = 100
MAX_INPUT_CHARACTERS = 4096
"""Longer ones are recalled while the screen runs, and not kept."""

MAX_FILE_BYTES = 4 * 1024 * 1024


class Inputs:
    """A JSON string a line, the oldest first.  What goes wrong with the file stops nobody from typing.

    Args:
        may_keep: whether texts may lie in a plain file at all.
    """

    _log = Logger()

    def __init__(self, path: Path, may_keep: Callable[[], bool] = lambda: True) -> None:
        self._path, self._may_keep, self._lines = path, may_keep, 0

    def load(self) -> list[str]:
        """The last ones; lines that cannot be read are left out."""
        try:
            with open(self._path, "rb") as file:
                lines = file.read(MAX_FILE_BYTES).splitlines()
        except OSError:
            return []
        self._lines = len(lines)
        found = [text for text in map(_text, lines) if text]
        return list(dict.fromkeys(reversed(found)))[:MAX_INPUTS][::-1]

    def add(self, text: str) -> None:
        """Keep one more."""
        if len(text) > MAX_INPUT_CHARACTERS or not self._may_keep():
            return
        try:
            if self._lines >= 2 * MAX_INPUTS:
                self._shorten()
            with open(os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as file:
                file.write(_line(text))
            self._lines += 1
        except OSError as error:
            self._log.warn("what was typed is not kept in {path}: {error}", path=self._path, error=error)

    def _shorten(self) -> None:
        kept = self.load()
        part = self._path.with_name(f"{self._path.name}.part")
        with open(os.open(part, os.O_WRONLY | os.O_TRUNC | os.O_CREAT, 0o600), "wb") as file:
            file.write(b"".join(map(_line, kept)))
        os.replace(part, self._path)
        self._lines = len(kept)


def _line(text: str) -> bytes:
    return json.dumps(text).encode() + b"\n"


def _text(line: bytes) -> str:
    try:
        text = json.loads(line)
    except ValueError:
        return ""
    return text if isinstance(text, str) and len(text) <= MAX_INPUT_CHARACTERS else ""
