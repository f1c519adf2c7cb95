"""Tests of stretching, the floor of its parameters, and the nodes' verifier."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.crypto.passwords import (
    PARAMETERS,
    Parameters,
    Stretched,
    check_verifier,
    make_verifier,
    proves_password,
)
from p2pchat.errors import Misbehaved
from tests.crypto.keys import CHEAP, RING


def stretch(password: bytes = b"password", user: str = "bob", ring: bytes = RING, salt: bytes = bytes(32)) -> Stretched:
    return Stretched.stretch(password, user, ring, salt, CHEAP.parameters)


class StretchTests(SynchronousTestCase):
    def test_everything_enters_the_key(self) -> None:
        keys = {
            stretch().secret,
            stretch(password=b"Password").secret,
            stretch(user="eve").secret,
            stretch(ring=bytes(32)).secret,
            stretch(salt=bytes([1]) * 32).secret,
        }
        self.assertEqual(len(keys), 5)
        made = stretch()
        self.assertEqual(len({made.k(label) for label in ("auth", "vault check", "vault key")}), 3)

    def test_weakened_or_exhausting_parameters_are_refused(self) -> None:
        PARAMETERS.check()
        Parameters(1024 * 1024, 10, 4).check()
        for wrong in (
            (65535, 3, 4),
            (65536, 2, 4),
            (65536, 3, 1),
            (65536, 3, 5),
            (1024 * 1024 + 1, 3, 4),
            (65536, 11, 4),
        ):
            self.assertRaises(Misbehaved, Parameters(*wrong).check)


class VerifierTests(SynchronousTestCase):
    def test_only_the_auth_key_proves_the_password(self) -> None:
        verifier = make_verifier(stretch().auth, cost=4)
        self.assertTrue(proves_password(stretch().auth, verifier))
        for other in (stretch(password=b"Password").auth, stretch().k("vault key"), b"", stretch().auth + b"\0"):
            self.assertFalse(proves_password(other, verifier))

    def test_costs_that_would_stop_a_node_are_refused(self) -> None:
        tail = b"." * 53
        check_verifier(b"$2b$12$" + tail)
        for wrong in (b"$2b$31$" + tail, b"$2b$03$" + tail, b"$2y$12$" + tail, b"$2b$12$" + tail + b".", b""):
            self.assertRaises(Misbehaved, check_verifier, wrong)
