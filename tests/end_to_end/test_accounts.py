"""Accounts with real processes: unique names, login from anywhere by name and password, one session at a time."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.stage import Stage, p2pchat, ring_of_five, surroundings, until


class AccountTests(SynchronousTestCase):
    """On a ring that all tests share."""

    def setUp(self) -> None:
        self.stage: Stage = ring_of_five()

    def test_register_logs_in_and_says_where_the_agents_log_is(self) -> None:
        ana = self.stage.person("ana")
        answer = ana("register", "Ana", "--password-file", str(ana.password))
        self.assertIn(str(ana.home / "agent.log"), answer.errors)
        row = answer.row
        self.assertEqual(row["user"], "ana")
        self.assertEqual(row["ring"], self.stage.nodes[0].ring)
        self.assertTrue(row["recovery_key"])
        session = ana("session").row
        self.assertEqual((session["user"], session["state"], session["epoch"]), ("ana", "active", 1))
        self.assertEqual(session["handover"]["state"], "none")

    def test_a_name_has_one_owner(self) -> None:
        first, second = self.stage.person("benno"), self.stage.person("benno", home="benno2")
        first.register()
        answer = second("register", "BENNO", "--password-file", str(second.password), status=5)
        self.assertEqual(answer.errors.strip().splitlines()[-1].count("p2pchat:"), 1)
        self.assertEqual(second("session").row["state"], "none")

    def test_two_who_register_one_name_at_once_get_one_account(self) -> None:
        people = [self.stage.person("carla", node, home=f"carla{node.name}") for node in self.stage.nodes[:2]]
        for person in people:
            person("session")
        words = ["register", "carla", "--password-file", str(people[0].password), "--timeout", "60"]
        running = [
            subprocess.Popen(
                [sys.executable, "-P", "-m", "p2pchat.cli.main", *words, "--home", str(person.home)],
                env=surroundings(self.stage.folder),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for person in people
        ]
        self.assertEqual(sorted(each.wait() for each in running), [0, 5])

    def test_login_elsewhere_ends_the_old_session_and_says_so(self) -> None:
        old, new = self.stage.person("dora"), self.stage.person("dora", home="dora2")
        friend = self.stage.person("dirk")
        fingerprint = old.register()["fingerprint"]
        friend.register()
        row = new.login().row
        self.assertEqual((row["user"], row["fingerprint"]), ("dora", fingerprint))
        self.assertEqual((new("session").row["state"], new("session").row["epoch"]), ("active", 2))
        until(lambda: old("session").row["state"] == "replaced", "the old agent is not told")
        self.assertEqual(old("send", "dirk", "too late", status=8).output.count("too late"), 0)
        self.assertEqual(old("history", "dirk").rows, [])
        self.assertEqual(new("session").row["state"], "active")

    def test_a_replaced_session_stays_replaced_over_a_restart(self) -> None:
        old, new = self.stage.person("emil"), self.stage.person("emil", home="emil2")
        old.register()
        new.login()
        until(lambda: old("session").row["state"] == "replaced", "the old agent is not told")
        old.stop_agent()
        self.assertEqual(old("session").row["state"], "replaced")
        self.assertEqual(new("session").row["state"], "active")

    def test_a_session_stays_over_a_restart_of_the_agent(self) -> None:
        fritz = self.stage.person("fritz")
        fritz.register()
        fritz.stop_agent()
        until(lambda: fritz("session").row["state"] == "active", "the session is gone")
        self.assertEqual(fritz("session").row["epoch"], 1)

    def test_logout_deletes_the_keys_and_login_is_needed_again(self) -> None:
        gerda = self.stage.person("gerda")
        gerda.register()
        gerda("logout")
        self.assertEqual(gerda("session").row["state"], "none")
        gerda("send", "gerda", "hello", status=8)
        self.assertEqual(gerda.login().row["user"], "gerda")

    def test_a_changed_password_counts_and_the_old_one_no_longer(self) -> None:
        hans, elsewhere = self.stage.person("hans"), self.stage.person("hans", home="hans2")
        hans.register()
        new = self.stage.folder / "new-password"
        new.write_text("another staple for hans\n")
        hans("passwd", "--password-file", str(hans.password), "--new-password-file", str(new))
        elsewhere.login(status=4)
        elsewhere("login", "hans", "--password-file", str(new))

    def test_the_recovery_key_sets_a_new_password(self) -> None:
        ida, elsewhere = self.stage.person("ida"), self.stage.person("ida", home="ida2")
        key = self.stage.folder / "recovery-key"
        key.write_text(ida.register()["recovery_key"] + "\n")
        new = self.stage.folder / "ida-password"
        new.write_text("yet another staple for ida\n")
        words = ("--recovery-key-file", str(key), "--password-file", str(new))
        self.assertEqual(elsewhere("recover", "ida", *words).row["user"], "ida")
        until(lambda: ida("session").row["state"] == "replaced", "the old agent is not told")

    def test_a_renewed_identity_is_followed_loudly_and_ends_the_old_keys(self) -> None:
        renata, ruben = self.stage.person("renata"), self.stage.person("ruben")
        before = renata.register()
        ruben.register()
        for writer, reader in ((renata, ruben), (ruben, renata)):
            writer("send", reader.name, "hello", "--wait", "delivered")
        ruben("verify", "renata", "--matched")
        stolen = {each.name: each.read_bytes() for each in (renata.home / "keys").iterdir()}
        row = renata("rekey", "--yes", "--password-file", str(renata.password)).row
        self.assertNotEqual(row["fingerprint"], before["fingerprint"])
        self.assertNotEqual(row["recovery_key"], before["recovery_key"])
        renata("send", "ruben", "from the new identity", "--wait", "delivered")
        ruben("send", "renata", "to the new identity", "--wait", "delivered")
        self.assertEqual(ruben.texts_from(renata), ["hello", "from the new identity"])
        self.assertEqual(renata.texts_from(ruben), ["hello", "to the new identity"])
        (seen,) = [each for each in ruben("contacts").rows if each["user"] == "renata"]
        self.assertEqual(
            (seen["fingerprint"], seen["verified"], seen["key_renewed"]), (row["fingerprint"], False, True)
        )
        until(lambda: not (renata.home / "keys" / "former").exists(), "the old identity is kept")
        kept = b"".join(each.read_bytes() for each in (renata.home / "keys").iterdir())
        self.assertNotIn(stolen["identity"][4:1000], kept)
        elsewhere = self.stage.person("renata", home="olga2")
        self.assertEqual(elsewhere.login().row["fingerprint"], row["fingerprint"])

    def test_an_account_that_is_deleted_is_gone_and_its_name_closed(self) -> None:
        jan, other, jutta = self.stage.person("jan"), self.stage.person("jan", home="jan2"), self.stage.person("jutta")
        jan.register()
        jutta.register()
        jutta("send", "jan", "while you are here", "--wait", "delivered")
        jan.stop_agent()
        stored = jutta("send", "jan", "while you are away", "--wait", "stored").row
        self.assertEqual(stored["state"], "stored")
        row = jan("unregister", "--yes", "--password-file", str(jan.password)).row
        self.assertIn(b"while you are here", Path(row["history"]).read_bytes())
        self.assertEqual(jan("session").row["state"], "none")
        other.login(status=4)
        taken = other("register", "jan", "--password-file", str(other.password), status=5)
        opens = datetime.now(UTC) + timedelta(days=30, minutes=10)
        self.assertIn("was given up and stays closed until", taken.errors)
        self.assertTrue(any(f"{at:%Y-%m-%d %H:%M} UTC" in taken.errors for at in (opens, opens + timedelta(minutes=1))))
        late = jutta("send", "jan", "after you left", status=1)
        self.assertIn("jan deleted the account on", late.errors)
        self.assertEqual(late.row["state"], "failed")

    def test_presence_is_seen_and_lost(self) -> None:
        kai, lea = self.stage.person("kai"), self.stage.person("lea")
        kai.register()
        lea.register()
        until(lambda: kai("status", "lea").row["presence"] == "online", "lea is not seen online")
        lea.stop_agent()
        until(lambda: kai("status", "lea").row["presence"] == "offline", "lea is not seen offline")

    def test_the_agents_connection_is_shown(self) -> None:
        max_ = self.stage.person("max")
        max_.register()
        row = max_("status").row
        self.assertEqual((row["user"], row["connected"], row["home"]), ("max", True, str(max_.home)))

    def test_human_output_is_short(self) -> None:
        nora = self.stage.person("nora")
        nora.register()
        answer = p2pchat("session", "--home", str(nora.home), folder=self.stage.folder)
        self.assertEqual((answer.status, answer.output.splitlines()[0]), (0, "user   nora"))
