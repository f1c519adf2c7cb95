"""Mail with real processes: stored with copies, fetched once and in order, acknowledged, and seen as delivered."""

import json
import signal
import sqlite3
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.stage import Person, Stage, ring_of_five, surroundings, until


class MailTests(SynchronousTestCase):
    """On a ring that all tests share, between two people of the test's own."""

    def setUp(self) -> None:
        self.stage: Stage = ring_of_five()

    def pair(self, first: str, second: str) -> tuple[Person, Person]:
        """Two people at different nodes, registered."""
        ana = self.stage.person(first, *self.stage.nodes[:2])
        bob = self.stage.person(second, *self.stage.nodes[2:])
        ana.register()
        bob.register()
        return ana, bob

    def test_a_message_reaches_somebody_online_byte_for_byte(self) -> None:
        ana, bob = self.pair("mail-ana", "mail-bob")
        text = "Grüße 🐢 \t two  spaces\nand a line, e\u0301 ≠ é "
        sent = ana("send", "mail-bob", "-", "--wait", "delivered", typed=text).row
        self.assertEqual((sent["to"], sent["state"]), ("mail-bob", "delivered"))
        (row,) = bob("history", "mail-ana").rows
        self.assertEqual((row["text"], row["id"], row["from"], row["to"]), (text, sent["id"], "mail-ana", "mail-bob"))
        self.assertIn(row["state"], ("received", "read"))
        self.assertTrue(row["sent_at"].endswith("Z") or row["sent_at"].endswith("+00:00"))
        (mine,) = ana("history", "mail-bob").rows
        self.assertIn(mine["state"], ("delivered", "read"))

    def test_mail_waits_for_somebody_who_is_away(self) -> None:
        ana, bob = self.pair("away-ana", "away-bob")
        bob.stop_agent()
        texts = [f"letter {number}" for number in range(10)]
        for text in texts:
            sent = ana("send", "away-bob", text).row
            self.assertEqual(sent["state"], "stored")
            self.assertGreaterEqual(sent["copies"], 3)
        back = self.stage.person("away-bob", self.stage.nodes[0], home="away-bob")
        until(lambda: len(back.texts_from(ana)) >= len(texts), "the letters do not come")
        self.assertEqual(back.texts_from(ana), texts)
        until(
            lambda: all(row["state"] in ("delivered", "read") for row in ana("history", "away-bob").rows),
            "delivery is not seen",
        )

    def test_a_queued_message_is_on_disk_before_the_network(self) -> None:
        ana, bob = self.pair("queue-ana", "queue-bob")
        self.assertIn(
            ana("send", "queue-bob", "first", "--wait", "queued").row["state"], ("queued", "stored", "delivered")
        )
        ana.stop_agent()
        ana("session")
        until(lambda: bob.texts_from(ana) == ["first"], "the message is lost")

    def test_an_agent_that_is_killed_loses_nothing_and_shows_nothing_twice(self) -> None:
        ana, bob = self.pair("kill-ana", "kill-bob")
        texts = [f"word {number}" for number in range(6)]
        for number, text in enumerate(texts):
            ana("send", "kill-bob", text, "--wait", "queued")
            if number == 2:
                bob.stop_agent(signal.SIGKILL)
            if number == 3:
                ana.stop_agent(signal.SIGKILL)
                ana("session")
        bob("session")
        until(lambda: len(bob.texts_from(ana)) >= len(texts), "something is lost")
        self.assertEqual(bob.texts_from(ana), texts)

    def test_mail_that_waits_survives_a_login_elsewhere(self) -> None:
        ana, bob = self.pair("move-ana", "move-bob")
        bob.stop_agent()
        ana("send", "move-bob", "for whoever you are now")
        new = self.stage.person("move-bob", home="move-bob2")
        new.login()
        until(lambda: new.texts_from(ana) == ["for whoever you are now"], "the letter is lost")

    def test_follow_prints_messages_as_they_come(self) -> None:
        ana, bob = self.pair("follow-ana", "follow-bob")
        output = self.stage.folder / "follow-output"
        command = [sys.executable, "-P", "-m", "p2pchat.cli.main", "--home", str(bob.home), "--json", "follow"]
        with output.open("wb") as lines:
            following = subprocess.Popen(command, env=surroundings(self.stage.folder), stdout=lines)
        self.addCleanup(following.wait)
        self.addCleanup(following.kill)

        def texts() -> list[str]:
            rows = [json.loads(line) for line in output.read_text().splitlines()]
            return [row["text"] for row in rows if row["event"] == "message"]

        count = 0

        def heard() -> bool:
            nonlocal count
            count += 1
            ana("send", "follow-bob", f"message {count}", "--wait", "delivered")
            return bool(texts())

        until(heard, "follow prints nothing")
        until(lambda: texts()[-1] == f"message {count}", "follow prints no more")

    def test_why_shows_what_was_done(self) -> None:
        ana, bob = self.pair("why-ana", "why-bob")
        bob.stop_agent()
        sent = ana("send", "why-bob", "why?").row
        row = ana("why", sent["id"]).row
        self.assertEqual((row["id"], row["state"]), (sent["id"], "stored"))
        self.assertTrue(row["steps"])

    def test_chats_history_and_search(self) -> None:
        ana, bob = self.pair("list-ana", "list-bob")
        ids = [ana("send", "list-bob", text, "--wait", "delivered").row["id"] for text in ("one", "two", "three")]
        chat = next(row for row in bob("chats").rows if row["user"] == "list-ana")
        self.assertEqual((chat["unread"], chat["last"]["text"]), (3, "three"))
        self.assertEqual([row["id"] for row in ana("history", "list-bob", "--limit", "2").rows], ids[1:])
        self.assertEqual([row["id"] for row in ana("history", "list-bob", "--before", ids[2]).rows], ids[:2])
        self.assertEqual([row["text"] for row in ana("history", "list-bob", "--search", "two").rows], ["two"])

    def test_a_history_goes_out_and_in(self) -> None:
        ana, _ = self.pair("export-ana", "export-bob")
        sent = ana("send", "export-bob", "kept 🐢").row
        file = self.stage.folder / "history.jsonl"
        ana("export", str(file))
        self.assertEqual(file.stat().st_mode & 0o777, 0o600)
        other = self.stage.person("export-ana", home="export-ana2")
        other.login("--without-handover")
        other("import", str(file))
        other("import", str(file))
        (row,) = other("history", "export-bob").rows
        self.assertEqual((row["id"], row["text"]), (sent["id"], "kept 🐢"))

    def test_nothing_readable_is_on_the_nodes_disks(self) -> None:
        ana, bob = self.pair("secret-ana", "secret-bob")
        bob.stop_agent()
        word = "Xylophonunterricht"
        ana("send", "secret-bob", word)
        password = ana.password.read_text().strip()
        for node in self.stage.nodes:
            for path in node.data.rglob("*"):
                if path.is_file():
                    content = path.read_bytes()
                    self.assertNotIn(word.encode(), content, path)
                    self.assertNotIn(password.encode(), content, path)

    def test_users_and_backups_stand_in_each_nodes_database(self) -> None:
        self.pair("table-ana", "table-bob")

        def places() -> tuple[list[str], list[str]]:
            owners, keepers = [], []
            for node in self.stage.nodes:
                with sqlite3.connect(f"file:{node.data / 'node.sqlite3'}?mode=ro", uri=True) as database:
                    if database.execute("SELECT 1 FROM users WHERE name = 'table-ana'").fetchall():
                        owners.append(node.name)
                    keepers += [
                        row[0] for row in database.execute("SELECT owner FROM backups WHERE name = 'table-ana'")
                    ]
                database.close()
            return owners, keepers

        owners, keepers = until(lambda: places() if len(places()[1]) == 4 else None, "there are not four backups")
        self.assertEqual(len(owners), 1)
        self.assertTrue(all(keeper.startswith(owners[0]) for keeper in keepers), keepers)

    def test_homes_are_private(self) -> None:
        ana, _ = self.pair("private-ana", "private-bob")
        paths = [path for path in (ana.home, *ana.home.rglob("*")) if not path.is_symlink()]
        self.assertEqual([str(path) for path in paths if path.stat().st_mode & 0o077], [])
