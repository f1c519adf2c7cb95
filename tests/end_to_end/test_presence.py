"""Presence between real agents: online, gone, back, also while the nodes die that know it."""

import json
import os
import signal
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.stage import Person, Row, Stage, surroundings, until

GONE_SECONDS = 60.0
"""Fifteen of silence are enough for `offline`; the rest is for a busy machine."""


class PresenceTests(SynchronousTestCase):
    """A ring of its own: ana watches bob, who stays, and carol, who dies together with the owners of both."""

    def setUp(self) -> None:
        self.stage = Stage()
        self.addCleanup(self.stage.close)
        nodes = self.stage.start_ring(5)
        self.ana, self.bob, self.carol = (self.stage.person(f"seen-{name}", *nodes) for name in ("ana", "bob", "carol"))
        for each in (self.ana, self.bob, self.carol):
            each.register()
        for each in (self.bob, self.carol):
            self.ana("send", each.name, "hello", "--wait", "delivered")
        self.output = self.stage.folder / "events"
        command = [sys.executable, "-P", "-m", "p2pchat.cli.main", "--home", str(self.ana.home), "--json", "follow"]
        with self.output.open("wb") as lines:
            following = subprocess.Popen(command, env=surroundings(self.stage.folder), stdout=lines)
        self.addCleanup(following.wait)
        self.addCleanup(following.kill)

    def presence(self, person: Person) -> str:
        """What ana's agent says when it is asked."""
        answer = self.ana("status", person.name, status=None)
        return str(answer.row["presence"]) if answer.status == 0 else "no answer"

    def events(self, person: Person) -> list[str]:
        """What ana was told of somebody, in order."""
        whole = self.output.read_text().rpartition("\n")[0]
        rows: list[Row] = [json.loads(line) for line in whole.splitlines()]
        return [row["presence"] for row in rows if row["event"] == "presence" and row["user"] == person.name]

    def wait_for(self, person: Person, presence: str) -> None:
        """Wait until ana was told so, or is told when she asks."""
        until(
            lambda: self.events(person)[-1:] == [presence] or self.presence(person) == presence,
            f"{person.name} is not seen {presence}: {self.events(person)}",
            GONE_SECONDS,
        )

    def owner(self, person: Person) -> str:
        """The node that owns an account."""
        return str(self.stage.trace(person.name)["owner"])

    def test_who_dies_is_gone_and_who_lives_stays_while_owners_die(self) -> None:
        for each in (self.bob, self.carol):
            self.wait_for(each, "online")
        owners = {self.owner(self.bob), self.owner(self.carol)}
        pid = self.carol.pid
        assert pid is not None
        for node in self.stage.nodes:
            if node.name in owners:
                node.kill()
        os.kill(pid, signal.SIGKILL)
        self.wait_for(self.carol, "offline")
        self.wait_for(self.bob, "online")
        self.assertNotIn("offline", self.events(self.bob))
        self.carol("session")
        self.wait_for(self.carol, "online")
        self.carol.stop_agent()
        self.wait_for(self.carol, "offline")
        self.assertNotIn("offline", self.events(self.bob))
