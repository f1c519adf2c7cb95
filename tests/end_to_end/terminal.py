"""Programs in real terminals: panes of a tmux server of our own, keys in, text out."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

from tests.end_to_end.stage import surroundings, until

MISSING = "tmux is not installed"


class Terminals:
    """A tmux server that nobody else uses."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._socket = str(folder / "tmux.sock")
        self._count = 0

    def run(self, *words: str) -> str:
        """One tmux command; what it prints."""
        environment = {**surroundings(self._folder), "TERM": "xterm-256color", "TMPDIR": str(self._folder)}
        environment.pop("TMUX", None)
        command = ["tmux", "-u", "-S", self._socket, "-f", "/dev/null", *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False).stdout

    def open(self, *words: str, columns: int = 80, rows: int = 24, term: str = "") -> "Terminal":
        """A terminal in which `p2pchat WORDS` runs; it stays when the program ends.

        Args:
            term: for TERM, instead of what tmux says.
        """
        self._count += 1
        name = f"t{self._count}"
        named = ["env", f"TERM={term}"] if term else []
        program = shlex.join([*named, sys.executable, "-P", "-m", "p2pchat.cli.main", *words])
        # tmux now and then forgets the status of a program whose terminal closed before it was waited for.
        status = self._folder / f"{name}.status"
        part, whole = shlex.quote(f"{status}.part"), shlex.quote(str(status))
        program = f"{program}; echo $? > {part}; mv {part} {whole}"
        size = ["-x", str(columns), "-y", str(rows)]
        # In one command, so that the option holds before a program can end.
        self.run("new-session", "-d", "-s", name, *size, program, ";", "set-option", "-g", "remain-on-exit", "on")
        return Terminal(self, name, status)

    def close(self) -> None:
        """End everything in it."""
        self.run("kill-server")


class Terminal:
    """One terminal: what it shows, and its keyboard."""

    def __init__(self, terminals: Terminals, name: str, status: Path) -> None:
        self._terminals, self._name, self._status = terminals, name, status

    @property
    def text(self) -> str:
        """What it shows."""
        return self._terminals.run("capture-pane", "-p", "-t", self._name)

    def press(self, *keys: str) -> None:
        """Press keys, named as tmux does."""
        self._terminals.run("send-keys", "-t", self._name, *keys)

    def type(self, text: str, *keys: str) -> None:
        """Type a text, then press keys."""
        self._terminals.run("send-keys", "-t", self._name, "-l", "--", text)
        if keys:
            self.press(*keys)

    def paste(self, text: str) -> None:
        """Paste a text, marked as such where the program asks for that."""
        self._terminals.run(
            "set-buffer",
            "-b",
            self._name,
            "--",
            text,
            ";",
            "paste-buffer",
            "-p",
            "-r",
            "-d",
            "-b",
            self._name,
            "-t",
            self._name,
        )

    def wait_for(self, text: str, seconds: float = 60.0) -> None:
        """Wait until it shows a text."""
        try:
            until(lambda: text in self.text, "", seconds)
        except AssertionError:
            raise AssertionError(f"{text!r} does not appear:\n{self.text}") from None

    def wait_until_gone(self, text: str, seconds: float = 60.0) -> None:
        """Wait until it shows a text no more."""
        try:
            until(lambda: text not in self.text, "", seconds)
        except AssertionError:
            raise AssertionError(f"{text!r} does not go away:\n{self.text}") from None

    def ended(self) -> int:
        """Wait until its program has ended; the exit status."""
        until(self._status.exists, f"the program does not end:\n{self.text}")
        return int(self._status.read_text())


def working_in(folder: Path) -> dict[int, str]:
    """Processes whose command line names a folder, but for us and for tmux: their ids and command lines."""
    found = {}
    for each in Path("/proc").iterdir():
        if each.name.isdigit() and int(each.name) != os.getpid():
            try:
                command = (each / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(folder) in command and not command.startswith("tmux"):
                found[int(each.name)] = command
    return found
