"""How the two twistd programs are started as children: in the background for good, or for as long as a demo lasts."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

AGENT = "p2pchat-client"
NODE = "p2pchat-server"

TWISTD = "from twisted.scripts.twistd import run; run()"


def command_line(program: str, options: Sequence[str], logfile: Path) -> list[str]:
    """twistd in the foreground of this very Python, whatever PATH says.

    No pid file: each program guards its own folder, and one that outlives a power cut names a stranger's process.
    """
    start = [sys.executable, "-P", "-c", TWISTD, "-n", "--pidfile=", f"--logfile={logfile}"]
    return [*start, program, *options]


def start_detached(program: str, options: Sequence[str], folder: Path, logfile: Path) -> subprocess.Popen[bytes]:
    """Start a program that outlives us, in a session of its own; what it prints before it logs goes to its log."""
    with os.fdopen(os.open(logfile, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as log:
        return subprocess.Popen(
            command_line(program, options, logfile),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            umask=0o077,
        )


def start_child(
    program: str, options: Sequence[str], folder: Path, output: Path, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a program that ends with us, its lines in the file `output`."""
    surroundings = os.environ if environment is None else environment
    kept = {name: value for name, value in surroundings.items() if not name.startswith("P2PCHAT_")}
    with open(output, "ab") as lines:
        return subprocess.Popen(
            command_line(program, options, folder / "twistd.log"),
            cwd=folder,
            env=kept,
            stdin=subprocess.DEVNULL,
            stdout=lines,
            stderr=lines,
            start_new_session=True,
            umask=0o077,
        )
