"""No acknowledged mail is lost under faults, run after run alike."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.replication import inventory
from p2pchat.simulation import mail


class MailTests(SynchronousTestCase):
    def assert_faultless(self, first: int, last: int) -> None:
        for seed in range(first, last + 1):
            self.assertEqual(mail.simulate(seed).story, (), f"seed {seed}")

    def test_seeds_lose_nothing(self) -> None:
        self.assert_faultless(1, 60)

    def test_inventories_of_many_pages_lose_nothing(self) -> None:
        self.patch(inventory, "PAGE_BYTES", 640)
        self.assert_faultless(101, 140)

    def test_same_seed_same_events(self) -> None:
        for seed in (3, 4):
            self.assertEqual(mail.simulate(seed), mail.simulate(seed))
        self.assertNotEqual(mail.simulate(3).digest, mail.simulate(4).digest)
