"""Node and agent tell a real notify socket that they are ready, alive and stopping."""

import os
import signal
import socket
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.stage import TWISTD, WAIT_SECONDS, Stage, die_with_parent, surroundings


class NotifyTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.stage = Stage()
        self.addCleanup(self.stage.close)
        self.systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.systemd.close)
        self.systemd.settimeout(WAIT_SECONDS)
        self.systemd.bind(str(self.stage.folder / "notify"))

    def lives_as_told(self, program: str, *options: str) -> None:
        """Start a program as systemd does, and follow what it says until it has ended."""
        told = {"NOTIFY_SOCKET": str(self.stage.folder / "notify"), "WATCHDOG_USEC": "400000"}
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", TWISTD, "-n", "--pidfile=", f"--logfile={program}.log", program, *options],
            cwd=self.stage.folder,
            env={**surroundings(self.stage.folder), **told},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            preexec_fn=die_with_parent,
        )
        try:
            first = self.systemd.recv(4096).decode()
            self.assertTrue(first.startswith(f"READY=1\nSTATUS={program} ready: "), first)
            self.assertEqual([self.systemd.recv(4096) for _ in range(3)], [b"WATCHDOG=1"] * 3)
            os.kill(process.pid, signal.SIGTERM)
            last = self.systemd.recv(4096)
            while last == b"WATCHDOG=1":
                last = self.systemd.recv(4096)
            self.assertEqual(last, b"STOPPING=1")
            process.wait(WAIT_SECONDS)
        finally:
            process.kill()
            process.wait()

    def test_a_node(self) -> None:
        free = ("--ring", "127.0.0.1:0", "--clients", "127.0.0.1:0", "--no-multicast", "--slots", "16")
        self.lives_as_told("p2pchat-server", "--data", str(self.stage.folder / "node"), *free)

    def test_an_agent(self) -> None:
        home = str(self.stage.folder / "home")
        self.lives_as_told("p2pchat-client", "--home", home, "--no-multicast", "--server", "127.0.0.1:9")
