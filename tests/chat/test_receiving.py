"""What comes is kept or refused one by one: no message keeps others from being taken, whatever it says."""

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chat.message import Mark, Receipt, Type
from p2pchat.chat.receiving import Incoming, Listeners, Receiving
from p2pchat.chat.stores import Stores
from p2pchat.errors import Misbehaved

TOO_MUCH = 2**64 - 1
"""A number as the wire has it, and no database."""


class RefusedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.stores = Stores.open(":memory:")
        self.addCleanup(self.stores.database.close)
        self.shown: list[str] = []

        def nothing(*said: Any) -> None:
            """Nobody listens."""

        listeners = Listeners(
            lambda line: self.shown.append(line.text), nothing, nothing, nothing, nothing, nothing, nothing
        )
        self.receiving = Receiving("ana", 1, self.stores, nothing, Clock(), lambda: 1_000, listeners)
        self.addCleanup(self.receiving.stop)

    def incoming(self, number: int, kind: Type, body: bytes, author: str = "eve", epoch: int = 1) -> Incoming:
        identifier = number.to_bytes(16, "big")
        return Incoming(author, bytes(32), epoch, identifier, number, b"", kind, 1_000, body, identifier + body)

    def test_numbers_that_no_database_holds_hold_up_nobody_else(self) -> None:
        receipt = bytes([Mark.READ]) + TOO_MUCH.to_bytes(8, "big") + bytes(16)
        bad = [
            self.incoming(1, Type.RECEIPT, receipt),
            self.incoming(2, Type.TEXT, b"from nowhere", epoch=TOO_MUCH),
        ]
        good = self.incoming(3, Type.TEXT, b"hello", "bob")
        taken = self.receiving.take([*bad, good])
        self.assertEqual({each.id for each in taken}, {each.id for each in (*bad, good)})
        self.assertEqual(self.shown, ["hello"])

    def test_records_with_such_numbers_are_refused(self) -> None:
        for numbers in ({"version": TOO_MUCH}, {"epoch": TOO_MUCH}, {"mail_key": TOO_MUCH}):
            self.assertRaises(Misbehaved, self.stores.contacts.saw, "eve", **numbers)
        self.assertFalse(self.stores.contacts.saw("eve", 2**63 - 1, 2**63 - 1, 2**63 - 1))

    def test_a_receipt_of_the_last_session_that_there_can_be_is_taken(self) -> None:
        receipt = Receipt(Mark.READ, 2**63 - 1, (bytes(16),))
        self.assertEqual(Receipt.from_bytes(receipt.to_bytes()), receipt)
