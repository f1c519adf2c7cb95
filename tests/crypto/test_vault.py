"""Tests of the vault box and the recovery key."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.crypto.passwords import Stretched
from p2pchat.crypto.vault import RecoveryKey, Secrets, open_recovery, open_vault, seal_recovery, seal_vault
from p2pchat.errors import CannotOpen, Misbehaved, UserError, WrongCredentials
from tests.crypto.keys import CHEAP, RING, Drawn, identity


def stretched(password: bytes = b"password") -> Stretched:
    return Stretched.stretch(password, "bob", RING, bytes(32), CHEAP.parameters)


class VaultTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.secrets = Secrets(3, identity("bob"), bytes(96))
        self.box = seal_vault(self.secrets, stretched(), Drawn())

    def test_the_password_gives_everything_back(self) -> None:
        self.assertEqual(open_vault(self.box, stretched(), 3), self.secrets)

    def test_a_wrong_password_is_told_from_an_altered_box(self) -> None:
        self.assertRaises(WrongCredentials, open_vault, self.box, stretched(b"other"), 3)
        altered = self.box[:-1] + bytes([self.box[-1] ^ 1])
        self.assertRaises(CannotOpen, open_vault, altered, stretched(), 3)
        self.assertRaises(CannotOpen, open_vault, self.box, stretched(), 4)
        self.assertRaises(WrongCredentials, open_vault, b"", stretched(), 3)

    def test_secrets_of_another_name_or_version_are_refused(self) -> None:
        encoded = self.secrets.encode()
        self.assertEqual(Secrets.parse(encoded, "bob", RING, 3), self.secrets)
        for user, ring, version in (("eve", RING, 3), ("bob", bytes(32), 3), ("bob", RING, 2)):
            self.assertRaises(Misbehaved, Secrets.parse, encoded, user, ring, version)


class RecoveryTests(SynchronousTestCase):
    def test_the_printed_key_opens_the_box(self) -> None:
        key = RecoveryKey.generate(Drawn())
        secrets = Secrets(1, identity("bob"), bytes(96))
        box = seal_recovery(secrets, key.public("bob", RING))
        typed = RecoveryKey.parse(" " + key.printed().lower().replace("-", " "))
        self.assertEqual(open_recovery(box, typed, "bob", RING, 1), secrets)
        for user, ring, version in (("eve", RING, 1), ("bob", bytes(32), 1), ("bob", RING, 2)):
            self.assertRaises(WrongCredentials, open_recovery, box, typed, user, ring, version)
        other = RecoveryKey.generate(Drawn(1))
        self.assertRaises(WrongCredentials, open_recovery, box, other, "bob", RING, 1)

    def test_mistyped_characters_are_noticed(self) -> None:
        printed = RecoveryKey.generate(Drawn()).printed()
        self.assertEqual(len(printed.replace("-", "")), 56)
        for at, letter in enumerate(printed):
            if letter != "-":
                wrong = printed[:at] + ("A" if letter != "A" else "C") + printed[at + 1 :]
                self.assertRaises(UserError, RecoveryKey.parse, wrong)
        for wrong in ("", printed[:-1], printed + "A", "ÄÖÜ", "1"):
            self.assertRaises(UserError, RecoveryKey.parse, wrong)

    def test_digits_that_look_like_letters_are_read_as_letters(self) -> None:
        printed = RecoveryKey.generate(Drawn()).printed()
        looks = printed.translate(str.maketrans("OIB", "018"))
        self.assertEqual(RecoveryKey.parse(looks), RecoveryKey.parse(printed))
