"""One request is found by its id in the logs of agent and nodes, and nothing that was written or typed ever is."""

import json
import os
import signal
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.stage import Stage, until

TEXT = "the treasure lies under the old oak"


class LogTests(SynchronousTestCase):
    """A ring of three that writes every call, as JSON."""

    def setUp(self) -> None:
        self.stage = Stage()
        self.addCleanup(self.stage.close)

    def spawn_logging(self, join: str | None) -> Any:
        number = len(self.stage.nodes) + 2
        addresses = ["--ring", f"127.0.0.{number}:0", "--clients", f"127.0.0.{number}:0", "--no-multicast"]
        joining = ["--join", join] if join else []
        told = ["--log-format", "json", "--log-level", "debug", "--authority", str(self.stage.authority)]
        return self.stage.ready(self.stage.spawn(*addresses, *joining, *told))

    def rows(self, path: Path) -> list[dict[str, Any]]:
        """The JSON lines of a log; the line that says ready is none."""
        lines = path.read_text(errors="replace").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def test_a_message_is_followed_and_stays_secret(self) -> None:
        first = self.spawn_logging(None)
        nodes = [first, self.spawn_logging(first.address), self.spawn_logging(first.address)]
        self.stage.wait_for_growth(nodes)
        alice, bob = self.stage.person("alice", first), self.stage.person("bob", nodes[1])
        written = ["--log-format", "json", "--log-level", "debug"]
        for person in (bob, alice):
            person("register", person.name, "--password-file", str(person.password), *written)
        bob.stop_agent()
        sent = alice("send", "bob", TEXT).row
        steps = alice("why", sent["id"]).row["steps"]
        (identity,) = [step["request"] for step in steps if step["step"] == "stored"]
        self.assertRegex(identity, "^[0-9a-f]{16}$")

        def found() -> bool:
            named = [[row for row in self.rows(node.data / "log") if row.get("request") == identity] for node in nodes]
            return len([rows for rows in named if rows]) >= 2

        until(found, "the request is not in the logs of two nodes")
        asked = [row for row in self.rows(first.data / "log") if row.get("request") == identity]
        self.assertIn("Deposit", {row["fields"].get("command") for row in asked if "fields" in row})
        bob("history", "alice")
        until(lambda: TEXT in bob.texts_from(alice), "the message does not come")
        secrets = [TEXT, alice.password.read_text().strip(), bob.password.read_text().strip(), "oak"]
        logs = [*(node.data / "log" for node in nodes), *(person.home / "agent.log" for person in (alice, bob))]
        for log in logs:
            text = log.read_text(errors="replace")
            self.assertGreater(len(text), 200, log)
            self.assertEqual([secret for secret in secrets if secret in text], [], log)
        self.assertTrue([row for row in self.rows(alice.home / "agent.log") if row.get("request")])

    def test_a_hangup_ends_nothing(self) -> None:
        node = self.spawn_logging(None)
        os.kill(node.process.pid, signal.SIGHUP)
        self.assertEqual(len(self.stage.status(node)), 1)
        self.assertIsNone(node.process.poll())
