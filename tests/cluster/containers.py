"""Hosts as Docker containers: networks, a router between them, and everything that may befall a host.

Every name carries the run's own number, and every object a label with it, by which all of them are removed at the end;
what a run left that was itself killed is removed by the next one, once its time is over.
"""

import os
import random
import secrets
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.cluster.hosts import COMMAND_SECONDS, ROUTER_PLACE, Host, Hosts, clock_surroundings
from tests.end_to_end.stage import Answer

ROOT = Path(__file__).resolve().parent.parent.parent
BASE = os.environ.get("BASE", "p2pchat-base")
FOLDER = "/var/lib/p2pchat"
PYTHON = "/opt/p2pchat/bin/python3"

BUILD_SECONDS = 600.0
RUN_SECONDS = 3_600.0
"""What is older than this was left by a run that was killed."""

SUBNET_TRIES = 20
MAX_LOG_LINES = 60
MAX_ERROR_CHARACTERS = 3000
LABEL = "p2pchat.cluster"
IMAGES = ("build", "server", "client", "router")


def docker(*words: str, typed: str | None = None, seconds: float = COMMAND_SECONDS, check: bool = True) -> Answer:
    """Run the docker command; AssertionError if it fails, unless told not to check."""
    done = subprocess.run(
        ["docker", *words],
        input=typed,
        stdin=subprocess.DEVNULL if typed is None else None,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
        env={**os.environ, "DOCKER_CLI_HINTS": "false"},
    )
    if check and done.returncode:
        said = f"{done.stdout[-MAX_ERROR_CHARACTERS:]}{done.stderr[-MAX_ERROR_CHARACTERS:]}"
        raise AssertionError(f"docker {' '.join(words)} exited with {done.returncode}: {said}")
    return Answer(done.returncode, done.stdout, done.stderr)


def missing() -> str:
    """Why there can be no containers here; empty if there can."""
    try:
        answer = docker("image", "inspect", BASE, check=False)
    except FileNotFoundError:
        return "containers need Docker"
    if docker("info", check=False).status:
        return "no Docker engine answers"
    return "" if answer.status == 0 else f"there is no image {BASE}; docker/base.sh makes it"


@cache
def build_images() -> dict[str, str]:
    """The images of this checkout by target; their names may be moved by another run, what is returned may not."""
    built = {}
    for target in IMAGES:
        name = f"p2pchat-{target}:test"
        before = docker("image", "inspect", "--format", "{{.Id}}", name, check=False).output.strip()
        chosen = ["--build-arg", f"BASE={BASE}", "--target", target, "--tag", name]
        docker(
            "build", "--force-rm", "--file", str(ROOT / "docker/Dockerfile"), *chosen, str(ROOT), seconds=BUILD_SECONDS
        )
        built[target] = docker("image", "inspect", "--format", "{{.Id}}", name).output.strip()
        if before and before != built[target]:
            docker("image", "rm", before, check=False)  # in use by another run, perhaps
    return built


@dataclass(slots=True)
class Container(Host):
    """One container with its place in a network."""

    name: str
    full_name: str
    network: str
    address: str
    image: str = ""
    options: tuple[str, ...] = ()
    """What its container is made with, beside its name, network and image."""

    folder: str = FOLDER
    python: str = PYTHON

    def create(self) -> None:
        """Make it and start it."""
        self._create("run")

    def _create(self, verb: str, *more: str) -> None:
        docker(
            *(verb, *(["--detach"] if verb == "run" else []), "--name", self.full_name, "--hostname", self.name),
            *("--network", self.network, "--ip", self.address, "--cap-add", "NET_ADMIN"),
            *("--no-healthcheck", *self.options, *more, self.image),
        )

    def run(self, *command: str, typed: str | None = None, seconds: float = COMMAND_SECONDS) -> Answer:
        """Run a command in it."""
        interactive = [] if typed is None else ["--interactive"]
        return docker("exec", *interactive, self.full_name, *command, typed=typed, seconds=seconds, check=False)

    def spawn(self, *command: str) -> "subprocess.Popen[str]":
        """Start a command in it, beside its program, as the user p2pchat."""
        return subprocess.Popen(
            ["docker", "exec", "--interactive", "--user", "p2pchat", self.full_name, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def log(self) -> str:
        """The end of what its program wrote."""
        answer = docker("logs", "--tail", str(MAX_LOG_LINES), self.full_name, check=False)
        return f"{answer.output}{answer.errors}"

    @property
    def runs(self) -> bool:
        """Whether its program runs."""
        answer = docker("inspect", "--format", "{{.State.Running}}", self.full_name, check=False)
        return answer.output.strip() == "true"

    def kill(self) -> None:
        """End it as a power cut does."""
        docker("kill", self.full_name)

    def stop(self) -> None:
        """End it politely."""
        docker("stop", "--time", "20", self.full_name)

    def start(self) -> None:
        """Start it again, with its old disk."""
        docker("start", self.full_name)

    def pause(self) -> None:
        """Freeze it: it keeps its connections and answers nothing."""
        docker("pause", self.full_name)

    def thaw(self) -> None:
        """Let it go on."""
        docker("unpause", self.full_name)

    def unplug(self) -> None:
        """Take its network away."""
        docker("network", "disconnect", self.network, self.full_name)

    def plug(self, address: str) -> None:
        """Give it its network back, at this address."""
        docker("network", "connect", "--ip", address, self.network, self.full_name)
        self.address = address

    def use_own_clock(self, own: bool) -> None:
        """Its container is made anew, on the old disk, and not yet started."""
        clock = clock_surroundings(self.clock_file) if own else {}
        docker("rm", "--force", self.full_name)
        self._create("create", *(word for name, value in clock.items() for word in ("--env", f"{name}={value}")))


class Containers(Hosts):
    """Two networks with a router between them, and hosts that are put there."""

    router: Container

    def __init__(self) -> None:
        self.number = secrets.token_hex(3)
        self._prefix = ""
        self._until = int(time.time() + RUN_SECONDS)

    def prepare(self) -> None:
        """Build the images."""
        build_images()

    def open(self) -> None:
        """Make the networks and start the router."""
        self._images = build_images()
        remove_old()
        self._make_networks()
        self.start_router()

    def close(self) -> None:
        """Remove everything of this run."""
        remove(f"{LABEL}={self.number}")

    def address(self, network: str, last: int) -> str:
        """A place in a network."""
        return f"{self._prefix}.{1 if network == 'servers' else 2}.{last}"

    def start_host(self, name: str, network: str, last: int, disk: str) -> Host:
        """Start a container of the image that belongs to the network."""
        other = "clients" if network == "servers" else "servers"
        routes = f"ROUTES={self.address(other, 0)}/24 via {self.address(network, ROUTER_PLACE)}"
        image, address = self._images[network.removesuffix("s")], self.address(network, last)
        told = (*self._labels(), "--env", routes, f"--volume={disk}:{FOLDER}")
        host = Container(name, self._full(name), self._full(network), address, image, told)
        host.create()
        return host

    def start_router(self, relay: bool = False) -> Host:
        """Start the router, or another one in its place; `relay`: with the relay for multicast."""
        name, address = self._full("router"), self.address("servers", ROUTER_PLACE)
        docker("rm", "--force", name, check=False)
        router = Container("router", name, self._full("servers"), address)
        docker(
            *("create", "--name", name, "--hostname", "router", *self._labels(), "--cap-add", "NET_ADMIN"),
            *("--sysctl", "net.ipv4.ip_forward=1", "--network", router.network, "--ip", router.address),
            *("--env", f"RELAY={int(relay)}", self._images["router"]),
        )
        docker("network", "connect", "--ip", self.address("clients", ROUTER_PLACE), self._full("clients"), name)
        router.start()
        self.router = router
        return router

    def disk(self, name: str, mebibytes: int = 0) -> str:
        """A volume, made at first use; one in memory that is soon full, if a size is given."""
        full = self._full(name)
        size = ("--opt=type=tmpfs", "--opt=device=tmpfs", f"--opt=o=size={mebibytes}m") if mebibytes else ()
        docker("volume", "create", *self._labels(), *size, full)
        if mebibytes:  # it would be lost whenever no container has it
            docker(
                *("run", "--detach", *self._labels(), "--network", "none", "--no-healthcheck"),
                *(f"--volume={full}:/disk", "--entrypoint", "sleep", self._images["server"], "infinity"),
            )
        return full

    def admit(self, disks: dict[int, str]) -> None:
        """Make the ring's authority, and give each of these servers' disks an admission."""
        mounts = [f"--volume={name}:/nodes/{number}" for number, name in disks.items()]
        docker(
            *("run", "--rm", *self._labels(), "--network", "none", f"--volume={self.disk('authority')}:/authority"),
            *(*mounts, "--entrypoint", "/usr/local/lib/p2pchat/admission.sh", self._images["server"]),
            *map(str, disks),
        )

    def _make_networks(self) -> None:
        """At addresses that no other network of this machine has."""
        for _ in range(SUBNET_TRIES):
            self._prefix = f"10.{random.randrange(64, 250)}"
            made = [self._make_network(each) for each in ("servers", "clients")]
            if all(each.status == 0 for each in made):
                return
            remove(f"{LABEL}={self.number}")
        raise AssertionError(f"no network can be made: {made[0].errors or made[1].errors}")

    def _make_network(self, network: str) -> Answer:
        options = {"enable_ip_masquerade": "false", "gateway_mode_ipv4": "nat-unprotected"}
        return docker(
            *("network", "create", *self._labels(), "--subnet", f"{self.address(network, 0)}/24"),
            *(f"--opt=com.docker.network.bridge.{name}={value}" for name, value in options.items()),
            self._full(network),
            check=False,
        )

    def _full(self, name: str) -> str:
        return f"p2pchat-{self.number}-{name}"

    def _labels(self) -> list[str]:
        return ["--label", f"{LABEL}={self.number}", "--label", f"{LABEL}.until={self._until}"]


def remove(label: str) -> None:
    """Remove every container, network and volume with this label."""
    wanted = f"label={label}"
    removals: tuple[tuple[list[str], list[str]], ...] = (
        (["ps", "--all", "--quiet"], ["rm", "--force", "--volumes"]),
        (["network", "ls", "--quiet"], ["network", "rm"]),
        (["volume", "ls", "--quiet"], ["volume", "rm", "--force"]),
    )
    for listing, removal in removals:
        if found := docker(*listing, "--filter", wanted, check=False).output.split():
            docker(*removal, *found, check=False)


def remove_old(now: Callable[[], float] = time.time) -> None:
    """Remove what killed runs left behind."""
    old = set()
    for listing in (["ps", "--all"], ["network", "ls"], ["volume", "ls"]):
        shown = f'{{{{.Label "{LABEL}"}}}} {{{{.Label "{LABEL}.until"}}}}'
        for line in docker(*listing, "--filter", f"label={LABEL}", "--format", shown).output.splitlines():
            number, until = line.split()
            if float(until) < now():
                old.add(number)
    for number in old:
        remove(f"{LABEL}={number}")
