"""Other programs that a screen runs: the hook for messages, an opener for links, an editor.  Never through a shell."""

import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import ProcessProtocol

from p2pchat.errors import UserError
from p2pchat.tui.text import harmless, one_line

MAX_RUNNING = 4
"""Hooks at the same time; a message that comes while so many run starts none."""

HOOK_SECONDS = 10.0
"""A hook that runs for longer is killed."""

MAX_WORD_CHARACTERS = 1000
MAX_EDITED_BYTES = 256 * 1024
SHELLS = ("sh", "ash", "bash", "dash", "fish", "ksh", "zsh")
EDITORS = ("sensible-editor", "nano", "vi")
TERMINAL = {0: 0, 1: 1, 2: 2}

_PLACES = re.compile(r"\{(from|chat|id|text)\}")

Spawn = Callable[..., Any]
"""As `reactor.spawnProcess`: protocol, executable, arguments, environment, and childFDs by name."""


def checked_hook(words: Sequence[str]) -> tuple[str, ...]:
    """The hook's command as it may run; UserError for one into which others could put an option or a command."""
    for shell, option, script in zip(words, words[1:], words[2:], strict=False):
        if Path(shell).name in SHELLS and re.fullmatch(r"-\w*c\w*", option) and _PLACES.search(script):
            raise UserError(
                f"hook: {script!r} is a script for a shell, in which others could write commands. Hand it words behind"
                " it, as in ['sh', '-c', 'notify-send \"$1\"', 'hook', 'from {from}']."
            )
    for word in words:
        if _PLACES.match(word):
            raise UserError(
                f"hook: {word!r} begins with what others choose, and would be taken for an option when that begins"
                " with a dash. Write something before it, as in 'from {from}'."
            )
    return tuple(words)


class _Ended(ProcessProtocol):
    def __init__(self, told: Callable[[int], None]) -> None:
        self._told = told

    def processEnded(self, reason: Any) -> None:
        status = getattr(reason.value, "exitCode", None)
        self._told(1 if status is None else status)


class Programs:
    """Starts them, and says what became of them.

    Args:
        spawn: starts a process, as the reactor does.
        folder: for texts that are edited; only its owner may look into it.
        hook: a command for each message that nobody looks at; `{from}`, `{chat}`, `{id}` and, only where it is written
            there, `{text}` are replaced within its words.
        opener: a command that gets a link as its last word.
        editor: a command that gets a file as its last word; empty: $VISUAL, $EDITOR, or the first of EDITORS.
    """

    def __init__(
        self,
        spawn: Spawn,
        clock: IReactorTime,
        folder: Path,
        environment: Mapping[str, str],
        hook: Sequence[str] = (),
        opener: Sequence[str] = (),
        editor: Sequence[str] = (),
    ) -> None:
        self._spawn, self._clock, self._folder, self._environment = spawn, clock, folder, dict(environment)
        self.hook, self.opener, self._editor = tuple(hook), tuple(opener), tuple(editor)
        self.hook_runs = bool(hook)
        self._running = 0
        self.hook_failed: Callable[[int], None] = lambda status: None

    def message(self, author: str, chat: str, identifier: str, text: str) -> None:
        """Run the hook for a message, unless too many run."""
        if not self.hook_runs or self._running >= MAX_RUNNING:
            return
        values = {"from": one_line(author, 64), "chat": one_line(chat, 64), "id": identifier, "text": harmless(text)}
        words = [
            _PLACES.sub(lambda found: values[found[1]][:MAX_WORD_CHARACTERS], word)[:MAX_WORD_CHARACTERS]
            for word in self.hook
        ]
        self._running += 1
        process = self._quietly(words, self._hook_ended)
        if process is not None:
            limit = self._clock.callLater(HOOK_SECONDS, _kill, process)
            process.limit = limit

    def _hook_ended(self, status: int) -> None:
        self._running -= 1
        if status:
            self.hook_failed(status)

    def open(self, link: str) -> bool:
        """Hand a link to the opener; False where there is none."""
        if self.opener:
            self._quietly([*self.opener, link], lambda status: None)
        return bool(self.opener)

    def _quietly(self, words: Sequence[str], ended: Callable[[int], None]) -> Any:
        """A process that has nothing of the terminal."""
        nothing = os.open(os.devnull, os.O_RDWR)
        try:
            running = _Ended(lambda status: self._over(running, ended, status))
            descriptors = dict.fromkeys((0, 1, 2), nothing)
            process = self._spawn(running, words[0], list(words), self._environment, childFDs=descriptors)
            running.process = process  # type: ignore[attr-defined]
            return process
        finally:
            os.close(nothing)

    @staticmethod
    def _over(running: Any, ended: Callable[[int], None], status: int) -> None:
        limit = getattr(getattr(running, "process", None), "limit", None)
        if limit is not None and limit.active():
            limit.cancel()
        ended(status)

    def editor(self) -> tuple[str, ...]:
        """The editor's command; UserError says how to name one."""
        if self._editor:
            return self._editor
        for name in ("VISUAL", "EDITOR"):
            if value := self._environment.get(name, "").strip():
                try:
                    return tuple(shlex.split(value))
                except ValueError as error:
                    raise UserError(f"${name} is no command: {error}. Set it to a program, such as nano.") from error
        found = next((name for name in EDITORS if shutil.which(name, path=self._environment.get("PATH"))), None)
        if found is None:
            raise UserError("There is no editor. Set $EDITOR to a program, or editor in screen.toml.")
        return (found,)

    async def edited(self, text: str) -> str:
        """The text as an editor leaves it, which has the terminal meanwhile; UserError when it fails."""
        words = self.editor()
        folder = Path(tempfile.mkdtemp(prefix="editing-", dir=self._folder))
        try:
            path = folder / "message.txt"
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(text.encode("utf-8", "replace"))
            ended: Deferred[int] = Deferred()
            self._spawn(
                _Ended(ended.callback), words[0], [*words, str(path)], self._environment, childFDs=dict(TERMINAL)
            )
            status = await ended
            if status:
                raise UserError(f"{words[0]} ended with status {status}; the line is as it was.")
            return _read(path)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _read(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            found = file.read(MAX_EDITED_BYTES + 1)
    except OSError as error:
        raise UserError(f"The edited text cannot be read: {error.strerror}; the line is as it was.") from error
    if len(found) > MAX_EDITED_BYTES:
        raise UserError(f"The edited text is longer than {MAX_EDITED_BYTES // 1024} KiB; the line is as it was.")
    return found.decode("utf-8", "replace").removesuffix("\n")


def _kill(process: Any) -> None:
    process.signalProcess("KILL")
