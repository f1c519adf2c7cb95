"""Hosts as network namespaces of Linux, on two switches whose cable can be pulled: no images, half a second to make.

Needs root and iproute2.  Everything lies in namespaces of its own, so that rules and addresses of this machine are
neither used nor changed; `close` removes them with all that runs in them.
"""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess

from tests.end_to_end.stage import until

HOST_BITS = 24
COMMAND_SECONDS = 20.0


def ip(*words: str) -> str:
    """Run `ip`; its output.  CalledProcessError if it fails."""
    done = subprocess.run(["ip", *words], capture_output=True, text=True, timeout=COMMAND_SECONDS, check=True)
    return done.stdout


def missing() -> str:
    """Why there can be no namespaces here; empty if there can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "network namespaces need iproute2"
    probe = f"p2p-{secrets.token_hex(3)}"
    try:
        ip("netns", "add", probe)
        ip("netns", "del", probe)
    except subprocess.CalledProcessError as error:
        return f"this machine makes no network namespaces: {error.stderr.strip()}"
    return ""


class Namespaces:
    """So many hosts on the left switch, the others on the right one, and a cable between the two."""

    def __init__(self, left: int, right: int) -> None:
        token = secrets.token_hex(3)
        self._switches = f"p2p-{token}-s"
        self.hosts = [f"p2p-{token}-{number}" for number in range(1, left + right + 1)]
        self.addresses = [f"10.74.{int(token[:2], 16)}.{number}" for number in range(1, left + right + 1)]
        self._made: list[str] = []
        try:
            self._build(left)
        except BaseException:
            self.close()
            raise

    def _build(self, left: int) -> None:
        self._namespace(self._switches)
        for side in ("left", "right"):
            self._in_switches("link", "add", side, "type", "bridge")
            self._in_switches("link", "set", side, "up")
        self._in_switches("link", "add", "cable", "type", "veth", "peer", "name", "elbac")
        for end, side in (("cable", "left"), ("elbac", "right")):
            self._in_switches("link", "set", end, "master", side)
            self._in_switches("link", "set", end, "up")
        for number, (host, address) in enumerate(zip(self.hosts, self.addresses, strict=True)):
            self._namespace(host)
            port = f"port{number}"
            self._in_switches("link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", host)
            self._in_switches("link", "set", port, "master", "left" if number < left else "right")
            self._in_switches("link", "set", port, "up")
            ip("-n", host, "address", "add", f"{address}/{HOST_BITS}", "dev", "eth0")
            ip("-n", host, "link", "set", "eth0", "up")
            ip("-n", host, "link", "set", "lo", "up")

    def _namespace(self, name: str) -> None:
        ip("netns", "add", name)
        self._made.append(name)

    def _in_switches(self, *words: str) -> None:
        ip("-n", self._switches, *words)

    def within(self, number: int) -> list[str]:
        """What stands before a command that is to run on a host."""
        return ["ip", "netns", "exec", self.hosts[number]]

    def part(self) -> None:
        """Pull the cable: nothing gets across any more, and nobody is told."""
        self._in_switches("link", "set", "cable", "down")

    def mend(self) -> None:
        """Plug it in again."""
        self._in_switches("link", "set", "cable", "up")

    def running(self) -> list[int]:
        """Processes on all hosts."""
        return [int(pid) for name in self._made for pid in ip("netns", "pids", name).split()]

    def close(self) -> None:
        """End whatever runs on the hosts, and remove them."""
        for pid in self.running():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        until(lambda: not self.running(), "a process on a host does not end", COMMAND_SECONDS)
        for name in reversed(self._made):
            ip("netns", "del", name)
        self._made.clear()
