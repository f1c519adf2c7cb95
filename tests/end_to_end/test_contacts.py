"""Contacts with real processes: requests of strangers, accepting, blocking, comparing digits."""

from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.stage import Person, Row, ring_of_five, until


class ContactTests(SynchronousTestCase):
    def people(self, *names: str) -> list[Person]:
        """People with accounts on the shared ring."""
        found = [ring_of_five().person(f"known-{name}") for name in names]
        for each in found:
            each.register()
        return found

    def contact(self, person: Person, other: Person) -> Row:
        """How somebody stands in a person's list; empty if not at all."""
        return next((row for row in person("contacts").rows if row["user"] == other.name), {})

    def test_a_stranger_stands_apart_until_accepted(self) -> None:
        ana, zoe = self.people("ana", "zoe")
        zoe("send", ana.name, "do you know me?", "--wait", "delivered")
        self.assertTrue(self.contact(ana, zoe)["request"])
        self.assertTrue(ana("history", zoe.name).rows[0]["request"])
        ana("add", zoe.name)
        self.assertFalse(self.contact(ana, zoe).get("request", False))
        self.assertNotIn("request", self.contact(zoe, ana))

    def test_who_is_blocked_is_not_heard_and_may_be_heard_again(self) -> None:
        ana, eve, bob = self.people("her", "eve", "bob")
        eve("send", ana.name, "first", "--wait", "delivered")
        ana("block", eve.name)
        self.assertTrue(self.contact(ana, eve)["blocked"])
        eve("send", ana.name, "while blocked", "--wait", "queued")
        bob("send", ana.name, "in between", "--wait", "delivered")
        self.assertEqual(ana.texts_from(eve), ["first"])
        ana("unblock", eve.name)
        eve("send", ana.name, "once more", "--wait", "stored")
        until(lambda: "once more" in ana.texts_from(eve), "nothing comes after unblock")
        self.assertNotIn("blocked", self.contact(ana, eve))

    def test_both_see_the_same_digits(self) -> None:
        ana, bob = self.people("one", "other")
        ana("send", bob.name, "compare with me", "--wait", "delivered")
        hers, his = ana("verify", bob.name).row, bob("verify", ana.name).row
        self.assertEqual((hers["digits"], hers["own_digits"]), (his["own_digits"], his["digits"]))
        self.assertEqual([len(group) for group in hers["digits"]], [5] * 12)
        self.assertFalse(ana("status", bob.name).row["verified"])
        ana("verify", bob.name, "--matched")
        self.assertTrue(ana("status", bob.name).row["verified"])
