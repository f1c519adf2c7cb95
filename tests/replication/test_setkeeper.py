"""A member's answers about sets."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import Misbehaved
from p2pchat.replication.formats import Formats
from p2pchat.replication.ground import Added
from p2pchat.replication.requests import AddRequest, BuryRequest, CollectRequest, LookRequest, Status
from p2pchat.replication.uset import MAX_ITEMS, MAX_PAYLOAD_BYTES, Item, ItemState, StoredItem

from .cases import ACCOUNT, FOUR, MAILKEY, POINT, SESSION, THREE, A, B, Lone, item_id


class SetKeeperTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.founder = Lone(A, founder=True)

    def states(self) -> dict[int, ItemState]:
        return {int.from_bytes(each.id, "big"): each.state for each in self.founder.list().known}

    def test_added_items_are_listed_and_collected(self) -> None:
        self.assertEqual(self.founder.add(1, 2).status, Status.OK)
        self.assertEqual(self.states(), {1: ItemState.PRESENT, 2: ItemState.PRESENT})
        reply = self.founder.ask(CollectRequest(POINT, 1, (item_id(2), item_id(9))))
        self.assertEqual(reply.items, (Item(item_id(2), b"payload"),))

    def test_adding_again_is_no_news(self) -> None:
        self.founder.add(1)
        self.founder.add(1, 2)
        added = [each.ids for each in self.founder.events if isinstance(each, Added)]
        self.assertEqual(added, [(item_id(1),), (item_id(2),)])

    def test_removed_items_do_not_come_back(self) -> None:
        self.founder.add(1)
        self.founder.bury(1, 2)
        self.founder.add(1, 2)
        self.assertEqual(self.states(), {1: ItemState.ACKNOWLEDGED, 2: ItemState.ACKNOWLEDGED})

    def test_a_mark_alone_removes_nothing(self) -> None:
        self.founder.add(1)
        reply = self.founder.mark(1)
        self.assertEqual((reply.status, reply.reason), (Status.OK, ItemState.ACKNOWLEDGED))
        self.assertEqual(self.states(), {1: ItemState.PRESENT})

    def test_another_mail_key_is_stale(self) -> None:
        self.founder.accept(1, b"key 1", key=MAILKEY)
        self.assertEqual(self.founder.add(1, fence=b"key 2").status, Status.STALE_KEY)
        self.assertEqual(self.founder.add(1).status, Status.STALE_KEY)
        self.assertEqual(self.founder.add(1, fence=b"key 1").status, Status.OK)

    def test_a_deleted_account_takes_nothing_and_its_items_can_be_buried(self) -> None:
        self.founder = Lone(A, founder=True, formats=Formats(is_closed=lambda account: account == b"end"))
        self.founder.accept(1, b"alive", key=ACCOUNT)
        self.assertEqual(self.founder.add(1, 2).status, Status.OK)
        keeper = self.founder.member.sets
        self.assertEqual(keeper.close(self.founder.store, POINT), 0, "it lives")
        self.founder.accept(2, b"end", key=ACCOUNT)
        self.assertEqual(self.founder.add(3).status, Status.STALE_KEY)
        self.founder.store.commit([lambda store: self.assertEqual(keeper.close(store, POINT), 2)])
        self.assertEqual(self.states(), {1: ItemState.UNOPENABLE, 2: ItemState.UNOPENABLE})

    def test_an_older_session_is_replaced(self) -> None:
        self.founder.accept(1, b"3", key=SESSION)
        self.assertEqual(self.founder.list(fence=2).status, Status.REPLACED)
        self.assertEqual(self.founder.mark(1, fence=2).status, Status.REPLACED)
        self.assertEqual(self.founder.list(fence=3).status, Status.OK)

    def test_a_proof_that_does_not_hold_is_refused(self) -> None:
        def refuse(session: bytes, proof: bytes, ids: object) -> ItemState:
            raise Misbehaved("not signed")

        self.founder = Lone(A, founder=True, formats=Formats(check_removal=refuse))
        self.founder.add(1)
        self.assertEqual(self.founder.mark(1).status, Status.REFUSED)
        self.assertEqual(self.founder.bury(1).status, Status.REFUSED)
        self.assertEqual(self.states(), {1: ItemState.PRESENT})

    def test_a_removal_gives_the_reason_of_its_proof(self) -> None:
        self.founder.add(1)
        request = BuryRequest(POINT, 1, (item_id(1),), ItemState.UNOPENABLE, b"proof")
        self.assertEqual(self.founder.ask(request).status, Status.REFUSED)
        self.assertEqual(self.states(), {1: ItemState.PRESENT})

    def test_another_epoch_is_refused(self) -> None:
        self.founder.announce(THREE)
        for reply in (self.founder.add(1), self.founder.list(), self.founder.mark(1), self.founder.bury(1)):
            self.assertEqual((reply.status, reply.configuration), (Status.WRONG_EPOCH, THREE))

    def test_a_sealed_member_takes_no_items(self) -> None:
        self.founder.announce(THREE)
        self.founder.pull(FOUR)
        self.assertEqual(self.founder.add(1, epoch=2).status, Status.WRONG_EPOCH)

    def test_a_full_set_says_so(self) -> None:
        def fill(store: object) -> None:
            for number in range(MAX_ITEMS):
                self.founder.store.put_item(POINT, StoredItem(item_id(number), ItemState.PRESENT, 0))

        self.founder.store.commit([fill])
        self.assertEqual(self.founder.add(MAX_ITEMS).status, Status.FULL)
        self.assertEqual(self.founder.add(1).status, Status.OK)

    def test_pages_of_items_end_before_they_are_too_long(self) -> None:
        for number in range(3):
            self.founder.add(number, payload=bytes(40_000))
        reply = self.founder.ask(CollectRequest(POINT, 1, tuple(map(item_id, range(3)))))
        self.assertEqual((len(reply.items), reply.more), (1, True))

    def test_what_is_known_of_ids(self) -> None:
        formats = Formats(check_removal=lambda session, proof, ids: ItemState.UNOPENABLE)
        self.founder = Lone(A, founder=True, formats=formats)
        self.founder.add(1)
        self.founder.ask(BuryRequest(POINT, 1, (item_id(2),), ItemState.UNOPENABLE, b"proof"))
        reply = self.founder.ask(LookRequest(POINT, 1, (item_id(1), item_id(2), item_id(3))))
        states = [each.state for each in reply.known]
        self.assertEqual(states, [ItemState.PRESENT, ItemState.UNOPENABLE, ItemState.UNKNOWN])

    def test_items_beyond_limits_are_refused(self) -> None:
        for items in (
            (Item(b"short", b""),),
            (Item(item_id(1), bytes(MAX_PAYLOAD_BYTES + 1)),),
            (Item(item_id(1), b""), Item(item_id(1), b"")),
        ):
            with self.assertRaises(Misbehaved):
                self.founder.ask(AddRequest(POINT, 1, b"", items))
        with self.assertRaises(Misbehaved):
            self.founder.ask(BuryRequest(POINT, 1, (item_id(1),), ItemState.PRESENT))

    def test_a_stranger_keeps_nothing(self) -> None:
        self.assertEqual(Lone(B).add(1).status, Status.WRONG_EPOCH)
