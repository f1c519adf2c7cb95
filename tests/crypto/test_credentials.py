"""Tests of what an agent does with a password, from registration to recovery."""

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.crypto import account as accounts
from p2pchat.crypto.account import Account
from p2pchat.crypto.credentials import change_password, log_in, recover, register
from p2pchat.crypto.passwords import Stretched
from p2pchat.crypto.vault import RecoveryKey, Secrets, seal_vault
from p2pchat.errors import Misbehaved, WrongCredentials
from tests.crypto.keys import CHEAP, RING, Drawn, heir, identity


def stretch(account: Account, password: bytes) -> Stretched:
    found = account.credentials
    return Stretched.stretch(password, found.user, RING, found.salt, found.parameters)


class CredentialsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.recovery = RecoveryKey.generate(Drawn())
        self.made = register(identity("bob"), b"first", self.recovery, CHEAP, Drawn(1))
        self.account = Account.parse(self.made.account.encode(), RING)

    def test_name_and_password_suffice_on_a_new_device(self) -> None:
        stretched = stretch(self.account, b"first")
        self.assertTrue(self.account.credentials.proven_by(stretched.auth))
        self.assertEqual(log_in(self.account, stretched), self.made.secrets)

    def test_a_wrong_password_proves_nothing_and_opens_nothing(self) -> None:
        stretched = stretch(self.account, b"second")
        self.assertFalse(self.account.credentials.proven_by(stretched.auth))
        self.assertRaises(WrongCredentials, log_in, self.account, stretched)

    def test_a_changed_password_keeps_identity_and_recovery_key(self) -> None:
        changed = change_password(identity("bob"), b"second", self.account, CHEAP, Drawn(2))
        accounts.validate_successor(self.account.encode(), changed.account.encode(), RING)
        self.assertEqual(changed.account.public.fingerprint, self.account.public.fingerprint)
        self.assertNotEqual(changed.account.credentials.salt, self.account.credentials.salt)
        self.assertNotEqual(changed.account.credentials.escrow_public, self.account.credentials.escrow_public)
        self.assertEqual(log_in(changed.account, stretch(changed.account, b"second")), changed.secrets)
        self.assertRaises(WrongCredentials, log_in, changed.account, stretch(changed.account, b"first"))
        self.assertEqual(recover(changed.account, self.recovery), changed.secrets)

    def test_the_recovery_key_opens_the_account_and_proves_itself(self) -> None:
        self.assertEqual(recover(self.account, self.recovery), self.made.secrets)
        credentials = self.account.credentials
        self.assertTrue(credentials.proven_by_recovery(self.recovery.auth("bob", RING)))
        other = RecoveryKey.generate(Drawn(5))
        self.assertFalse(credentials.proven_by_recovery(other.auth("bob", RING)))
        self.assertRaises(WrongCredentials, recover, self.account, other)

    def test_a_vault_with_another_identity_or_escrow_key_is_refused(self) -> None:
        stretched = stretch(self.account, b"first")
        escrow = self.made.secrets.escrow_private
        for secrets in (Secrets(1, heir(), escrow), Secrets(1, identity("bob"), bytes(96))):
            vault = seal_vault(secrets, stretched, Drawn(3))
            private = replace(self.account.credentials, vault=vault).encode(RING)
            lying = Account.create(identity("bob"), private)
            self.assertRaises(Misbehaved, log_in, lying, stretched)
