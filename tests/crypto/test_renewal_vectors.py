"""Stored bytes of all that follows a first record: two readers say the same, and refuse what is not as written."""

from base64 import b64decode
from typing import Any

from cryptography.exceptions import InvalidSignature, InvalidTag, UnsupportedAlgorithm
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.crypto import account, mailkey, session
from p2pchat.crypto.account import Account
from p2pchat.crypto.admission import FounderMark, RingDescription
from p2pchat.crypto.certificates import Certificate, Role
from p2pchat.crypto.credentials import log_in, recover
from p2pchat.crypto.evictions import Evictions
from p2pchat.crypto.historykey import HistoryKeyFile
from p2pchat.crypto.mailkey import MailKeys
from p2pchat.crypto.noderecord import NodeRecord
from p2pchat.crypto.orders import PLAN, Order
from p2pchat.crypto.passwords import Stretched
from p2pchat.crypto.session import SessionRecord, open_addresses
from p2pchat.crypto.succession import Link
from p2pchat.crypto.vault import RecoveryKey
from p2pchat.errors import Misbehaved
from p2pchat.identifiers import Address, to_bytes
from tests.crypto import independent_records as independent
from tests.crypto.independent import cut
from tests.crypto.keys import RING, heir, identity
from tests.crypto.rings import NOW
from tests.crypto.test_vectors import stored

FAILURES = (ValueError, InvalidTag, InvalidSignature, UnsupportedAlgorithm)
FIRST, SECOND = b"correct horse battery staple", b"entirely different words"
PASSWORDS = {"account 1": FIRST, "account 2": FIRST, "account 3": SECOND, "account 4": SECOND}
RENEWED_AT = 4
"""The account's version with which the second identity begins."""


def altered(octets: bytes, place: int) -> bytes:
    return octets[:place] + bytes([octets[place] ^ 1]) + octets[place + 1 :]


def led(successions: tuple[Link, ...]) -> list[tuple[bytes, int]]:
    return [(each.before.fingerprint, each.version) for each in successions]


class VectorCase(SynchronousTestCase):
    file = "renewals.json"

    def setUp(self) -> None:
        self.values: dict[str, Any] = stored(self.file)
        self.bob, self.heir = identity("bob"), heir()

    def raw(self, key: str) -> bytes:
        return b64decode(self.values[key])

    def account(self, version: int) -> dict[str, Any]:
        """As the other reader sees it."""
        return independent.account(self.raw(f"account {version}"), RING)

    def assert_refused(self, read: Any, encoded: bytes, *arguments: Any) -> None:
        """Neither shorter nor longer, nor with another bit at any of some places."""
        for wrong in (b"", encoded[:-1], encoded + b"\0"):
            self.assertRaises(FAILURES, read, wrong, *arguments)
        for place in range(0, len(encoded), max(1, len(encoded) // 40)):
            self.assertRaises(FAILURES, read, altered(encoded, place), *arguments)


class AccountTests(VectorCase):
    def test_each_version_is_read_alike_and_follows_the_one_before(self) -> None:
        before = None
        for version in range(1, 7):
            mine, other = Account.parse(self.raw(f"account {version}"), RING), self.account(version)
            public = mine.public
            self.assertEqual(
                (public.version, public.digest, public.fingerprint), (version, other["digest"], other["fp"])
            )
            self.assertEqual((public.previous, led(public.successions)), (other["prev"], other["renewals"]))
            self.assertEqual(None if mine.closing is None else mine.closing.at, other.get("deleted"))
            self.assertEqual(other["prev"], bytes(32) if before is None else before["digest"])
            account.validate_successor(
                None if before is None else self.raw(f"account {version - 1}"), mine.encode(), RING
            )
            before = other

    def test_a_renewed_hash_costs_more_and_is_of_the_same_password(self) -> None:
        first, second = self.account(1), self.account(2)
        self.assertLess((first["kib"], first["passes"]), (second["kib"], second["passes"]))
        self.assertNotEqual((first["salt"], first["escrow public"]), (second["salt"], second["escrow public"]))
        self.assertEqual(first["recovery auth hash"], second["recovery auth hash"])
        for name in ("account 1", "account 2"):
            self.assertEqual(self.opened(name)[:2], [self.bob.pkcs8_sign, self.bob.pkcs8_seal])

    def opened(self, name: str) -> list[bytes]:
        """By the other reader, with the password."""
        found = independent.account(self.raw(name), RING)
        k = independent.stretched(PASSWORDS[name], found, RING)
        self.assertEqual(k, self.raw(f"{name} K"))
        return independent.vault(found, k, RING)

    def test_passwords_open_their_vaults_and_no_other(self) -> None:
        for name, password in PASSWORDS.items():
            sign, seal, escrow = self.opened(name)
            found = Account.parse(self.raw(name), RING).credentials
            stretched = Stretched.stretch(password, "bob", RING, found.salt, found.parameters)
            secrets = log_in(Account.parse(self.raw(name), RING), stretched)
            keys = (secrets.identity.pkcs8_sign, secrets.identity.pkcs8_seal, secrets.escrow_private)
            self.assertEqual((sign, seal, escrow), keys)
            self.assertEqual(escrow, self.raw(f"{name} escrow private"))
        last, k = self.account(3), self.raw("account 2 K")
        self.assertRaises(FAILURES, independent.vault, last, k, RING)
        self.assertRaises(FAILURES, independent.vault, {**last, "version": 2}, self.raw("account 3 K"), RING)

    def test_recovery_keys_open_the_versions_of_their_time(self) -> None:
        for version, name in ((1, "recovery key"), (3, "recovery key"), (4, "renewed recovery key")):
            printed = self.values[name]
            mine = recover(Account.parse(self.raw(f"account {version}"), RING), RecoveryKey.parse(printed))
            keys = [mine.identity.pkcs8_sign, mine.identity.pkcs8_seal, mine.escrow_private]
            self.assertEqual(independent.recovered(self.account(version), printed, RING), keys)
        self.assertRaises(FAILURES, independent.recovered, self.account(4), self.values["recovery key"], RING)

    def test_a_new_identity_is_named_by_the_one_before(self) -> None:
        renewed = self.account(4)
        self.assertEqual(renewed["renewals"], [(self.bob.fingerprint, RENEWED_AT)])
        self.assertEqual(renewed["fp"], self.heir.fingerprint)

    def test_altered_accounts_are_refused(self) -> None:
        for version in (4, 5):
            self.assert_refused(independent.account, self.raw(f"account {version}"), RING)


class SessionTests(VectorCase):
    def test_each_session_is_read_alike_and_follows_the_one_before(self) -> None:
        before, chain = None, []
        for number in range(1, 5):
            encoded = self.raw(f"session {number}")
            mine, other = SessionRecord.parse(encoded, RING), independent.session(encoded, RING)
            self.assertEqual(
                (mine.place, mine.digest, mine.public_key), (other["place"], other["digest"], other["public"])
            )
            self.assertEqual((mine.previous, mine.time), (other["prev"], other["time"]))
            self.assertEqual((mine.fingerprint, led(mine.successions)), (other["fp"], other["renewals"]))
            session.validate_successor(before, encoded, RING)
            before = encoded
            chain.append(other["place"])
        self.assertEqual(chain, [(1, 0), (2, 0), (3, 0), (4, 0)])
        renewed = independent.session(self.raw("session 3"), RING)
        self.assertEqual((renewed["fp"], renewed["renewals"]), (self.heir.fingerprint, [(self.bob.fingerprint, 4)]))

    def test_the_end_of_an_account_and_who_has_the_name_next_are_read_alike(self) -> None:
        ended, following = Account.parse(self.raw("account 5"), RING), Account.parse(self.raw("account 6"), RING)
        end = independent.closing(ended.private, RING, b"bob")
        assert ended.closing is not None
        self.assertEqual(end, (self.heir.fingerprint, 5, ended.closing.at))
        self.assertEqual((ended.closing.before, ended.closing.version), (self.heir.public, 5))
        self.assertEqual(led(following.public.successions), [(self.bob.fingerprint, 4), (self.heir.fingerprint, 5)])
        opens = end[2] + 30 * 24 * 3600 * 1000
        for form, last, first in (
            (account, "account 5", "account 6"),
            (session, "session 3", "session 4"),
            (mailkey, "mail key 4, drained", "mail key 5"),
        ):
            form.check_times(self.raw(last), self.raw(first), RING, opens)
            for early in (opens - 1, None):
                self.assertRaises(Misbehaved, form.check_times, self.raw(last), self.raw(first), RING, early)
        for place in range(0, len(ended.private), 40):
            wrong = altered(ended.private, place)
            self.assertRaises(FAILURES, independent.closing, wrong, RING, b"bob")

    def test_addresses_open_for_who_has_the_capability(self) -> None:
        for number in (1, 2, 3):
            encoded = self.raw(f"session {number}")
            found = independent.session(encoded, RING)
            self.assertEqual(independent.addresses(found, bytes(range(16)), RING), ["192.0.2.7:7403"])
            mine = open_addresses(SessionRecord.parse(encoded, RING), bytes(range(16)))
            self.assertEqual(mine, [Address("192.0.2.7", 7403)])
            self.assertRaises(FAILURES, independent.addresses, found, bytes(16), RING)

    def test_altered_sessions_are_refused(self) -> None:
        self.assert_refused(independent.session, self.raw("session 3"), RING)


class MailKeyTests(VectorCase):
    ESCROWS = ((1, 1), (2, 2), (3, 3), (4, 4))
    """(mail key, account whose escrow key opens it)."""

    def test_each_rotation_is_read_alike_and_follows_the_one_before(self) -> None:
        before = None
        for name in ("1", "2", "2, drained", "3", "3, drained", "4", "4, drained", "5"):
            encoded = self.raw(f"mail key {name}")
            mine, other = MailKeys.parse(encoded, RING), independent.mail_keys(encoded, RING)
            for ours, theirs in ((mine.current, other["current"]), (mine.draining, other["draining"])):
                if ours is None or theirs is None:
                    self.assertEqual((ours, theirs), (None, None), name)
                    continue
                said = (ours.number, ours.key_id, ours.epoch, ours.public_key)
                self.assertEqual(said, (theirs["number"], theirs["key id"], theirs["epoch"], theirs["public"]))
            self.assertEqual(led(mine.successions), other["renewals"])
            mailkey.validate_successor(before, encoded, RING)
            before = encoded

    def test_the_key_before_drains_beside_the_new_one(self) -> None:
        for number in (2, 3, 4):
            found = independent.mail_keys(self.raw(f"mail key {number}"), RING)
            self.assertEqual((found["current"]["number"], found["draining"]["number"]), (number, number - 1))
            drained = independent.mail_keys(self.raw(f"mail key {number}, drained"), RING)
            self.assertEqual((drained["current"], drained["draining"]), (found["current"], None))

    def test_each_opens_from_the_escrow_of_its_time_and_of_no_other(self) -> None:
        for number, version in self.ESCROWS:
            found = independent.mail_keys(self.raw(f"mail key {number}"), RING)["current"]
            mine = MailKeys.parse(self.raw(f"mail key {number}"), RING).current
            escrow = self.raw(f"account {version} escrow private")
            wanted = self.raw(f"mail key {number} private")
            self.assertEqual((independent.from_escrow(found, escrow, RING), mine.private(escrow)), (wanted, wanted))
            other = self.raw(f"account {version % 4 + 1} escrow private")
            self.assertRaises(FAILURES, independent.from_escrow, found, other, RING)

    def test_altered_mail_keys_are_refused(self) -> None:
        self.assert_refused(independent.mail_keys, self.raw("mail key 4"), RING)


class HistoryKeyTests(VectorCase):
    def test_either_identity_of_a_renewal_opens_the_history(self) -> None:
        encoded, key = self.raw("history key file"), self.raw("history key")
        mine = HistoryKeyFile.parse(encoded)
        for who in (self.bob, self.heir):
            keys = [who.pkcs8_sign, who.pkcs8_seal]
            found, kept = independent.history_key(encoded, RING, b"bob", who.fingerprint, keys)
            self.assertEqual((found, mine.opened_by(who)), (key, key))
            self.assertEqual((kept, mine.account), (self.raw("account 3"),) * 2)
            wrong = (RING, b"bob", who.fingerprint, keys[::-1])
            self.assertRaises(FAILURES, independent.history_key, encoded, *wrong)


class RingTests(VectorCase):
    file = "ring.json"

    def setUp(self) -> None:
        super().setUp()
        self.root = Certificate.parse(self.raw("root"))

    def test_certificates(self) -> None:
        roles = {"root": Role.ROOT, "admitter": Role.ADMITTER, "node": Role.NODE, "operator": Role.OPERATOR}
        for name, role in roles.items():
            mine = Certificate.parse(self.raw(name))
            issuer = self.raw("root" if name in ("root", "admitter") else "admitter")
            other = independent.issued(self.raw(name), issuer, role.encode())
            said = (mine.ring, mine.serial, mine.public_key, mine.role)
            self.assertEqual(said, (other["ring"], other["serial"], other["key"], role))
        self.assertRaises(FAILURES, independent.issued, self.raw("node"), self.raw("root"), b"node")
        self.assertRaises(FAILURES, independent.issued, self.raw("operator"), self.raw("admitter"), b"node")

    def test_a_nodes_place_and_addresses(self) -> None:
        encoded = self.raw("node record")
        mine, other = NodeRecord.parse(encoded), independent.node_record(encoded, self.raw("root"))
        mine.verify(self.root, NOW)
        addresses = [str(each).encode() for each in (mine.ring_address, mine.clients_address)]
        self.assertEqual((to_bytes(mine.identifier), mine.sequence), (other["node"], other["sequence"]))
        self.assertEqual(addresses, other["at"])
        self.assert_refused(independent.node_record, encoded, self.raw("root"))

    def test_evictions_by_the_root_and_by_an_admitter(self) -> None:
        lists = [self.raw("evictions 1"), self.raw("evictions 2")]
        mine = [Evictions.parse(each, self.root, NOW) for each in lists]
        other = [independent.evictions(each, self.raw("root")) for each in lists]
        for ours, theirs in zip(mine, other, strict=True):
            listed = sorted((role.encode(), serial) for role, serial in ours.entries)
            self.assertEqual((ours.number, listed), (theirs["number"], theirs["entries"]))
        self.assertEqual([each["number"] for each in other], [1, 2])
        self.assertEqual((other[0]["prev"], other[1]["prev"]), (bytes(32), other[0]["digest"]))
        evicted = [
            mine[1].evicts(Certificate.parse(self.raw(each))) for each in ("evicted admitter", "node", "admitter")
        ]
        self.assertEqual(evicted, [True, True, False])
        for each in lists:
            self.assert_refused(independent.evictions, each, self.raw("root"))

    def test_what_the_authority_says_of_a_ring(self) -> None:
        ring, admitter = self.root.ring, Certificate.parse(self.raw("admitter"))
        described = self.raw("description")
        mine = RingDescription.parse(described, self.root)
        statement, signature = described[:-64], described[-64:]
        name, replicas, slots = independent.signed(
            statement + len(signature).to_bytes(4, "big") + signature, "ring", ring, self.root.public_key, 3
        )
        said = (mine.name.encode(), mine.replicas, mine.slots)
        self.assertEqual(said, (name, int.from_bytes(replicas, "big"), int.from_bytes(slots, "big")))
        for label, count, parsed in (
            ("founder", 1, [to_bytes(FounderMark.parse(self.raw("founder"), self.root, NOW).node)]),
            ("plan", 2, None),
        ):
            *signed, signer = cut(self.raw(label))
            self.assertEqual(signer, admitter.der)
            whole = b"".join(len(each).to_bytes(4, "big") + each for each in signed)
            found = independent.signed(whole, label, ring, admitter.public_key, count)
            order = Order.parse(PLAN, self.raw("plan"), self.root, NOW, lambda _: False)
            self.assertEqual(found, parsed or [order.generation.to_bytes(8, "big"), order.body])

    def test_a_list_of_another_ring_is_refused_by_both(self) -> None:
        other = self.raw("admitter")
        self.assertRaises(FAILURES, independent.evictions, self.raw("evictions 1"), other)
        self.assertRaises(Misbehaved, Evictions.parse, self.raw("evictions 1"), Certificate.parse(other), NOW)
