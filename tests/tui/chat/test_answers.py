"""Answers of the agent as lines for a person."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.tui.chat import answers


class AnswerTests(SynchronousTestCase):
    def test_who_somebody_is(self) -> None:
        row = {
            "user": "bob",
            "presence": "online",
            "verified": True,
            "contact": True,
            "fingerprint": "0123456789abcdef",
        }
        self.assertEqual(answers.person(row), ["bob: ● online, verified, contact", "fingerprint 01234567 89abcdef"])
        first, second = answers.person({"user": "eve", "key_changed": True})
        self.assertEqual(first, "eve: ? unknown, not verified (/verify compares digits), their key has changed")
        self.assertIn("no pin", second)

    def test_a_session_and_what_became_of_it(self) -> None:
        row = {"user": "me", "state": "active", "epoch": 3, "node": "1a2b3c4d", "handover": {"state": "none"}}
        self.assertEqual(answers.session(row), ["me: active, login number 3, at node 1a2b3c4d"])
        moved = {"user": "me", "state": "replaced", "replaced": {"at": None, "node": "ff"}, "epoch": 0}
        moved["handover"] = {"state": "done", "messages": 7, "total": 7}
        self.assertEqual(
            answers.session(moved),
            ["me: replaced", "replaced at node ff; /login takes it back", "hand-over: done, 7 messages"],
        )
        self.assertEqual(answers.session({"state": "none"}), ["nobody: none"])

    def test_a_step_of_a_trace(self) -> None:
        row = {"at": "2026-01-02T03:04:05.678Z", "step": "stored", "way": "mailbox", "copies": 5, "wanted": 5}
        self.assertEqual(answers.step(row), "03:04:05.678 stored mailbox 5 of 5")
