"""The units under a systemd of their own, which is the first process of a container."""

import re
import secrets
import time
from collections.abc import Callable
from functools import partial

from twisted.trial.unittest import SynchronousTestCase

from tests.cluster import containers, drivers
from tests.cluster.containers import LABEL, RUN_SECONDS, build_images, docker, remove
from tests.cluster.stage import remove_at_end
from tests.end_to_end.stage import Answer, until

Control = Callable[..., Answer]
"""Runs a systemctl, the machine's or a person's."""

WAIT_SECONDS = 120.0
NODE, AGENT = "p2pchat-server", "p2pchat-client"
PERSON = "ann"
PROGRAM = "/opt/p2pchat/bin/p2pchat"
UNITS = "/opt/p2pchat/share/p2pchat/systemd"
WATCHDOG_SECONDS = 5
"""Instead of the 30 of the units, so that the test need not wait for those."""

RIGHTS = (
    *("--cap-add", "ALL", "--cap-drop", "SYS_RESOURCE"),
    *(word for what in ("seccomp", "apparmor", "systempaths") for word in ("--security-opt", f"{what}=unconfined")),
)
"""What systemd needs to make sandboxes: all but one capability, which not every machine has to give."""

BEGIN = f"""
umount /sys/fs/cgroup/* 2>/dev/null
umount -l /sys/fs/cgroup 2>/dev/null
mount -t cgroup2 cgroup2 /sys/fs/cgroup || exit 1
useradd --create-home {PERSON}
cd /home/{PERSON}
mkdir -p /etc/p2pchat .config/systemd/user .config/p2pchat
cp {UNITS}/p2pchat-server.service /etc/systemd/system/
cp {UNITS}/p2pchat-client.service .config/systemd/user/
echo 'no-multicast = true' >/etc/p2pchat/p2pchat.toml
printf 'no-multicast = true\\nserver = ["127.0.0.1:7402"]\\n' >.config/p2pchat/p2pchat.toml
echo 'correct horse battery systemd' >password
for unit in /etc/systemd/system/p2pchat-server .config/systemd/user/p2pchat-client; do
    mkdir $unit.service.d
    printf '[Service]\\nWatchdogSec={WATCHDOG_SECONDS}\\n' >$unit.service.d/watchdog.conf
done
chown -R {PERSON}: .
{PROGRAM} ring create /root/authority || exit 1
{PROGRAM} ring admit --authority /root/authority --data /var/lib/p2pchat || exit 1
exec env -i container=docker PATH="$PATH" /lib/systemd/systemd
"""


def missing() -> str:
    """Why systemd cannot be tried here; empty if it can."""
    if drivers.missing() or drivers.chosen() != "containers":
        return containers.missing() or "systemd is tried in containers alone"
    return "" if has_systemd() else f"the image {containers.BASE} has no systemd; docker/base.sh makes one that has"


def has_systemd() -> bool:
    """Whether the base has it."""
    command = (
        "run",
        "--rm",
        "--network",
        "none",
        "--entrypoint",
        "test",
        containers.BASE,
        "-x",
        "/lib/systemd/systemd",
    )
    return docker(*command, check=False).status == 0


class UnitTests(SynchronousTestCase):
    """A host that has just been booted."""

    skip = missing() or None

    def setUp(self) -> None:
        run = secrets.token_hex(3)
        self.name = f"p2pchat-{run}-systemd"
        removal = partial(remove, f"{LABEL}={run}")
        remove_at_end(removal)
        self.addCleanup(removal)
        labels = ("--label", f"{LABEL}={run}", "--label", f"{LABEL}.until={int(time.time() + RUN_SECONDS)}")
        own = ("--cgroupns", "private", "--network", "none", "--tmpfs", "/run", "--tmpfs", "/tmp")
        started = ("--entrypoint", "/bin/sh", build_images()["build"], "-c", BEGIN)
        docker("run", "--detach", "--name", self.name, *labels, *RIGHTS, *own, "--no-healthcheck", *started)
        self.until(
            lambda: self.root("systemctl", "is-system-running").output.strip() in ("running", "degraded"), "boot"
        )

    def root(self, *command: str) -> Answer:
        """Run a command as root."""
        return docker("exec", self.name, *command, check=False)

    def person(self, *command: str) -> Answer:
        """Run a command as somebody who is logged in."""
        runtime = f"XDG_RUNTIME_DIR=/run/user/{self.root('id', '-u', PERSON).output.strip()}"
        told = ("--user", PERSON, "--env", runtime, "--env", f"HOME=/home/{PERSON}")
        return docker("exec", *told, self.name, *command, check=False)

    def system(self, *words: str) -> Answer:
        """The node's systemctl."""
        return self.root("systemctl", *words)

    def user(self, *words: str) -> Answer:
        """The agent's."""
        return self.person("systemctl", "--user", *words)

    def until(self, look: Callable[[], object], what: str) -> None:
        """Wait for something, or tell what the journal says."""
        try:
            until(look, f"it does not come to this: {what}", WAIT_SECONDS)
        except AssertionError as error:
            self.fail(f"{error}\n{self.journal()}\n{docker('logs', self.name, check=False).errors}")

    def journal(self) -> str:
        """Its end."""
        return self.root("journalctl", "--no-pager", "--lines", "60").output

    def starts(self, control: Control, unit: str) -> None:
        """A unit starts, and is then ready."""
        started = control("start", unit)
        self.assertEqual(started.status, 0, f"{started.errors}\n{self.journal()}")
        self.assertIn(f"{unit} ready: ", shown(control, unit, "StatusText"))

    def is_kept_alive(self, control: Control, unit: str) -> None:
        """A unit comes back when it was killed, and when it hangs; and ends when it is told to."""
        for number, blow in enumerate(("KILL", "STOP"), 1):
            self.root("kill", "-s", blow, shown(control, unit, "MainPID"))
            again = partial(runs_again, control, unit, number)
            self.until(again, f"{unit} runs again after {blow}")
        self.assertIn(f"{unit}.service: Watchdog timeout", self.journal())
        pid = shown(control, unit, "MainPID")
        self.assertEqual(control("reload", unit).status, 0)
        self.assertEqual(shown(control, unit, "MainPID"), pid)
        self.assertEqual(control("restart", unit).status, 0)
        self.assertNotEqual(shown(control, unit, "MainPID"), pid)
        self.assertEqual(control("stop", unit).status, 0)
        self.assertEqual(shown(control, unit, "ActiveState", "Result"), "inactive success")

    def test_the_node(self) -> None:
        self.starts(self.system, NODE)
        pid = shown(self.system, NODE, "MainPID")
        limits = self.root("cat", f"/proc/{pid}/status").output
        for wanted in (r"^CapEff:\s0+$", r"^CapBnd:\s0+$", r"^NoNewPrivs:\s1$", r"^Seccomp:\s2$", r"^Uid:\s[1-9]"):
            self.assertRegex(limits, re.compile(wanted, re.MULTILINE))
        (row,) = self.root(PROGRAM, "ring", "status", "--data", "/var/lib/p2pchat", "--json").rows
        self.assertEqual(row["state"], "ready")
        self.is_kept_alive(self.system, NODE)

    def test_a_node_that_a_person_must_mend_is_not_started_again(self) -> None:
        self.root("sh", "-c", "echo 'nonsense = 1' >>/etc/p2pchat/p2pchat.toml")
        self.assertNotEqual(self.system("start", NODE).status, 0)
        self.assertEqual(shown(self.system, NODE, "ActiveState", "ExecMainStatus", "NRestarts"), "failed 2 0")
        self.assertIn("nonsense", self.journal())

    def test_the_agent(self) -> None:
        self.starts(self.system, NODE)
        self.root("loginctl", "enable-linger", PERSON)
        self.until(lambda: self.user("is-active", "default.target").status == 0, "somebody is logged in")
        self.starts(self.user, AGENT)
        registered = self.person(PROGRAM, "register", PERSON, "--password-file", f"/home/{PERSON}/password")
        self.assertEqual(registered.status, 0, registered.errors)
        self.is_kept_alive(self.user, AGENT)


def runs_again(control: Control, unit: str, number: int) -> bool:
    """Whether systemd has started a unit so many times by itself, and it is ready."""
    return shown(control, unit, "NRestarts", "ActiveState") == f"{number} active"


def shown(control: Control, unit: str, *what: str) -> str:
    """What systemd says of a unit, in this order."""
    return " ".join(control("show", "--value", "--property", each, unit).output.strip() for each in what)
