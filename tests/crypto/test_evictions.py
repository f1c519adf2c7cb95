"""Tests of the list of evictions: who may sign what, and which list counts."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.crypto.certificates import Role
from p2pchat.crypto.encoding import T, lv, split, u64
from p2pchat.crypto.evictions import MAX_EVICTIONS, Evictions
from p2pchat.errors import Misbehaved
from tests.crypto.keys import session_key
from tests.crypto.rings import NOW, Ring


class EvictionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.ring = Ring()
        self.node, self.other = self.ring.certify(1, Role.NODE), self.ring.certify(2, Role.NODE)

    def by_admitter(self, before: Evictions, *entries: tuple[Role, bytes]) -> Evictions:
        return before.extended(self.ring.key, self.ring.admitter, entries)

    def by_root(self, before: Evictions, *entries: tuple[Role, bytes]) -> Evictions:
        return before.extended(self.ring.root_key, self.ring.root, entries)

    def parse(self, encoded: bytes) -> Evictions:
        return Evictions.parse(encoded, self.ring.root, NOW)

    def refused(self, encoded: bytes) -> None:
        self.assertRaises(Misbehaved, self.parse, encoded)

    def test_lists_grow_and_the_higher_number_counts(self) -> None:
        first = self.by_admitter(Evictions.none(), (Role.NODE, self.node.serial))
        second = self.by_admitter(first, (Role.NODE, self.other.serial))
        for made in (Evictions.none(), first, second):
            self.assertEqual(self.parse(made.encoded), made)
        self.assertEqual([first.evicts(self.node), first.evicts(self.other)], [True, False])
        self.assertEqual([second.evicts(self.node), second.evicts(self.other)], [True, True])
        self.assertTrue(second.supersedes(first) and first.supersedes(Evictions.none()))
        self.assertFalse(first.supersedes(second) or first.supersedes(first))

    def test_a_serial_is_evicted_in_its_role_only(self) -> None:
        made = self.by_admitter(Evictions.none(), (Role.OPERATOR, self.node.serial))
        self.assertFalse(made.evicts(self.node))

    def test_only_the_root_evicts_an_admitter(self) -> None:
        second = self.ring.certify(130, Role.ADMITTER)
        entry = (Role.ADMITTER, second.serial)
        self.assertRaises(ValueError, self.by_admitter, Evictions.none(), entry)
        rooted = self.by_root(Evictions.none(), entry)
        grown = self.by_admitter(rooted, (Role.NODE, self.node.serial))
        self.assertTrue(self.parse(grown.encoded).evicts(second))
        self.assertRaises(ValueError, grown.extended, session_key(130), second, [])
        self.assertRaises(ValueError, self.by_root, grown, (Role.ROOT, self.ring.root.serial))

    def test_an_admitter_cannot_claim_what_the_root_did_not_sign(self) -> None:
        listed = lv(b"admitter") + self.ring.certify(130, Role.ADMITTER).serial
        self.refused(self.signed(listed))
        rooted = self.by_root(Evictions.none(), (Role.NODE, self.node.serial))
        self.refused(self.signed(b"", root_list=rooted.encoded))
        evicted = self.by_root(Evictions.none(), (Role.ADMITTER, self.ring.admitter.serial))
        self.refused(self.signed(lv(b"admitter") + self.ring.admitter.serial, root_list=evicted.encoded))

    def signed(self, listed: bytes, root_list: bytes = b"") -> bytes:
        statement = T("evictions", self.ring.ring, u64(1), bytes(32), listed)
        parts = (statement, self.ring.key.sign(statement), self.ring.admitter.der, root_list)
        return b"".join(map(lv, parts))

    def test_other_signers_and_wrong_forms_are_refused(self) -> None:
        encoded = self.by_admitter(Evictions.none(), (Role.NODE, self.node.serial)).encoded
        foreign = Ring(120)
        theirs = Evictions.none().extended(foreign.key, foreign.admitter, [(Role.NODE, self.node.serial)])
        self.refused(theirs.encoded)
        as_node = Evictions.none().extended(session_key(1), self.node, [(Role.NODE, self.other.serial)])
        self.refused(as_node.encoded)
        statement, _, der, root_list = split(encoded)
        self.refused(b"".join(map(lv, (statement, bytes(64), der, root_list))))
        for wrong in (encoded[:-1], encoded + b"\0", b"x"):
            self.refused(wrong)

    def test_lists_have_one_form(self) -> None:
        one, two = lv(b"node") + bytes(20), lv(b"node") + bytes([1]) * 20
        self.parse(self.signed(one + two))
        for listed in (two + one, one + one, one[:-1], lv(b"king") + bytes(20), b"\0\0\0\xff"):
            self.refused(self.signed(listed))

    def test_a_full_list_still_travels_as_one_value(self) -> None:
        many = [(Role.OPERATOR, number.to_bytes(20, "big")) for number in range(MAX_EVICTIONS)]
        full = self.by_admitter(self.by_root(Evictions.none(), *many))
        self.assertLess(len(full.encoded), 65_535)
        self.assertEqual(self.parse(full.encoded), full)
        self.assertRaises(ValueError, self.by_admitter, full, (Role.NODE, self.node.serial))
