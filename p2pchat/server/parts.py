"""The services of one admitted node, constructed and connected with each other."""

from collections.abc import Sequence
from dataclasses import replace

from twisted.protocols import amp

from p2pchat.accounts.locator import AgentAccountsLocator, NodeAccountsLocator
from p2pchat.accounts.proving import Proving
from p2pchat.accounts.service import AccountsService
from p2pchat.chord.locator import ChordLocator
from p2pchat.chord.service import ChordService
from p2pchat.crypto.noderecord import NodeRecord
from p2pchat.heartbeat.attached import Attached
from p2pchat.heartbeat.beats import Standing as AccountStanding
from p2pchat.heartbeat.locator import AgentHeartbeatLocator, NodeHeartbeatLocator
from p2pchat.heartbeat.service import HeartbeatService
from p2pchat.identifiers import Address, Arc, Identifier, account_identifier
from p2pchat.mailbox.locator import AgentMailboxLocator, NodeMailboxLocator
from p2pchat.mailbox.service import MailboxService
from p2pchat.replication.locator import ReplicationLocator
from p2pchat.replication.service import ReplicationService
from p2pchat.replication.settings import Settings
from p2pchat.replication.slots import end_of, ending_in, slot_of
from p2pchat.server.census import Census
from p2pchat.server.clocks import RingClock
from p2pchat.server.commands import AskClock
from p2pchat.server.formats import formats
from p2pchat.server.health import Health, HealthLocator
from p2pchat.server.lag import Lag
from p2pchat.server.locator import NodeStatusLocator, OperatorLocator
from p2pchat.server.membership import Membership
from p2pchat.server.place import Place
from p2pchat.server.rows import RingRows
from p2pchat.server.users import Users
from p2pchat.wire.arguments import MAX_ADDRESSES
from p2pchat.wire.bulletins import Bulletins, Kind
from p2pchat.wire.connection import Peer, Role
from p2pchat.wire.dialer import Dialer
from p2pchat.wire.hello import Greeting, Standing
from p2pchat.wire.links import Links
from p2pchat.wire.tally import Tally
from p2pchat.wire.tls import clients_port_tls, member_tls

SECRET_BYTES = 32
RUN_BITS = 31


class Parts:
    """Every service of a node; `record` may be replaced when its addresses change."""

    def __init__(self, place: Place) -> None:
        admission, clock = place.admission, place.clock
        self.me, self.ring = admission.identifier, admission.ring
        self.record, self._chance = place.record, place.chance
        self.slots = admission.description.slots
        self.links, self.tally, self.lag = Links(clock), Tally(), Lag(clock)
        self.clock = RingClock(clock, place.now, self.links.nodes, self._ask_clock)
        self.bulletins = Bulletins(clock, place.evictions)
        self._build_network(place)
        self.chord = ChordService(
            self.record, place.table, self.call, self.call.greet, clock, place.chance, admission.is_founder
        )
        self.links.met.append(self.chord.met)
        self.links.lost.append(self.chord.link_lost)
        self.replication = ReplicationService(
            self.me,
            place.disk,
            self.call,
            clock,
            place.chance,
            Settings(self.slots, admission.description.replicas, place.repair_after, admission.is_founder),
            formats(self.ring, self.clock.judging_ms),
            self.chord.wanted,
            self.chord.is_live,
            self.clock.now,
        )
        self.attached = Attached(clock)
        self._build_upper(place)
        self.membership = Membership(
            place, self.bulletins, self.agents_standing, self.links, self.chord, self.replication, self.call
        )
        self.chord.on_change.append(self.heartbeat.ring_changed)
        self.rows = RingRows(self.chord, self.replication, self.call)
        self.users = Users(place.database, self.me, place.run_in_thread)
        self.census = Census(place.database, self.me, place.run_in_thread)
        self.health = Health(
            lambda: self.chord.state, lambda: self.membership.departure.begun, place.disk, place.database.parent, clock
        )
        self.operator = [OperatorLocator(self.rows, self.users), *self.membership.operator]
        self.admin = [*self.operator, *self.membership.admin, HealthLocator(self.health, self.clock)]
        self._status = NodeStatusLocator(self.rows, place.now)

    def _build_network(self, place: Place) -> None:
        """How connections begin, and the way to other nodes."""
        self.nodes_standing = Standing(
            place.clock,
            place.now,
            member_tls(place.admission),
            self.ring,
            self._greeting,
            self.locators,
            place.evictions.evicts,
            self.bulletins.heard,
            tally=self.tally,
        )
        self.agents_standing = replace(self.nodes_standing, tls=clients_port_tls(place.admission))
        self.call = Dialer(
            self.me,
            self.nodes_standing,
            self.links,
            place.reach,
            self._record_of,
            place.chance,
            lambda error: self.membership.evicting.doubted(error),
        )

    def _build_upper(self, place: Place) -> None:
        """Accounts, heartbeat and mailbox."""
        proving = Proving(self.me, self.call, self.owner_of, place.run_in_thread, place.clock)
        self.accounts = AccountsService(
            self.me,
            self.ring,
            self.replication,
            self.call,
            proving,
            self.attached.push,
            place.clock,
            self.clock.judging_ms,
        )
        self.heartbeat = HeartbeatService(
            self.call,
            self.attached,
            self.owner_of,
            lambda account: slot_of(account, self.slots),
            self.owned_slots,
            self.accounts.verify,
            self._account_standing,
            self.accounts.doubt,
            place.clock,
            self.clock.now,
        )
        self.mailbox = MailboxService(
            self.me,
            self.ring,
            self.replication,
            self.call,
            self.accounts.verify,
            self.owner_of,
            self.heartbeat.owner.gateway,
            self.attached.user_of,
            self.attached.push,
            place.clock,
            place.chance.randbytes(SECRET_BYTES),
            place.chance.getrandbits(RUN_BITS),
        )

    # -- who owns what, as this node sees the ring

    def owner_of(self, account: Identifier) -> Identifier | None:
        """The first live node clockwise from the end of the account's slot."""
        return self._owner(slot_of(account, self.slots))

    def owned_slots(self) -> list[int]:
        """Slots that this node owns."""
        live = self.chord.live()
        if self.me not in live:
            return []
        return ending_in(Arc(live[live.index(self.me) - 1], self.me), self.slots)

    def _owner(self, slot: int) -> Identifier | None:
        return next(iter(self.chord.wanted(end_of(slot, self.slots), 1)), None)

    # -- what each link may ask

    def locators(self, peer: Peer) -> Sequence[amp.CommandLocator]:
        """Who answers the calls of a peer, as TLS and HELLO have proved it."""
        if peer.role is Role.NODE and peer.identifier is not None:
            node = peer.identifier
            return [
                ReplicationLocator(self.replication, node),
                ChordLocator(self.chord, node),
                NodeHeartbeatLocator(self.heartbeat, node),
                NodeMailboxLocator(self.mailbox, node),
                NodeAccountsLocator(self.accounts, node),
                *self.membership.for_node(node, peer.link),
                self._status,
            ]
        if peer.role is Role.OPERATOR:
            return self.operator
        link = peer.link
        return [
            *self.membership.for_agent(link),
            AgentMailboxLocator(self.mailbox, lambda: self.attached.user(link) or f"host {link.host}"),
            AgentHeartbeatLocator(self.heartbeat, link),
            AgentAccountsLocator(self.accounts, link.host, self._clients_addresses),
        ]

    def _clients_addresses(self) -> list[Address]:
        """Where agents can go instead of here, in an order of chance, so that they spread."""
        live = [node for node in self.chord.live() if node != self.me]
        chosen = self._chance.sample(live, min(MAX_ADDRESSES, len(live)))
        records = [self.chord.record(node) for node in chosen]
        return [record.clients_address for record in records if record is not None]

    def _greeting(self) -> Greeting:
        return Greeting(self.bulletins.number(Kind.PLAN), self.bulletins.number(Kind.EVICTIONS), self.record)

    def _record_of(self, node: Identifier) -> NodeRecord | None:
        return self.chord.record(node)

    def _account_standing(self, user: str) -> AccountStanding:
        return AccountStanding(*self.accounts.standing(user), self.mailbox.version(account_identifier(user)))

    async def _ask_clock(self, node: Identifier) -> float:
        return float((await self.call(node, AskClock))["now"]) / 1000
