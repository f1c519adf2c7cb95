"""Beats travel from agent to gateway to owner, and changes back to who watches, over links in memory."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.protocols import amp
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import Misbehaved, P2PChatError, SessionReplaced, SlowedDown, TryElsewhere
from p2pchat.heartbeat import commands
from p2pchat.heartbeat.attached import MAX_LINKS, Attached
from p2pchat.heartbeat.beats import SignedBeat, Standing
from p2pchat.heartbeat.commands import PresenceChanged, ReportBeats
from p2pchat.heartbeat.locator import AgentHeartbeatLocator, NodeHeartbeatLocator
from p2pchat.heartbeat.service import HeartbeatService
from p2pchat.heartbeat.watches import MAX_WATCHED_BY_LINK
from p2pchat.identifiers import Identifier, account_identifier
from p2pchat.wire.locators import Locators

WEST, EAST = Identifier(1), Identifier(2)


class FakeLink:
    """An agent's link: remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.times: list[int | None] = []
        self.lost: list[Callable[[Any], None]] = []

    def when_lost(self, tell: Callable[[Any], None]) -> None:
        """As Link."""
        self.lost.append(tell)

    def drop(self) -> None:
        """The connection is gone."""
        for tell in self.lost:
            tell(self)


class TwoNodes(SynchronousTestCase):
    """Two nodes that call each other without a wire; `owner` owns everybody."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.owner: Identifier | None = EAST
        self.epochs: dict[str, int] = {}
        self.away: set[Identifier] = set()
        self.calls: list[type[amp.Command]] = []
        self.nodes = {name: self.node(name) for name in (WEST, EAST)}
        for node in self.nodes.values():
            node.startService()
            self.addCleanup(node.stopService)
        self.clock.advance(20.0)

    def node(self, me: Identifier) -> HeartbeatService:
        async def call(node: Identifier, command: type[amp.Command], **arguments: Any) -> dict[str, Any]:
            self.calls.append(command)
            if node in self.away or me in self.away:
                raise TryElsewhere("No answer.")
            box = command.makeArguments(arguments, None)
            responder = Locators([NodeHeartbeatLocator(self.nodes[node], me)]).locateResponder(command.commandName)
            assert responder is not None
            parsed: dict[str, Any] = command.parseResponse(await responder(box), None)
            return parsed

        async def push(link: Any, clock: Clock, command: type[amp.Command], **arguments: Any) -> dict[str, Any]:
            self.assertIs(command, PresenceChanged)
            link.told.append((arguments["user"], arguments["presence"]))
            link.times.append(arguments["last_seen"])
            return {}

        return HeartbeatService(
            call,  # type: ignore[arg-type]
            Attached(self.clock, push),
            lambda account: self.owner,
            lambda account: 0,
            lambda: [0] if self.owner == me else [],
            self.verify,
            lambda user: Standing(self.epochs.get(user, 1), 0, 77),
            self.doubted.append,
            self.clock,
            lambda: 1_700_000_000.0 + self.clock.seconds(),
        )

    @property
    def doubted(self) -> list[str]:
        self._doubted: list[str] = getattr(self, "_doubted", [])
        return self._doubted

    async def verify(
        self, user: str, epoch: int, sequence: int, counter: int, command: str, arguments: bytes, signature: bytes
    ) -> None:
        if signature != b"genuine":
            raise Misbehaved("The signature is wrong.")
        if epoch < self.epochs.get(user, 1):
            raise SessionReplaced("A later session stands.")

    def beat(self, counter: int, presence: str = "visible", user: str = "alice", epoch: int = 1) -> SignedBeat:
        return SignedBeat(user, epoch, 0, counter, presence, b"genuine")

    def sent(self, node: Identifier, link: Any, beat: SignedBeat) -> Any:
        answered = Deferred.fromCoroutine(self.nodes[node].beat(link, beat))
        self.clock.advance(0.2)
        return self.successResultOf(answered)

    def done(self, coroutine: Any) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def moved_to(self, owner: Identifier | None) -> None:
        self.owner = owner
        for node in self.nodes.values():
            node.ring_changed()

    def pass_time(self, seconds: float) -> None:
        for _ in range(int(seconds * 2)):
            self.clock.advance(0.5)


class BeatTests(TwoNodes):
    def test_the_owner_answers_what_stands(self) -> None:
        self.assertEqual(self.sent(WEST, FakeLink(), self.beat(1)), Standing(1, 0, 77))
        self.assertEqual(self.nodes[EAST].owner.gateway(account_identifier("alice")), WEST)

    def test_many_beats_go_in_one_call(self) -> None:
        answers = [
            Deferred.fromCoroutine(self.nodes[WEST].beat(FakeLink(), self.beat(1, user=f"u{number}")))  # type: ignore[arg-type]
            for number in range(50)
        ]
        self.clock.advance(0.2)
        for answer in answers:
            self.successResultOf(answer)
        self.assertEqual(self.calls.count(ReportBeats), 1)

    def test_a_forged_beat_is_refused_by_the_gateway_and_by_the_owner(self) -> None:
        forged = SignedBeat("alice", 1, 0, 1, "visible", b"forged")
        self.failureResultOf(Deferred.fromCoroutine(self.nodes[WEST].beat(FakeLink(), forged)), Misbehaved)  # type: ignore[arg-type]
        self.assertEqual(self.done(self.nodes[EAST].report(WEST, [forged])), [])
        self.assertEqual(self.nodes[EAST].owner.state(account_identifier("alice")), "offline")

    def test_a_replaced_session_hears_of_the_one_that_stands(self) -> None:
        self.epochs["alice"] = 2
        ((_, standing),) = self.done(self.nodes[EAST].report(WEST, [self.beat(1)]))
        self.assertEqual(standing.epoch, 2)

    def test_an_owner_that_is_away_costs_no_answer(self) -> None:
        self.away.add(EAST)
        self.assertEqual(self.sent(WEST, FakeLink(), self.beat(1)), Standing(1, 0, 77))

    def test_a_beat_is_no_beat_with_another_word(self) -> None:
        self.assertRaises(Misbehaved, SignedBeat.parse, {"presence": "dancing"})


class WatchTests(TwoNodes):
    def setUp(self) -> None:
        super().setUp()
        self.bob = FakeLink()
        watcher: Any = self.bob
        known = self.done(self.nodes[WEST].watches.watch(watcher, ["alice"]))
        self.assertEqual(known, {"alice": ("offline", None)})

    def test_online_is_pushed_and_offline_after_fifteen_seconds(self) -> None:
        self.sent(EAST, FakeLink(), self.beat(1))
        self.pass_time(1)
        self.assertEqual(self.bob.told, [("alice", "online")])
        self.pass_time(13)
        self.assertEqual(self.bob.told, [("alice", "online")])
        self.pass_time(3)
        self.assertEqual(self.bob.told, [("alice", "online"), ("alice", "offline")])

    def test_leaving_is_told_at_once(self) -> None:
        self.sent(EAST, FakeLink(), self.beat(1))
        self.pass_time(1)
        self.sent(EAST, FakeLink(), self.beat(2, "leaving"))
        self.pass_time(1)
        self.assertEqual(self.bob.told[-1], ("alice", "offline"))

    def test_a_new_owner_says_unknown_until_it_has_heard(self) -> None:
        link = FakeLink()
        self.sent(EAST, link, self.beat(1))
        self.pass_time(1)
        self.moved_to(WEST)
        self.pass_time(1)
        self.assertEqual(self.bob.told[-1], ("alice", "unknown"))
        self.sent(EAST, link, self.beat(2))
        self.pass_time(1)
        self.assertEqual(self.bob.told[-1], ("alice", "online"))

    def test_a_lost_push_costs_ten_seconds_at_most(self) -> None:
        self.away.add(WEST)
        self.sent(EAST, FakeLink(), self.beat(1))
        self.pass_time(1)
        self.assertEqual(self.bob.told, [])
        self.away.clear()
        self.pass_time(10)
        self.assertEqual(self.bob.told, [("alice", "online")])

    def test_an_owner_out_of_reach_becomes_unknown(self) -> None:
        self.away.add(EAST)
        self.pass_time(30)
        self.assertEqual(self.bob.told, [("alice", "unknown")])

    def test_who_is_not_the_owner_is_not_believed(self) -> None:
        lie = {"account": account_identifier("alice"), "presence": "online"}
        self.nodes[WEST].watches.learn(WEST, [lie], [{**lie, "seen_key": bytes(32)}])
        self.assertEqual(self.bob.told, [])

    def test_nobody_is_told_after_unwatch_or_a_lost_link(self) -> None:
        carol: Any = FakeLink()
        self.done(self.nodes[WEST].watches.watch(carol, ["alice"]))
        watcher: Any = self.bob
        self.nodes[WEST].watches.unwatch(watcher, ["alice"])
        carol.drop()
        self.sent(EAST, FakeLink(), self.beat(1))
        self.pass_time(1)
        self.assertEqual((self.bob.told, carol.told), ([], []))

    def test_watching_is_bounded(self) -> None:
        watcher: Any = self.bob
        many = [f"user{number}" for number in range(MAX_WATCHED_BY_LINK)]
        self.failureResultOf(Deferred.fromCoroutine(self.nodes[WEST].watches.watch(watcher, many)), SlowedDown)


class LastSeenTests(TwoNodes):
    """The key of contacts shows when somebody was seen last; nobody else learns it."""

    def beat_with(self, key: bytes | None, counter: int, presence: str = "visible") -> SignedBeat:
        return replace(self.beat(counter, presence), seen_key=key)

    def seen_by(self, key: bytes | None) -> int | None:
        link: Any = FakeLink()
        known = self.done(self.nodes[WEST].watches.watch(link, ["alice"], key))
        at: int | None = known["alice"][1]
        return at

    def test_contacts_alone_know_it(self) -> None:
        self.sent(EAST, FakeLink(), self.beat_with(b"k" * 32, 1))
        at = self.seen_by(b"k" * 32)
        assert at is not None
        self.assertAlmostEqual(at / 1000, 1_700_000_000 + self.clock.seconds(), delta=1)
        self.assertEqual((self.seen_by(b"x" * 32), self.seen_by(None)), (None, None))

    def test_invisible_beats_leave_it_and_a_new_key_closes_it(self) -> None:
        self.sent(EAST, FakeLink(), self.beat_with(b"k" * 32, 1))
        at = self.seen_by(b"k" * 32)
        self.pass_time(4)
        self.sent(EAST, FakeLink(), self.beat_with(b"k" * 32, 2, "invisible"))
        self.assertEqual(self.seen_by(b"k" * 32), at)
        self.sent(EAST, FakeLink(), self.beat_with(b"n" * 32, 3))
        self.assertIsNone(self.seen_by(b"k" * 32))
        self.assertIsNotNone(self.seen_by(b"n" * 32))

    def test_whoever_goes_offline_is_shown_with_the_time(self) -> None:
        link: Any = FakeLink()
        self.sent(EAST, FakeLink(), self.beat_with(b"k" * 32, 1))
        self.done(self.nodes[WEST].watches.watch(link, ["alice"], b"k" * 32))
        at = self.seen_by(b"k" * 32)
        self.pass_time(17)
        self.assertEqual((link.told[-1], link.times[-1]), (("alice", "offline"), at))


class ContactsTests(TwoNodes):
    """Somebody whom only contacts may see: those who show the key that travels in sealed messages."""

    def setUp(self) -> None:
        super().setUp()
        self.friend: Any = FakeLink()
        self.stranger: Any = FakeLink()
        self.guesser: Any = FakeLink()
        watches = self.nodes[WEST].watches
        shown: dict[Any, bytes | None] = {self.friend: b"k" * 32, self.stranger: None, self.guesser: b"x" * 32}
        for link, key in shown.items():
            self.assertEqual(self.done(watches.watch(link, ["alice"], key))["alice"][0], "offline")

    def send(self, counter: int, presence: str, key: bytes = b"k" * 32) -> None:
        self.sent(EAST, FakeLink(), replace(self.beat(counter, presence), seen_key=key))
        self.pass_time(1)

    def told(self) -> list[list[str]]:
        return [[presence for _, presence in link.told] for link in (self.friend, self.stranger, self.guesser)]

    def test_contacts_are_told_and_others_see_nothing(self) -> None:
        self.send(1, "contacts")
        self.assertEqual(self.told(), [["online"], [], []])
        self.pass_time(17)
        self.assertEqual(self.told(), [["online", "offline"], [], []])
        self.assertIsNotNone(self.friend.times[-1])

    def test_who_begins_to_watch_sees_it_with_the_key_alone(self) -> None:
        self.send(1, "contacts")
        for key, presence in ((b"k" * 32, "online"), (b"x" * 32, "offline"), (None, "offline")):
            for node in (WEST, EAST):
                late: Any = FakeLink()
                known = self.done(self.nodes[node].watches.watch(late, ["alice"], key))
                self.assertEqual(known["alice"][0], presence)

    def test_a_change_of_mind_is_told_to_whom_it_concerns(self) -> None:
        self.send(1, "visible")
        self.send(2, "contacts")
        self.send(3, "invisible")
        self.send(4, "contacts")
        self.assertEqual(self.told(), [["online", "offline", "online"], ["online", "offline"], ["online", "offline"]])

    def test_a_renewed_key_shuts_out_who_has_the_old_one(self) -> None:
        self.send(1, "contacts")
        self.send(2, "contacts", b"n" * 32)
        self.pass_time(10)
        self.assertEqual(self.told(), [["online", "offline"], [], []])
        self.done(self.nodes[WEST].watches.watch(self.friend, ["alice"], b"n" * 32))
        self.assertEqual(self.nodes[WEST].watches.presence(self.friend, account_identifier("alice")), "online")

    def test_a_new_owner_learns_it_with_the_next_beat(self) -> None:
        self.send(1, "contacts")
        self.moved_to(WEST)
        self.pass_time(1)
        self.send(2, "contacts")
        self.assertEqual(self.told()[0], ["online", "unknown", "online"])
        self.assertNotIn("online", self.told()[1])


class LocatorTests(TwoNodes):
    def test_an_agent_beats_and_watches_over_the_wire(self) -> None:
        link: Any = FakeLink()
        locators = Locators([AgentHeartbeatLocator(self.nodes[WEST], link)])

        async def ask(command: type[amp.Command], **arguments: Any) -> dict[str, Any]:
            responder = locators.locateResponder(command.commandName)
            assert responder is not None
            parsed: dict[str, Any] = command.parseResponse(
                await responder(command.makeArguments(arguments, None)), None
            )
            return parsed

        beat = self.beat(1)
        answered = Deferred.fromCoroutine(ask(commands.Beat, **{each: getattr(beat, each) for each in beat.__slots__}))
        self.clock.advance(0.2)
        self.assertEqual(self.successResultOf(answered), {"epoch": 1, "sequence": 0, "mailbox_version": 77})
        self.assertEqual(self.nodes[WEST].attached.user(link), "alice")
        seen = self.done(ask(commands.Watch, users=["alice", "bob"]))["presences"]
        self.assertEqual([(row["user"], row["presence"]) for row in seen], [("alice", "online"), ("bob", "offline")])


class AttachedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.failing = False
        self.told: list[Any] = []
        self.attached = Attached(Clock(), self.ask)

    async def ask(self, link: Any, clock: Clock, command: type[amp.Command], **arguments: Any) -> dict[str, Any]:
        if self.failing:
            raise P2PChatError("gone")
        self.told.append(link)
        return {}

    def test_pushes_go_to_every_link_of_the_account_and_to_no_other(self) -> None:
        links: list[Any] = [FakeLink(), FakeLink(), FakeLink()]
        for link, user in zip(links, ("alice", "alice", "bob"), strict=True):
            self.attached.attach(link, user)
        self.assertEqual(self.attached.push("alice", PresenceChanged), 2)
        self.assertEqual(self.told, links[:2])
        links[0].drop()
        self.assertEqual(self.attached.push("alice", PresenceChanged), 1)
        self.failing = True
        self.assertEqual(self.attached.push("alice", PresenceChanged), 1)

    def test_the_oldest_link_is_dropped_when_there_are_many(self) -> None:
        links: list[Any] = [FakeLink() for _ in range(MAX_LINKS + 1)]
        for link in links:
            self.attached.attach(link, "alice")
        self.assertIsNone(self.attached.user(links[0]))
        self.assertEqual(len(self.attached), MAX_LINKS)

    def test_a_link_that_changes_its_user_belongs_to_the_new_one(self) -> None:
        link: Any = FakeLink()
        self.attached.attach(link, "alice")
        self.attached.attach(link, "bob")
        self.assertIsNone(self.attached.user_of(account_identifier("alice")))
        self.assertEqual(self.attached.user_of(account_identifier("bob")), "bob")
