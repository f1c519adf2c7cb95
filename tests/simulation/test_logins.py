"""Sessions and mail keys stay linearizable under faults, and mail outlives logins and renewed keys."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import Conflict
from p2pchat.simulation import logins
from p2pchat.simulation.logins import Compare, MailKeys, mail_keys, validate_keys


class LoginTests(SynchronousTestCase):
    def test_seeds_have_no_violations(self) -> None:
        for seed in range(1, 61):
            self.assertEqual(logins.simulate(seed).story, (), f"seed {seed}")

    def test_same_seed_same_events(self) -> None:
        for seed in (3, 4):
            self.assertEqual(logins.simulate(seed), logins.simulate(seed))
        self.assertNotEqual(logins.simulate(3).digest, logins.simulate(4).digest)


class RecordTests(SynchronousTestCase):
    def test_a_mail_key_register_reads_back(self) -> None:
        for keys in (MailKeys(1, b"k1"), MailKeys(7, b"k9", b"k3", 4)):
            self.assertEqual(mail_keys(keys.encode()), keys)
        self.assertEqual(mail_keys(None).number, 0)

    def test_a_key_drains_the_one_before_and_no_earlier_session_makes_one(self) -> None:
        old = MailKeys(2, b"k2", b"", 5).encode()
        validate_keys(old, MailKeys(3, b"k3", b"k2", 5).encode())
        for wrong in (
            MailKeys(3, b"k3", b"k1", 5),
            MailKeys(3, b"k3", b"k2", 4),
            MailKeys(2, b"k3", b"", 5),
            MailKeys(1, b"k1", b"", 5),
        ):
            self.assertRaises(Conflict, validate_keys, old, wrong.encode())

    def test_a_login_over_another_record_is_refused(self) -> None:
        change = Compare(b"s1", b"before", b"after")
        self.assertEqual((change.judge(b"before", 0.0), change.decide(b"other")), (b"after", b"other"))
        self.assertRaises(Conflict, change.judge, b"other", 0.0)
