"""Hosts as namespaces of Linux: no image, and a second to make.

Needs root (that of a user namespace will do), iproute2, iptables and util-linux.  Rules and addresses of this machine
are neither used nor changed.  Everything lies in namespaces without a name, which live as long as the first process in
them: they are gone with the process that runs the tests, however it ends.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.cluster.hosts import COMMAND_SECONDS, FAKETIME, ROUTER_PLACE, Host, Hosts, clock_surroundings
from tests.end_to_end.stage import Answer, die_with_parent, surroundings, until

ROOT = Path(__file__).resolve().parent.parent.parent
HOST_BITS = 24
STOP_SECONDS = 20.0
MAX_LOG_BYTES = 6000
NETWORKS = ("servers", "clients")
TOOLS = ("ip", "iptables", "nsenter", "unshare", "setpriv")

WORLD = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "sleep", "infinity")
MACHINE = ("unshare", "--net", "--mount", "--uts", "--pid", "--fork", "--mount-proc", "sleep", "infinity")
"""The first process of a host: all others end with it."""

PROGRAMS = {
    "servers": ("twistd", "-n", "--pidfile=", "p2pchat-server"),
    "clients": ("twistd", "-n", "--pidfile=", "p2pchat-client"),
    "router": (str(ROOT / "docker/router.sh"),),
}


def missing() -> str:
    """Why there can be no namespaces here; empty if there can."""
    if os.geteuid() != 0:
        return "network namespaces need root, or `unshare --user --map-root-user` before the command"
    if absent := [each for each in TOOLS if shutil.which(each) is None]:
        return f"network namespaces need {', '.join(absent)} (packages iproute2, iptables, util-linux)"
    tried = ("sh", "-c", "ip link add test type bridge && iptables --wait -A INPUT -s 127.0.0.9 -j DROP")
    probe = subprocess.run([*WORLD[:-2], *tried], capture_output=True, text=True, check=False)
    if probe.returncode:
        return f"this machine makes no network namespaces: {probe.stderr.strip()}"
    return ""


def clocks_missing() -> str:
    """Why no host can have a clock of its own; empty if it can."""
    shown = subprocess.run(
        ["cat", "/proc/self/maps"], env={"LD_PRELOAD": FAKETIME}, capture_output=True, text=True, check=False
    )
    return "" if "libfaketime" in shown.stdout else "a clock of its own needs libfaketime (package libfaketime)"


def children(pid: int) -> list[int]:
    """The processes that one has started."""
    with contextlib.suppress(OSError):
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def parent(pid: int) -> int:
    """The process that has started one."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def innermost(pid: int) -> int:
    """The process that `unshare` and `nsenter` have led to."""
    while found := children(pid):
        pid = found[0]
    return pid


def keep(command: Sequence[str], mortal: bool = False) -> "tuple[subprocess.Popen[bytes], int]":
    """Start what keeps namespaces; the process, and the first one inside.

    Args:
        mortal: ends with the tests, however they end.
    """
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,  # `unshare` complains when what it waits for is killed
        preexec_fn=die_with_parent if mortal else None,
        start_new_session=True,
    )

    def look() -> int:
        if process.poll() is not None:
            raise AssertionError(f"{' '.join(command)} exited with {process.returncode}")
        inside = innermost(process.pid)
        with contextlib.suppress(OSError):
            return inside if Path(f"/proc/{inside}/comm").read_text() == "sleep\n" else 0
        return 0

    return process, int(until(look, f"{' '.join(command)} makes no namespace", COMMAND_SECONDS))


def within(pid: int, *kinds: str) -> list[str]:
    """What stands before a command that is to run in another process's namespaces."""
    return ["nsenter", "--target", str(pid), *(f"--{kind}" for kind in kinds), "--"]


def execute(command: Sequence[str]) -> None:
    """Run a command that must work."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"


class NamespaceHost(Host):
    """One host: its namespaces, a cable for each network that it is in, and its program."""

    python = sys.executable

    def __init__(
        self, world: "Namespaces", name: str, places: dict[str, str], folder: Path, told: dict[str, str]
    ) -> None:
        self.name, self.folder = name, str(folder)
        self._world, self._places, self._told = world, places, told
        self.address = next(iter(places.values()))
        self._network = next(iter(places)) if len(places) == 1 else "router"
        self._log = world.folder / f"{name}.log"
        self._own_clock = False
        self.start()

    def start(self) -> None:
        """Start it again, with its old disk."""
        self._outer, self._first = keep([*within(self._world.first, "net", "mount", "pid"), *MACHINE])
        execute([*within(self._first, "mount"), "mount", "-t", "tmpfs", "tmpfs", "/run"])
        execute([*within(self._first, "uts"), "hostname", self.name])
        execute([*within(self._first, "net"), "ip", "link", "set", "lo", "up"])
        if len(self._places) > 1:
            execute([*self._within(), "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"])
        for number, (network, address) in enumerate(self._places.items()):
            self._connect(network, address, f"eth{number}")
        clock = clock_surroundings(self.clock_file) if self._own_clock else {}
        with self._log.open("ab") as log:
            self._program = subprocess.Popen(
                [*self._within(), *PROGRAMS[self._network]],
                env={**self._surroundings(), **clock},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _within(self) -> list[str]:
        """What is started so ends with `nsenter`, which waits for it."""
        return [*within(self._first, "net", "mount", "uts", "pid"), "setpriv", "--pdeathsig", "KILL"]

    def _surroundings(self) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {**surroundings(Path(self.folder)), **self._told, "PATH": path, "PYTHONUNBUFFERED": "1"}

    def run(self, *command: str, typed: str | None = None, seconds: float = COMMAND_SECONDS) -> Answer:
        """Run a command in it."""
        # Files and not pipes: an agent that was started in the background must not keep the test waiting.
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            done = subprocess.run(
                [*self._within(), *command],
                env=self._surroundings(),
                input=None if typed is None else typed.encode(),
                stdin=subprocess.DEVNULL if typed is None else None,
                stdout=output,
                stderr=errors,
                timeout=seconds,
                check=False,
            )
            for file in (output, errors):
                file.seek(0)
            return Answer(done.returncode, output.read().decode(), errors.read().decode())

    def spawn(self, *command: str) -> "subprocess.Popen[str]":
        """Start a command in it, beside its program; it is told to end by the end of its input."""
        return subprocess.Popen(
            [*self._within(), *command],
            env=self._surroundings(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def log(self) -> str:
        """The end of what its program wrote."""
        return self._log.read_bytes()[-MAX_LOG_BYTES:].decode(errors="replace")

    @property
    def runs(self) -> bool:
        """Whether its program runs."""
        return self._program.poll() is None

    def kill(self) -> None:
        """End it as a power cut does: nothing tells the others, not even a closed connection."""
        for network in self._places:
            self._disconnect(network)
        self.thaw()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._first, signal.SIGKILL)
        for each in (self._outer, self._program):
            each.wait(COMMAND_SECONDS)

    def stop(self) -> None:
        """End it politely."""
        for pid in children(self._program.pid):
            os.kill(pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._program.wait(STOP_SECONDS)
        self.kill()

    def pause(self) -> None:
        """Freeze it: it keeps its connections and answers nothing."""
        for pid in self._processes():
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        # `nsenter` stops with what it waits for.
        for pid in self._processes():
            for each in (parent(pid), pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(each, signal.SIGCONT)

    def _processes(self) -> list[int]:
        """All but the first."""
        found = []
        with contextlib.suppress(OSError):
            here = os.readlink(f"/proc/{self._first}/ns/pid")
            for pid in [int(each) for each in os.listdir("/proc") if each.isdigit()]:
                with contextlib.suppress(OSError):
                    if os.readlink(f"/proc/{pid}/ns/pid") == here and pid != self._first:
                        found.append(pid)
        return found

    def unplug(self) -> None:
        """Take its network away."""
        self._disconnect(self._network)

    def plug(self, address: str) -> None:
        """Give it its network back, at this address."""
        self._places[self._network] = self.address = address
        self._connect(self._network, address, "eth0")

    def use_own_clock(self, own: bool) -> None:
        """From its next start on, `set_clock` has an effect; or has none any more."""
        self._own_clock = own

    def _connect(self, network: str, address: str, interface: str) -> None:
        port = f"{self.name}-{network}"[:15]
        # The same address has the same hardware, or else the others would look for it in vain for a while.
        hardware = "02:4a:" + ":".join(f"{int(each):02x}" for each in address.split("."))
        inner = ("name", interface, "address", hardware, "netns", str(self._first))
        self._world.ip("link", "add", port, "type", "veth", "peer", *inner)
        self._world.ip("link", "set", port, "master", network, "up")
        inside = [*within(self._first, "net"), "ip"]
        execute([*inside, "address", "add", f"{address}/{HOST_BITS}", "dev", interface])
        execute([*inside, "link", "set", interface, "up"])
        if len(self._places) == 1:
            other = NETWORKS[1 - NETWORKS.index(network)]
            route = (f"{self._world.address(other, 0)}/{HOST_BITS}", "via", self._world.address(network, ROUTER_PLACE))
            execute([*inside, "route", "add", *route])

    def _disconnect(self, network: str) -> None:
        with contextlib.suppress(AssertionError):  # it is unplugged already, perhaps
            self._world.ip("link", "delete", f"{self.name}-{network}"[:15])


class Namespaces(Hosts):
    """Two switches in a namespace of their own, and hosts around them."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="p2pchat-hosts-"))
        self._hosts: list[NamespaceHost] = []
        self._outer: subprocess.Popen[bytes] | None = None
        self.first = 0

    def prepare(self) -> None:
        """There is nothing to prepare."""

    def open(self) -> None:
        """Make the networks and start the router."""
        self._outer, self.first = keep(WORLD, mortal=True)
        for network in NETWORKS:
            self.ip("link", "add", network, "type", "bridge")
            self.ip("link", "set", network, "up")
        self.start_router()

    def close(self) -> None:
        """End everything, and remove it."""
        for each in self._hosts:
            each.kill()
        self._hosts.clear()
        if self._outer is not None:
            self._outer.kill()
            self._outer.wait(COMMAND_SECONDS)
        shutil.rmtree(self.folder)

    def ip(self, *words: str) -> None:
        """Change something at the switches."""
        execute([*within(self.first, "net"), "ip", *words])

    def address(self, network: str, last: int) -> str:
        """A place in a network."""
        return f"10.74.{1 + NETWORKS.index(network)}.{last}"

    def disk(self, name: str, mebibytes: int = 0) -> str:
        """A disk, made at first use; one that is soon full, if a size is given.  It lasts as long as this run."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        if mebibytes:
            size = f"size={mebibytes}m"
            execute([*within(self.first, "mount"), "mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)])
        return str(folder)

    def admit(self, disks: dict[int, str]) -> None:
        """Make the ring's authority, and give each of these servers' disks an admission."""
        # In the namespace, because a small disk can be seen there alone.
        p2pchat = [*within(self.first, "mount"), sys.executable, "-P", "-m", "p2pchat.cli.main", "ring"]
        authority = str(self.folder / "authority")
        execute([*p2pchat, "create", authority])
        for folder in disks.values():
            execute([*p2pchat, "admit", "--authority", authority, "--data", f"{folder}/node"])

    def start_host(self, name: str, network: str, last: int, disk: str) -> Host:
        """Start a host that runs the program of its network: a node or an agent."""
        servers = {"P2PCHAT_DATA": f"{disk}/node", "P2PCHAT_METRICS": "127.0.0.1:7403"}
        told = servers if network == "servers" else {"P2PCHAT_HOME": f"{disk}/home"}
        return self._add(NamespaceHost(self, name, {network: self.address(network, last)}, Path(disk), told))

    def start_router(self, relay: bool = False) -> Host:
        """Start the router, or another one in its place; `relay`: with the relay for multicast."""
        for each in [each for each in self._hosts if each.name == "router"]:
            each.kill()
            self._hosts.remove(each)
        places = {network: self.address(network, ROUTER_PLACE) for network in NETWORKS}
        told = {"RELAY": str(int(relay))}
        self.router = self._add(NamespaceHost(self, "router", places, Path(self.disk("router")), told))
        return self.router

    def _add(self, host: NamespaceHost) -> NamespaceHost:
        self._hosts.append(host)
        return host
