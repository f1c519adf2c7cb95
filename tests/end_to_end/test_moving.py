"""Direct channels and the move to another home, with real processes."""

import json
import random
import signal

from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.stage import Person, Stage, ring_of_five, until


class Hidden(Person):
    """Somebody whom nobody can reach: the address that contacts are told is not theirs."""

    @property
    def agent_options(self) -> list[str]:
        """As everybody's, with a wrong address."""
        return [*super().agent_options, "--advertise", "127.0.0.250"]


class TwoPeopleCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.stage: Stage = ring_of_five()

    def contacts(self, one: Person, other: Person) -> None:
        """Both have accounts and have written to each other."""
        one.register()
        other.register()
        for writer, reader in ((one, other), (other, one)):
            writer("send", reader.name, "hello", "--wait", "delivered")

    def way(self, sender: Person, receiver: Person) -> str:
        """How a new message reaches its receiver."""
        row = sender("send", receiver.name, "which way?", "--wait", "delivered").row
        answer = sender("why", row["id"]).rows
        steps = [step for each in answer for step in each.get("steps", [each])]
        return str(next(step["way"] for step in steps if step["step"] in ("stored", "delivered")))


class ChannelTests(TwoPeopleCase):
    def test_contacts_talk_directly(self) -> None:
        one, other = self.stage.person("direct-one"), self.stage.person("direct-other")
        self.contacts(one, other)
        until(lambda: self.way(one, other) == "direct", "no direct channel")
        until(lambda: self.way(other, one) == "direct", "no direct channel back")

    def test_somebody_whom_nobody_reaches_dials_instead(self) -> None:
        hidden, other = self.stage.person("hidden"), self.stage.person("hidden-other")
        hidden = Hidden(hidden.stage, hidden.name, hidden.home, hidden.servers, hidden.password)
        self.contacts(other, hidden)
        until(lambda: self.way(other, hidden) == "direct", "nobody dialled back")

    def test_two_whom_nobody_reaches_write_by_mail(self) -> None:
        people = [self.stage.person(name) for name in ("deep-one", "deep-other")]
        one, other = (Hidden(each.stage, each.name, each.home, each.servers, each.password) for each in people)
        self.contacts(one, other)
        self.assertEqual(self.way(one, other), "mailbox")


class MoveTests(TwoPeopleCase):
    def talk(self, one: Person, other: Person, count: int) -> None:
        for number in range(count):
            one("send", other.name, f"there {number}", "--wait", "delivered")
            other("send", one.name, f"back {number}", "--wait", "delivered")

    def moved(self, new: Person) -> bool:
        return bool(new("session").row["handover"]["state"] == "done")

    def test_the_conversation_moves_to_the_next_home(self) -> None:
        old, other = self.stage.person("mover"), self.stage.person("mover-friend")
        self.contacts(old, other)
        self.talk(old, other, 5)
        new = self.stage.person("mover", home="mover2")
        new.login()
        until(lambda: self.moved(new), "nothing was handed over")
        until(lambda: old("session").row["handover"]["state"] == "done", "the old home does not see the end")
        self.assertEqual(
            [(row["id"], row["text"]) for row in new("history", other.name).rows],
            [(row["id"], row["text"]) for row in old("history", other.name).rows],
        )
        self.assertNotIn("request", new("history", other.name).rows[0])
        new("send", other.name, "from the new home", "--wait", "delivered")
        self.assertEqual(other.texts_from(new)[-1], "from the new home")

    def test_killed_agents_go_on_with_the_move_when_they_are_back(self) -> None:
        old, other = self.stage.person("torn"), self.stage.person("torn-friend")
        self.contacts(old, other)
        self.talk(old, other, 5)
        new = self.stage.person("torn", home="torn2")
        new.login()
        old.stop_agent(signal.SIGKILL)
        new.stop_agent(signal.SIGKILL)
        self.assertEqual(new("session").row["state"], "active")
        until(lambda: old("session").row["state"] == "replaced", "the old agent is not told")
        until(lambda: self.moved(new), "nothing was handed over")
        ids = [row["id"] for row in new("history", other.name).rows]
        self.assertEqual(ids, [row["id"] for row in old("history", other.name).rows])
        self.assertEqual(len(ids), len(set(ids)))

    def test_agents_killed_at_random_moments_lose_and_double_nothing(self) -> None:
        """A few of the 200 kills of benchmarks/handover.py."""
        old, new = self.stage.person("shaken"), self.stage.person("shaken", home="shaken2")
        old.register()
        history = self.stage.folder / "shaken.jsonl"
        rows = [
            {"id": f"{number:032x}", "from": "shaken", "to": "friend", "text": f"{number}: " + "word " * (number % 40)}
            | {"sent_at": f"2026-01-01T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}Z", "state": "read"}
            for number in range(4_000)
        ]
        history.write_text("".join(json.dumps(row) + "\n" for row in rows))
        old("import", str(history))
        new.login()
        chance = random.Random(5)
        for _ in range(5):
            victim = chance.choice((old, new))
            victim.stop_agent(signal.SIGKILL)
            victim("session")
        until(lambda: self.moved(new), "nothing was handed over")
        until(lambda: old("session").row["handover"]["state"] == "done", "the old home does not see the end")
        exported = self.stage.folder / "shaken2.jsonl"
        new("export", str(exported))
        found = [json.loads(line) for line in exported.read_text().splitlines()]
        self.assertEqual(
            sorted((row["id"], row["text"]) for row in found), sorted((row["id"], row["text"]) for row in rows)
        )

    def test_who_wants_no_hand_over_gets_none(self) -> None:
        old, other = self.stage.person("bare"), self.stage.person("bare-friend")
        self.contacts(old, other)
        new = self.stage.person("bare", home="bare2")
        new.login("--without-handover")
        until(lambda: old("session").row["handover"]["state"] == "done", "the old home still waits")
        self.assertEqual(new("session").row["handover"]["state"], "none")
