"""The way out on a channel: many messages in a call, new keys, and programs that are older than that."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chat.commands import AskChannelKey
from p2pchat.chat.outbox import Waiting
from p2pchat.client import delivering
from p2pchat.client.delivering import MAX_MORE_BYTES, MOST, Delivering
from p2pchat.errors import CannotOpen, P2PChatError, StaleKey, TryElsewhere

EPOCH = 7
HEADER_MESSAGES = 100


class Channel:
    """Seals to nothing; a header lasts for 100 messages."""

    user = "bob"

    def __init__(self) -> None:
        self.keys = self.sealed = 0
        self.knows_key = False

    def take_key(self, _: bytes) -> None:
        self.keys, self.knows_key = self.keys + 1, True

    def forget_key(self) -> None:
        self.knows_key = False

    @property
    def header_lasts(self) -> bool:
        return self.sealed % HEADER_MESSAGES != 0

    def seal(self, frame: bytes) -> tuple[bytes | None, bytes]:
        header = b"header" if self.sealed % HEADER_MESSAGES == 0 else None
        self.sealed += 1
        return header, frame


class Link:
    """Remembers why it was cut."""

    def __init__(self) -> None:
        self.cut: list[str] = []

    def abort(self, why: str) -> None:
        self.cut.append(why)


class DeliveringTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.link, self.channel = Clock(), Link(), Channel()
        self.calls: list[tuple[bytes | None, list[bytes]]] = []
        self.errors: list[P2PChatError] = []
        self.old = False
        self.patch(delivering, "call", self.call)
        self.out = Delivering(self.link, self.channel, self.clock)  # type: ignore[arg-type]

    async def call(self, _link: object, _clock: object, command: Any, *, timeout: float, **told: Any) -> dict[str, Any]:
        if command is AskChannelKey:
            return {"key": b"key"}
        if self.errors:
            raise self.errors.pop(0)
        together = [told["message"], *(told["more"] or [])]
        self.calls.append((told["header"], together))
        return {"epoch": EPOCH, "taken": None if self.old else len(together)}

    def deliver(self, *frames: bytes) -> dict[bytes, int]:
        waiting = [Waiting("bob", str(number).encode(), frame) for number, frame in enumerate(frames)]
        done = Deferred.fromCoroutine(self.out.deliver(waiting, self.clock.seconds() + 2))
        self.turn(20)
        return self.successResultOf(done)

    def turn(self, turns: int) -> None:
        """Turns of the reactor."""
        self.clock.pump([0] * turns)

    def frames(self) -> list[bytes]:
        return [frame for _, together in self.calls for frame in together]

    def test_what_is_there_together_goes_in_one_call_in_its_order(self) -> None:
        frames = [b"one", b"two", b"three"]
        self.assertEqual(self.deliver(*frames), {b"0": EPOCH, b"1": EPOCH, b"2": EPOCH})
        self.assertEqual(self.calls, [(b"header", frames)])
        self.deliver(b"four")
        self.assertEqual(self.calls[1:], [(None, [b"four"])])

    def test_no_call_has_more_messages_or_bytes_than_it_may(self) -> None:
        many = [b"%d" % number for number in range(4 * MOST + 1)]
        self.assertEqual(len(self.deliver(*many)), len(many))
        self.assertEqual([len(together) for _, together in self.calls], [MOST] * 4 + [1])
        self.assertEqual(self.frames(), many)
        self.calls.clear()
        large = [bytes(20_000)] * 7
        self.deliver(*large)
        for _, together in self.calls:
            self.assertLessEqual(sum(len(each) + 2 for each in together[1:]), MAX_MORE_BYTES)
        self.assertLess(len(self.calls), len(large))
        self.assertEqual(self.frames(), large)

    def test_each_call_leaves_in_a_turn_of_its_own(self) -> None:
        waiting = [Waiting("bob", str(number).encode(), b"frame") for number in range(2 * MOST)]
        done = Deferred.fromCoroutine(self.out.deliver(waiting, 2.0))
        self.assertEqual(len(self.calls), 1)
        self.turn(1)
        self.assertEqual(len(self.calls), 2)
        self.assertEqual(len(self.successResultOf(done)), 2 * MOST)

    def test_a_new_header_begins_a_new_call(self) -> None:
        self.deliver(*[b"first"] * (HEADER_MESSAGES - 1))
        self.calls.clear()
        self.deliver(b"last", b"next", b"after")
        self.assertEqual(self.calls, [(None, [b"last"]), (b"header", [b"next", b"after"])])

    def test_a_key_that_was_replaced_is_asked_for_again_and_all_is_sealed_anew(self) -> None:
        self.errors = [StaleKey("old")]
        self.assertEqual(len(self.deliver(b"one", b"two")), 2)
        self.assertEqual((self.channel.keys, self.channel.sealed), (2, 4))

    def test_keys_that_change_all_the_time_end_the_attempt(self) -> None:
        self.errors = [StaleKey("old"), StaleKey("old")]
        self.assertEqual(self.deliver(b"one"), {})
        self.assertEqual(self.link.cut, [])

    def test_an_older_program_takes_the_first_one_and_then_gets_them_one_by_one(self) -> None:
        self.old = True
        self.assertEqual(len(self.deliver(b"one", b"two", b"three")), 3)
        self.deliver(b"four", b"five")
        self.assertEqual(
            [together for _, together in self.calls],
            [[b"one", b"two", b"three"], [b"two"], [b"three"], [b"four"], [b"five"]],
        )

    def test_after_an_error_none_of_a_call_counts_and_who_cannot_open_is_left(self) -> None:
        self.errors = [TryElsewhere("not now")]
        self.assertEqual(self.deliver(b"one", b"two"), {})
        self.assertEqual(self.link.cut, [])
        self.errors = [CannotOpen("broken")]
        self.assertEqual(self.deliver(b"one", b"two"), {})
        self.assertEqual(self.link.cut, ["broken"])

    def test_who_does_not_acknowledge_in_time_is_left(self) -> None:
        self.errors = [TryElsewhere("late")]
        done = Deferred.fromCoroutine(self.out.deliver([Waiting("bob", b"0", b"one")], self.clock.seconds()))
        self.assertEqual(self.successResultOf(done), {})
        self.assertEqual(len(self.link.cut), 1)
