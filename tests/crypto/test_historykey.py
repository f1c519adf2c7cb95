"""Keys of encrypted histories: sealed for one identity of one account, and nothing else opens them."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.crypto.historykey import HistoryKeyFile, seal_history_key
from p2pchat.crypto.identity import Identity
from p2pchat.errors import Misbehaved
from tests.crypto.keys import RING, Drawn, heir, identity

KEY = bytes(range(32))


class HistoryKeyTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.bob = identity("bob")
        self.kept = HistoryKeyFile((), b"account").sealed_for(self.bob, KEY, Drawn(1))

    def test_the_identity_opens_it_and_the_file_is_read_back(self) -> None:
        again = HistoryKeyFile.parse(self.kept.encode())
        self.assertEqual((again, again.opened_by(self.bob)), (self.kept, KEY))
        self.assertNotIn(KEY, self.kept.encode())
        self.assertEqual(HistoryKeyFile.parse(HistoryKeyFile().encode()), HistoryKeyFile())

    def test_another_person_identity_or_ring_opens_nothing(self) -> None:
        other_ring = Identity.load("bob", bytes(32), self.bob.pkcs8_sign, self.bob.pkcs8_seal)
        other_name = Identity.load("bobby", RING, self.bob.pkcs8_sign, self.bob.pkcs8_seal)
        for other in (identity("alice"), heir(), other_ring, other_name):
            self.assertIsNone(self.kept.opened_by(other))
            moved = HistoryKeyFile(((other.fingerprint, self.kept.boxes[0][1]),))
            self.assertRaises(Misbehaved, moved.opened_by, other)

    def test_every_altered_byte_is_noticed(self) -> None:
        box = self.kept.boxes[0][1]
        for place in range(len(box)):
            altered = bytes(each ^ (index == place) for index, each in enumerate(box))
            self.assertRaises(Misbehaved, HistoryKeyFile(((self.bob.fingerprint, altered),)).opened_by, self.bob)

    def test_wrong_forms_are_refused(self) -> None:
        encoded = self.kept.encode()
        for wrong in (b"", encoded[:-1], encoded + b"\0", HistoryKeyFile(((bytes(32), bytes(59)),)).encode()):
            self.assertRaises(Misbehaved, HistoryKeyFile.parse, wrong)

    def test_two_identities_open_it_while_one_follows_the_other(self) -> None:
        both = self.kept.sealed_for(heir(), KEY, Drawn(2))
        self.assertEqual([both.opened_by(each) for each in (self.bob, heir())], [KEY, KEY])
        self.assertEqual(both.sealed_for(heir(), KEY), both)
        renewed = both.sealed_for(heir(), bytes(32))
        self.assertEqual((renewed.opened_by(heir()), len(renewed.boxes)), (bytes(32), 2))

    def test_no_two_boxes_are_alike(self) -> None:
        self.assertNotEqual(seal_history_key(self.bob, KEY), seal_history_key(self.bob, KEY))
