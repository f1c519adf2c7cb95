"""Floods and guesses are slowed down, and nobody else is."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.accounts.limits import FREE_TRIES, REGISTRATIONS_A_MINUTE, Registrations, Tries, wait_seconds
from p2pchat.errors import SlowedDown
from p2pchat.identifiers import Identifier

ALICE, BOB = Identifier(1), Identifier(2)


class RegistrationsTests(SynchronousTestCase):
    def test_sixty_a_minute_for_one_address(self) -> None:
        registrations = Registrations()
        for _ in range(REGISTRATIONS_A_MINUTE):
            registrations.count("192.0.2.1", 100.0)
        error = self.assertRaises(SlowedDown, registrations.count, "192.0.2.1", 130.0)
        self.assertIn("30 s", str(error))
        registrations.count("192.0.2.2", 130.0)
        registrations.count("192.0.2.1", 160.0)


class TriesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.tries = Tries()
        for _ in range(FREE_TRIES):
            self.tries.count(ALICE, 100.0)

    def test_waits_double_up_to_thirty_seconds(self) -> None:
        self.assertEqual([wait_seconds(wrong) for wrong in range(4, 12)], [0, 1, 2, 4, 8, 16, 30, 30])

    def test_the_sixth_try_waits_and_the_text_names_the_seconds(self) -> None:
        error = self.assertRaises(SlowedDown, self.tries.count, ALICE, 100.2)
        self.assertIn("1 s", str(error))
        self.tries.count(ALICE, 101.0)
        self.assertRaises(SlowedDown, self.tries.count, ALICE, 102.5)
        self.tries.count(ALICE, 103.0)

    def test_a_refused_try_does_not_lengthen_the_wait(self) -> None:
        for _ in range(20):
            self.assertRaises(SlowedDown, self.tries.count, ALICE, 100.5)
        self.tries.count(ALICE, 101.0)

    def test_a_right_password_ends_the_waits(self) -> None:
        self.tries.forgive(ALICE)
        self.tries.count(ALICE, 100.1)

    def test_others_are_not_slowed(self) -> None:
        self.tries.count(BOB, 100.0)

    def test_an_hour_without_tries_is_enough(self) -> None:
        self.tries.count(ALICE, 5_000.0)
        self.tries.count(ALICE, 5_000.0)
