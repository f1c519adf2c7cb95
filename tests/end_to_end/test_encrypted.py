"""Encrypted histories on real processes: no byte of a home says what was written, and its owner reads all of it."""

import signal
from functools import partial
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.stage import Person, Stage, ring_of_five, until

ENCRYPT = "--encrypt-history"
SENT, CAME = "the wombat sleeps until five", "platypus and echidna agree"
WORDS = (b"wombat", b"platypus", b"echidna", b"SQLite format")


def readable(home: Path) -> list[str]:
    """The files of a home in which some word of the messages stands."""
    found = []
    for each in home.rglob("*"):
        if each.is_file():
            content = each.read_bytes()
            found += [each.name for word in WORDS if word in content or word.decode().encode("utf-16-le") in content]
    return found


class EncryptedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.stage: Stage = ring_of_five()

    def talked(self, name: str, friend: str, *options: str) -> Person:
        """Somebody who has written one message and got another."""
        one, other = self.stage.person(name), self.stage.person(friend)
        one("register", name, "--password-file", str(one.password), *options)
        other.register()
        one("send", friend, SENT, "--wait", "delivered")
        other("send", name, CAME, "--wait", "delivered")
        return one

    def done(self, person: Person) -> bool:
        return bool(person("session").row["handover"]["state"] == "done")

    def assert_reads(self, person: Person, friend: str, *options: str) -> None:
        self.assertEqual([row["text"] for row in person("history", friend, *options).rows], [SENT, CAME])
        found = person("history", friend, "--search", "echidna").rows
        self.assertEqual([row["text"] for row in found], [CAME])

    def test_no_text_lies_in_any_byte_of_the_home(self) -> None:
        erna = self.talked("erna", "erwin", ENCRYPT)
        self.assert_reads(erna, "erwin")
        self.assertEqual(erna("status").row["history"], "encrypted")
        self.assertEqual(readable(erna.home), [])
        erna.stop_agent(signal.SIGKILL)
        self.assertEqual(readable(erna.home), [])
        self.assert_reads(erna, "erwin")
        erna.stop_agent()
        self.assertEqual(readable(erna.home), [])
        erna("logout")
        self.assertEqual(erna("history", "erwin", status=8).output, "")
        self.assertEqual(readable(erna.home), [])
        erna.login()
        self.assert_reads(erna, "erwin")

    def test_a_plain_home_becomes_an_encrypted_one(self) -> None:
        gerlinde = self.talked("gerlinde", "gustl")
        self.assertNotEqual(readable(gerlinde.home), [])
        gerlinde.stop_agent(signal.SIGKILL)
        self.assert_reads(gerlinde, "gustl", ENCRYPT)
        self.assertEqual(readable(gerlinde.home), [])
        gerlinde.stop_agent()
        self.assert_reads(gerlinde, "gustl")

    def test_with_ask_password_the_password_opens_it(self) -> None:
        rita = self.talked("rita", "ruprecht", ENCRYPT, "--ask-password")
        rita.stop_agent()
        self.assertEqual(rita("session", "--ask-password").row["state"], "locked")
        answer = rita("history", "ruprecht", status=8)
        self.assertIn("p2pchat unlock", answer.errors)
        (self.stage.folder / "wrong").write_text("not the password\n")
        rita("unlock", "--password-file", str(self.stage.folder / "wrong"), status=4)
        rita("unlock", "--password-file", str(rita.password))
        self.assert_reads(rita, "ruprecht")
        self.assertEqual(rita("session").row["state"], "locked")
        self.assertEqual(readable(rita.home), [])

    def test_a_replaced_home_hands_over_and_stays_its_owners(self) -> None:
        old, new = self.talked("heidrun", "hektor", ENCRYPT), self.stage.person("heidrun", home="heidrun2")
        new.login(ENCRYPT)
        for home in (new, old):
            until(partial(self.done, home), "the hand-over does not end")
        self.assert_reads(new, "hektor")
        old.stop_agent()
        self.assertEqual(old("history", "hektor", status=8).output, "")
        old("unlock", "--password-file", str(old.password))
        self.assert_reads(old, "hektor")
        self.assertEqual((readable(old.home), readable(new.home)), ([], []))
