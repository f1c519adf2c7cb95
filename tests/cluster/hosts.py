"""What every driver offers: hosts on two networks with a router between them, and everything that may befall a host."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from subprocess import Popen

from tests.end_to_end.stage import Answer

COMMAND_SECONDS = 120.0
ROUTER_PLACE = 254

FAKETIME = "/usr/$LIB/faketime/libfaketimeMT.so.1"
"""For LD_PRELOAD, whose `$LIB` the loader replaces by this machine's folder of libraries."""


def clock_surroundings(file: str) -> dict[str, str]:
    """An environment in which the time of day is off by what this file says; clocks that only count are not."""
    return {
        "LD_PRELOAD": FAKETIME,
        "FAKETIME_TIMESTAMP_FILE": file,
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }


class Host(ABC):
    """A machine with its place in a network, its disk and its program.

    Attributes:
        address: where it is, or was when it had a network.
        folder: its disk, which outlives everything but the run.
        python: the interpreter that has p2pchat.
    """

    name: str
    address: str
    folder: str
    python: str

    @abstractmethod
    def run(self, *command: str, typed: str | None = None, seconds: float = COMMAND_SECONDS) -> Answer:
        """Run a command in it."""

    @abstractmethod
    def spawn(self, *command: str) -> "Popen[str]":
        """Start a command in it, beside its program; it is told to end by the end of its input."""

    @property
    @abstractmethod
    def log(self) -> str:
        """The end of what its program wrote."""

    @property
    @abstractmethod
    def runs(self) -> bool:
        """Whether its program runs."""

    @abstractmethod
    def kill(self) -> None:
        """End it as a power cut does."""

    @abstractmethod
    def stop(self) -> None:
        """End it politely."""

    @abstractmethod
    def start(self) -> None:
        """Start it again, with its old disk."""

    @abstractmethod
    def pause(self) -> None:
        """Freeze it: it keeps its connections and answers nothing."""

    @abstractmethod
    def thaw(self) -> None:
        """Let it go on."""

    @abstractmethod
    def unplug(self) -> None:
        """Take its network away."""

    @abstractmethod
    def plug(self, address: str) -> None:
        """Give it its network back, at this address."""

    @abstractmethod
    def use_own_clock(self, own: bool) -> None:
        """From its next start on, `set_clock` has an effect; or has none any more."""

    def set_clock(self, seconds: int) -> None:
        """Put its clock forward by so many seconds against the others' (back, if negative), within a second or two."""
        done = self.run(
            "sh", "-c", f"echo {seconds:+d} >{self.clock_file}.new && mv {self.clock_file}.new {self.clock_file}"
        )
        assert done.status == 0, done.errors

    @property
    def clock_file(self) -> str:
        """Where its own clock stands."""
        return f"{self.folder}/clock"

    def shut_out(self, others: Sequence["Host"], *how: str) -> None:
        """Take nothing from these hosts any more; what they send is lost, unless `how` says another target."""
        sources = ",".join(each.address for each in others)
        done = self.run("iptables", "--wait", "-A", "INPUT", "-s", sources, "-j", *(how or ("DROP",)))
        assert done.status == 0, done.errors

    def let_in(self) -> None:
        """Take everything again."""
        done = self.run("iptables", "--wait", "-F", "INPUT")
        assert done.status == 0, done.errors


class Hosts(ABC):
    """The networks `servers` and `clients`, the router between them, and hosts that are put there."""

    router: Host

    @abstractmethod
    def prepare(self) -> None:
        """Do what is done once and takes long."""

    @abstractmethod
    def open(self) -> None:
        """Make the networks and start the router."""

    @abstractmethod
    def close(self) -> None:
        """Remove everything of this run."""

    @abstractmethod
    def address(self, network: str, last: int) -> str:
        """A place in a network."""

    @abstractmethod
    def disk(self, name: str, mebibytes: int = 0) -> str:
        """A disk, made at first use; one that is soon full, if a size is given.  It lasts as long as this run."""

    @abstractmethod
    def admit(self, disks: dict[int, str]) -> None:
        """Make the ring's authority, and give each of these servers' disks an admission."""

    @abstractmethod
    def start_host(self, name: str, network: str, last: int, disk: str) -> Host:
        """Start a host that runs the program of its network: a node or an agent."""

    @abstractmethod
    def start_router(self, relay: bool = False) -> Host:
        """Start the router, or another one in its place; `relay`: with the relay for multicast."""


def at_once(what: Callable[[Host], None], hosts: Sequence[Host]) -> None:
    """Do the same to all of these hosts at the same time."""
    with ThreadPoolExecutor(len(hosts)) as threads:
        list(threads.map(what, hosts))
