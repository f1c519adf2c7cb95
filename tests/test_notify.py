"""systemd is told over a real socket; the units ask for what the programs do, and lock them in."""

import configparser
import os
import re
import socket
from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.notify import Notifier, watchdog_seconds

UNITS = Path(__file__).resolve().parent.parent / "p2pchat/share/systemd"


class NotifierTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.systemd.close)
        self.systemd.setblocking(False)
        self.name = f"p2pchat-test-{os.getpid()}-{id(self)}"
        self.systemd.bind(f"\0{self.name}")
        self.environment = {"NOTIFY_SOCKET": f"@{self.name}", "WATCHDOG_USEC": "4000000"}

    def told(self) -> list[str]:
        found = []
        while True:
            try:
                found.append(self.systemd.recv(4096).decode())
            except BlockingIOError:
                return found

    def test_ready_alive_and_stopping(self) -> None:
        notifier = Notifier(self.environment, self.clock)
        self.assertEqual(self.told(), [])
        notifier.ready("p2pchat-server ready: node\n1a2b3c4d")
        self.assertEqual(self.told(), ["READY=1\nSTATUS=p2pchat-server ready: node 1a2b3c4d", "WATCHDOG=1"])
        self.clock.pump([1.0] * 4)
        self.assertEqual(self.told(), ["WATCHDOG=1"] * 2)
        notifier.stopping()
        self.assertEqual(self.told(), ["STOPPING=1"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_socket_with_a_path(self) -> None:
        path = self.mktemp()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
            other.bind(path)
            Notifier({"NOTIFY_SOCKET": path}, self.clock).ready("ready")
            self.assertEqual(other.recv(100), b"READY=1\nSTATUS=ready")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_children_do_not_get_the_socket(self) -> None:
        Notifier(self.environment, self.clock)
        self.assertNotIn("NOTIFY_SOCKET", self.environment)

    def test_without_systemd_nothing_is_done(self) -> None:
        notifier = Notifier({"WATCHDOG_USEC": "4000000"}, self.clock)
        notifier.ready("ready")
        notifier.stopping()
        self.assertEqual((self.told(), self.clock.getDelayedCalls()), ([], []))

    def test_a_systemd_that_is_gone_ends_nothing(self) -> None:
        notifier = Notifier(self.environment, self.clock)
        self.systemd.close()
        notifier.ready("ready")
        notifier.stopping()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_watchdog_for_another_process_is_not_ours(self) -> None:
        self.assertEqual(watchdog_seconds({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "7"}, 7), 3.0)
        self.assertEqual(watchdog_seconds({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "7"}, 8), 0.0)
        self.assertEqual(watchdog_seconds({"WATCHDOG_USEC": "soon"}, 7), 0.0)


class UnitTests(SynchronousTestCase):
    """What systemd is asked for."""

    def unit(self, name: str) -> configparser.ConfigParser:
        read = configparser.ConfigParser(strict=False, interpolation=None)
        read.optionxform = str  # type: ignore[method-assign,assignment]
        read.read_string((UNITS / f"{name}.service").read_text())
        return read

    def test_both_are_told_when_the_program_is_ready_and_watch_it(self) -> None:
        for name in ("p2pchat-server", "p2pchat-client"):
            service = self.unit(name)["Service"]
            self.assertEqual(
                (service["Type"], service["WatchdogSec"], service["Restart"]), ("notify", "30", "on-failure")
            )
            self.assertEqual(service["RestartPreventExitStatus"], "2 3")
            self.assertRegex(service["ExecStart"], rf"^/\S+/twistd --nodaemon --pidfile= {name}\b")
            self.assertEqual(service["ExecReload"], "/bin/kill -HUP $MAINPID")

    def test_the_node_is_locked_in(self) -> None:
        service = self.unit("p2pchat-server")["Service"]
        closed = "ProtectHome PrivateTmp PrivateDevices ProtectClock ProtectKernelTunables RestrictNamespaces"
        self.assertEqual([each for each in closed.split() if service[each] != "yes"], [])
        self.assertEqual((service["ProtectSystem"], service["CapabilityBoundingSet"]), ("strict", ""))
        self.assertEqual((service["DynamicUser"], service["StateDirectory"]), ("yes", "p2pchat"))

    def test_what_the_units_point_to_is_there(self) -> None:
        for path in UNITS.iterdir():
            for page in re.findall(r"man:([\w.-]+)\((\d)\)", path.read_text()):
                self.assertTrue((UNITS.parent / "man" / ".".join(page)).exists(), page)
