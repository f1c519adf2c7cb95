"""Planted mistakes: each of the tests that guard the construction fails when what it guards is broken.

Rotation races and forgotten tombstones are planted in the simulator (tests/simulation/mutants.py).
"""

import importlib
import unittest
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cryptography.hazmat.primitives.serialization import load_der_public_key
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.client import directory
from p2pchat.client.keyring import Keyring
from p2pchat.crypto import (
    account,
    certificates,
    credentials,
    envelope,
    evictions,
    opening,
    passwords,
    primitives,
    proofs,
    sealing,
    session,
    succession,
)
from p2pchat.crypto.envelope import SenderStatement
from p2pchat.crypto.identity import Identity, PublicIdentity
from p2pchat.errors import CannotOpen

root_key, transcript, parse_statement = envelope.root_key, envelope.transcript, SenderStatement.parse
unseal = Identity.unseal


@dataclass(frozen=True, slots=True)
class Planted:
    """One mistake: `changes` are (object, attribute, what stands there instead), `caught_by` is MODULE.CLASS.TEST."""

    name: str
    caught_by: str
    changes: Sequence[tuple[Any, str, Any]]


def nothing(*_: Any, **__: Any) -> None:
    """A check that checks nothing."""


def rsa_is_left_out(ring: bytes, s1: bytes, _s2: bytes, x: bytes) -> bytes:
    return root_key(ring, s1, bytes(32), x)


def what_does_not_open_is_zeros(self: Identity, sealed: bytes, label: bytes) -> bytes:
    try:
        return unseal(self, sealed, label)
    except CannotOpen:
        return bytes(32)


def rsa_part_is_not_bound(ring: bytes, c: bytes, c1: bytes, _c2: bytes) -> bytes:
    return transcript(ring, c, c1, b"")


class Anything(bytes):
    """Bytes that are equal to all others."""

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    def __hash__(self) -> int:
        return 0


def any_(field: str) -> Callable[[bytes, bytes], SenderStatement]:
    """A statement of which one field is not compared."""

    def parse(encoded: bytes, ring: bytes) -> SenderStatement:
        said = parse_statement(encoded, ring)
        changed: dict[str, Any] = {field: Anything(getattr(said, field))}
        return replace(said, **changed)

    return parse


def always_the_same(size: int) -> bytes:
    return bytes(size)


def without_fresh_bytes(self: sealing.Sealer, *arguments: Any, **named: Any) -> None:
    sealer_begins(self, *arguments, **named)
    self._chance = always_the_same


sealer_begins = sealing.Sealer.__init__


def keys_stay(self: Keyring, key_ids: set[bytes]) -> list[bytes]:
    return [each.key_id for each in self.keys.mail if each.key_id not in key_ids]


def any_clock(known: Any, links: Any, now_ms: int | None) -> None:
    if now_ms is not None:
        succession.check_reopened(known, links, now_ms)


def any_end(padded: bytes, to: int | None = None) -> bytes:
    return padded.rpartition(b"\x80")[0]


def yes(*_: Any, **__: Any) -> bool:
    return True


SENDING = "tests.crypto.test_opening.ContextTests.test_every_other_field_of_the_statement_is_refused"
PLANTED = (
    Planted(
        "transcript without the RSA part",
        "tests.crypto.test_vectors.SealingVectorTests.test_both_openers_yield_every_stored_intermediate",
        [(envelope, "transcript", rsa_part_is_not_bound), (opening, "transcript", rsa_part_is_not_bound)],
    ),
    Planted(
        "RSA lock that does not count",
        "tests.crypto.test_opening.LockTests.test_each_lock_counts",
        [(opening, "root_key", rsa_is_left_out), (Identity, "unseal", what_does_not_open_is_zeros)],
    ),
    *(
        Planted(f"statement whose {field} is not compared", SENDING, [(SenderStatement, "parse", any_(field))])
        for field in ("recipient_fingerprint", "key_id", "x")
    ),
    Planted(
        "padding of any form",
        "tests.crypto.test_opening.ContextTests.test_a_statement_with_another_form_is_refused",
        [
            (opening, "unpad", any_end),
            (opening, "split", lambda *_: [b"", b""]),
            (opening, "gcm_open", always_the_same),
        ],
    ),
    Planted(
        "signature of a message that nobody verifies",
        "tests.crypto.test_opening.KeyCompromiseTests.test_a_genuine_signature_does_not_move_to_another_message",
        [(opening, "verify", nothing)],
    ),
    Planted(
        "signature of a sender that nobody verifies",
        "tests.crypto.test_opening.KeyCompromiseTests.test_the_thief_cannot_speak_as_alice",
        [(PublicIdentity, "verify", nothing)],
    ),
    Planted(
        "randomness that repeats itself after a restore",
        "tests.crypto.test_sealing.RestoreTests.test_no_key_and_nonce_ever_see_two_plaintexts",
        [(sealing.Sealer, "__init__", without_fresh_bytes)],
    ),
    Planted(
        "mail key that is never erased",
        "tests.client.test_stolen_disks.StolenDisksTests.test_no_file_of_the_home_holds_the_rotated_key",
        [(Keyring, "keep_mail_keys", keys_stay)],
    ),
    Planted(
        "acknowledgement of an old epoch",
        "tests.crypto.test_proofs.AcknowledgementTests.test_an_old_epoch_is_refused",
        [(proofs, "require_same_session", nothing)],
    ),
    Planted(
        "session replaced by anybody's word",
        "tests.crypto.test_session.SessionTests.test_only_a_proof_replaces_a_session",
        [(session, "_same_person", yes)],
    ),
    Planted(
        "session of anybody",
        "tests.crypto.test_session.SessionTests.test_another_identity_is_refused",
        [(session, "_same_person", yes)],
    ),
    Planted(
        "password parameters of any cost",
        "tests.crypto.test_passwords.StretchTests.test_weakened_or_exhausting_parameters_are_refused",
        [(passwords.Parameters, "check", nothing)],
    ),
    Planted(
        "vault that is not compared with its account",
        "tests.crypto.test_credentials.CredentialsTests.test_a_vault_with_another_identity_or_escrow_key_is_refused",
        [(credentials, "_compared", lambda secrets, *_: secrets)],
    ),
    Planted(
        "private part that nobody signed",
        "tests.crypto.test_account.AccountTests.test_a_swapped_private_part_is_refused",
        [(account, "H", lambda _: Anything(bytes(32)))],
    ),
    Planted(
        "RSA key of any exponent",
        "tests.crypto.test_primitives.RSATests.test_other_sizes_and_exponents_are_refused",
        [(primitives, "rsa_public", load_der_public_key)],
    ),
    Planted(
        "identity renewed by anybody",
        "tests.crypto.test_succession.AccountTests.test_an_identity_that_the_old_one_did_not_name_is_refused",
        [(account, "leads_from", yes), (succession, "parse_all", nothing)],
    ),
    Planted(
        "name that opens before its time",
        "tests.crypto.test_closing.AccountTests.test_somebody_else_follows_after_30_days_and_not_before",
        [(account, "check_reopened", nothing)],
    ),
    Planted(
        "name that a wrong clock opens",
        "tests.crypto.test_closing.AccountTests.test_a_member_whose_clock_is_far_off_opens_nothing",
        [(account, "check_reopened", any_clock)],
    ),
    Planted(
        "account that anybody ends",
        "tests.crypto.test_closing.AccountTests.test_the_identity_ends_its_account_and_nobody_else",
        [(account, "leads_from", yes)],
    ),
    Planted(
        "end of an account that nobody signed",
        "tests.crypto.test_closing.AccountTests.test_every_altered_byte_of_an_end_is_refused",
        [(PublicIdentity, "verify", nothing)],
    ),
    Planted(
        "next owner of a name who passes for the one before",
        "tests.client.test_deletion.NameTests.test_contacts_see_loudly_that_it_is_somebody_else",
        [(directory, "renewed_from", succession.leads_from)],
    ),
    Planted(
        "admitter that the root did not sign",
        "tests.crypto.test_evictions.EvictionTests.test_other_signers_and_wrong_forms_are_refused",
        [(evictions, "verify_admitter", nothing), (certificates, "verify_admitter", nothing)],
    ),
)


class PlantedTests(SynchronousTestCase):
    def outcome(self, name: str) -> unittest.TestResult:
        """One test, run by itself."""
        module, kind, test = name.rsplit(".", 2)
        case, result = getattr(importlib.import_module(module), kind)(test), unittest.TestResult()
        case.run(result)
        return result

    def assert_caught(self, planted: Planted) -> None:
        for owner, attribute, instead in planted.changes:
            self.patch(owner, attribute, instead)
        result = self.outcome(planted.caught_by)
        self.assertEqual(result.errors, [], "it is to be noticed by what the test asserts, not by a crash")
        self.assertTrue(result.failures, f"{planted.name} is not noticed")


def _test(planted: Planted) -> object:
    def test(self: PlantedTests) -> None:
        self.assert_caught(planted)

    return test


for _planted in PLANTED:
    setattr(PlantedTests, f"test_{_planted.name}".replace(" ", "_").replace("'", ""), _test(_planted))
