"""Restoring a backup: what is absent is created, what stands is left alone, mail is united."""

from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import Damaged, Misbehaved, StaleKey
from p2pchat.identifiers import Identifier, account_identifier
from p2pchat.replication.backup import Backup
from p2pchat.replication.register import NO_BALLOT, Register, Versioned
from p2pchat.replication.slots import KIND_ACCOUNT, KIND_MAILKEY, KIND_SESSION, RegisterKey
from p2pchat.replication.storage import SqliteStore
from p2pchat.replication.uset import Item, ItemState, StoredItem
from p2pchat.server.restoring import Restoring
from tests.accounts.memory import MemoryReplication
from tests.accounts.people import Person, person
from tests.crypto.keys import RING

POINT = account_identifier("alice")


class RestoringTests(SynchronousTestCase):
    """One record at a time."""

    def setUp(self) -> None:
        self.ring = MemoryReplication()
        self.restoring = Restoring(self.ring, RING)  # type: ignore[arg-type]
        self.alice = person("alice")

    def register(self, kind: int, value: bytes) -> str:
        return self.successResultOf(Deferred.fromCoroutine(self.restoring.register(RegisterKey(POINT, kind), value)))

    def restored(self, who: Person) -> list[str]:
        values = ((KIND_ACCOUNT, who.account), (KIND_SESSION, who.session.encode()), (KIND_MAILKEY, who.keys.encode()))
        return [self.register(kind, value) for kind, value in values]

    def test_what_is_absent_is_created_and_running_again_changes_nothing(self) -> None:
        self.assertEqual(self.restored(self.alice), ["created"] * 3)
        before = dict(self.ring.registers)
        self.assertEqual(self.restored(self.alice), ["same"] * 3)
        self.assertEqual(self.ring.registers, before)

    def test_a_newer_version_stands(self) -> None:
        self.restored(self.alice)
        newer = self.alice.renewed().account.encode()
        self.ring.registers[RegisterKey(POINT, KIND_ACCOUNT)] = newer
        self.ring.registers[RegisterKey(POINT, KIND_MAILKEY)] = self.alice.next_key().encode()
        self.assertEqual(self.restored(self.alice), ["newer", "same", "newer"])
        self.assertEqual(self.ring.registers[RegisterKey(POINT, KIND_ACCOUNT)], newer)

    def test_a_name_that_belongs_to_somebody_else_is_left_alone(self) -> None:
        self.ring.registers[RegisterKey(POINT, KIND_ACCOUNT)] = person("bob").account
        self.assertEqual(self.register(KIND_ACCOUNT, self.alice.account), "other")

    def test_what_proves_nothing_is_refused(self) -> None:
        restoring = Deferred.fromCoroutine(self.restoring.register(RegisterKey(POINT, KIND_ACCOUNT), b"anything"))
        self.failureResultOf(restoring, Misbehaved)

    def test_mail_comes_back_under_whatever_key_stands(self) -> None:
        item = Item(bytes(32), b"sealed", b"meta")
        self.failureResultOf(Deferred.fromCoroutine(self.restoring.item(POINT, item)), Misbehaved)
        self.ring.registers[RegisterKey(POINT, KIND_MAILKEY)] = self.alice.next_key().encode()
        self.successResultOf(Deferred.fromCoroutine(self.restoring.item(POINT, item)))
        self.assertEqual(self.ring.items, {POINT: {item.id: item}})

    def test_a_key_that_never_stands_still_ends_with_a_reason(self) -> None:
        self.ring.registers[RegisterKey(POINT, KIND_MAILKEY)] = self.alice.keys.encode()

        async def stale(*arguments: object) -> None:
            raise StaleKey("Another mail key is current.")

        self.patch(self.ring, "add", stale)
        restoring = Deferred.fromCoroutine(self.restoring.item(POINT, Item(bytes(32), b"sealed")))
        self.failureResultOf(restoring, StaleKey)


class BackupTests(SynchronousTestCase):
    """The copy itself."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp()) / "copy"
        self.path.parent.mkdir()

    def test_values_and_present_items_are_found_and_tombstones_are_not(self) -> None:
        store = SqliteStore(self.path, Identifier(9), create=True)

        def fill(turn: SqliteStore) -> None:
            content = Versioned(3, (), b"value")
            turn.put_register(RegisterKey(POINT, KIND_SESSION), Register(NO_BALLOT, NO_BALLOT, content))
            turn.put_register(RegisterKey(POINT, KIND_MAILKEY), Register())
            turn.put_item(POINT, StoredItem(b"a" * 32, ItemState.PRESENT, 5, b"payload", b"meta"))
            turn.put_item(POINT, StoredItem(b"b" * 32, ItemState.ACKNOWLEDGED, 5))

        store.commit([fill])  # type: ignore[list-item]
        store.close()
        copy = Backup(self.path)
        self.addCleanup(copy.close)
        (kept,) = copy.points()
        self.assertEqual((kept.point, kept.registers), (POINT, ((RegisterKey(POINT, KIND_SESSION), b"value"),)))
        self.assertEqual(kept.items, (b"a" * 32,))
        self.assertEqual(copy.item(POINT, b"a" * 32), Item(b"a" * 32, b"payload", b"meta"))

    def test_another_file_is_refused(self) -> None:
        self.path.write_bytes(b"This is no database, but long enough to be looked at. " * 40)
        self.assertRaises(Damaged, Backup, self.path)
        self.path.write_bytes(b"")
        self.assertRaises(Damaged, Backup, self.path)
