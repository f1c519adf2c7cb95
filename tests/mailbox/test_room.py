"""A sender may fill half of a mailbox, and only when it is that full."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import SlowedDown
from p2pchat.identifiers import Identifier
from p2pchat.mailbox.room import GRANT_ENVELOPES, MAX_BYTES, SENDER_ENVELOPES, Grants, Rooms, Usage
from p2pchat.mailbox.versions import Versions

ALICE = Identifier(1)


class RoomsTests(SynchronousTestCase):
    def test_half_of_a_full_mailbox_is_the_end(self) -> None:
        rooms, half = Rooms(), Usage(SENDER_ENVELOPES, 1000)
        self.assertRaises(SlowedDown, rooms.grant, ALICE, b"spammer", half, half)
        self.assertEqual(rooms.grant(ALICE, b"friend", Usage(1, 100), half).envelopes, GRANT_ENVELOPES)

    def test_bytes_count_as_well(self) -> None:
        big = Usage(10, MAX_BYTES // 2)
        self.assertRaises(SlowedDown, Rooms().grant, ALICE, b"spammer", big, big)

    def test_what_was_fetched_does_not_count(self) -> None:
        rooms = Rooms()
        rooms.grant(ALICE, b"friend", Usage(SENDER_ENVELOPES * 3, 1000), Usage(10, 1000))
        rooms.grant(ALICE, b"friend", Usage(1, 1), Usage(SENDER_ENVELOPES - 1, 1000))

    def test_an_empty_mailbox_forgets(self) -> None:
        rooms, half = Rooms(), Usage(SENDER_ENVELOPES, 1000)
        self.assertRaises(SlowedDown, rooms.grant, ALICE, b"spammer", half, half)
        rooms.grant(ALICE, b"spammer", Usage(), Usage())
        rooms.grant(ALICE, b"spammer", Usage(1, 1), half)


class GrantsTests(SynchronousTestCase):
    def test_a_grant_serves_until_it_is_used_up_or_old(self) -> None:
        grants = Grants()
        grants.put(ALICE, b"s", Usage(2, 1000), now=0.0)
        self.assertTrue(grants.take(ALICE, b"s", 600, 1.0))
        self.assertFalse(grants.take(ALICE, b"s", 600, 1.0))
        self.assertTrue(grants.take(ALICE, b"s", 400, 1.0))
        self.assertEqual(grants.used(ALICE, b"s"), Usage(2, 1000))
        self.assertEqual(grants.used(ALICE, b"s"), Usage())
        grants.put(ALICE, b"s", Usage(2, 1000), now=0.0)
        self.assertFalse(grants.take(ALICE, b"s", 1, 10.0))


class VersionsTests(SynchronousTestCase):
    def test_every_addition_and_every_owner_has_another_version(self) -> None:
        versions, elsewhere = Versions(1), Versions(2)
        seen = {versions.of(ALICE), versions.raise_one(ALICE), versions.raise_one(ALICE), elsewhere.of(ALICE)}
        self.assertEqual(len(seen), 4)
        self.assertTrue(all(0 <= each < 2**63 for each in seen))
