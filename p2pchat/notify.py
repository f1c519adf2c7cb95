"""Tells systemd how the program is: ready, stopping, and alive as long as the reactor turns (sd_notify(3)).

Twisted reads these variables nowhere, and the protocol is one datagram of lines, so no library is needed for it.
"""

import os
import socket
from collections.abc import Mapping, MutableMapping

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

SOCKET, WATCHDOG, WATCHDOG_PID = "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"


class Notifier:
    """Does nothing where nobody listens.

    Args:
        environment: the process's; NOTIFY_SOCKET is taken out, because it is not meant for children.
    """

    _log = Logger()

    def __init__(self, environment: MutableMapping[str, str], clock: IReactorTime) -> None:
        self._address = environment.pop(SOCKET, "")
        self._seconds = watchdog_seconds(environment, os.getpid()) if self._address else 0.0
        self._loop = LoopingCall(self._send, "WATCHDOG=1")
        self._loop.clock = clock

    def ready(self, line: str) -> None:
        """The program does its work from now on; `line` is shown by `systemctl status`."""
        self._send(f"READY=1\nSTATUS={' '.join(line.split())}")
        if self._seconds and not self._loop.running:
            # Half of the time that systemd grants, as sd_watchdog_enabled(3) advises.
            self._loop.start(self._seconds / 2).addErrback(lambda why: self._log.failure("systemd is not told", why))

    def stopping(self) -> None:
        """The program ends in an orderly way."""
        if self._loop.running:
            self._loop.stop()
        self._send("STOPPING=1")

    def _send(self, text: str) -> None:
        """A datagram that does not arrive ends nothing: without it systemd acts, which is what it is for."""
        if not self._address:
            return
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                sender.connect(address)
                sender.send(text.encode())
        except OSError as error:
            self._log.warn("systemd cannot be told at {address}: {error}", address=self._address, error=str(error))


def watchdog_seconds(environment: Mapping[str, str], pid: int) -> float:
    """How long systemd waits for a sign of life; 0 where it does not, or means another process."""
    if environment.get(WATCHDOG_PID, str(pid)) != str(pid):
        return 0.0
    text = environment.get(WATCHDOG, "")
    return int(text) / 1_000_000 if text.isascii() and text.isdigit() else 0.0
