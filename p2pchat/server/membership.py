"""Who belongs to the ring: evictions, and nodes that leave for good, as one node has them."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from twisted.protocols import amp

from p2pchat.chord.service import ChordService
from p2pchat.identifiers import Identifier
from p2pchat.replication.service import ReplicationService
from p2pchat.server.eviction import Evicting
from p2pchat.server.leaving import Departure, DrainedLocator, DrainLocator
from p2pchat.server.operations import OperationsLocator, SurvivorLocator
from p2pchat.server.place import Place
from p2pchat.server.plan import PlanKeeper
from p2pchat.server.restoring import RestoreLocator, Restoring
from p2pchat.server.survey import Survey, Survivor, order_reader
from p2pchat.wire.bulletins import BulletinLocator, Bulletins, Kind
from p2pchat.wire.connection import Call, Link
from p2pchat.wire.dialer import dial_node
from p2pchat.wire.hello import Greeting, Standing
from p2pchat.wire.links import Links
from p2pchat.wire.tls import visitor_tls


class Membership:
    """Composes what changes who belongs to the ring.

    Attributes:
        operator: answers operators, here and over the network.
        admin: answers only whoever owns the data folder.
    """

    def __init__(
        self,
        place: Place,
        bulletins: Bulletins,
        standing: Standing,
        links: Links,
        chord: ChordService,
        replication: ReplicationService,
        call: Call,
    ) -> None:
        admission, reach = place.admission, place.reach
        visitor = replace(standing, tls=visitor_tls(), greeting=Greeting, locators=lambda _: ())
        self._bulletins, self._drained = bulletins, place.drained
        self._agents: set[Link] = set()
        self.evicting = Evicting(
            (admission.certificate, admission.issuer),
            place.evictions,
            bulletins,
            links,
            lambda: list(self._agents),
            chord,
            lambda address: dial_node(reach(address), visitor),
            place.clock,
            place.chance,
            place.failed,
        )
        links.met.append(place.drained.met)
        self.departure = Departure(chord, replication, call, place.clock, place.end)
        self._build_generations(place, chord, replication, call, lambda: len(links.nodes()))
        self.admin = [DrainLocator(self.departure), RestoreLocator(Restoring(replication, admission.ring))]

    def _build_generations(
        self, place: Place, chord: ChordService, replication: ReplicationService, call: Call, nodes: Callable[[], int]
    ) -> None:
        """What helps a ring that lost majorities."""
        admission, bulletins, evicts = place.admission, self._bulletins, place.evictions.evicts
        slots, replicas = admission.description.slots, admission.description.replicas
        plan = PlanKeeper(admission.root, place.now, evicts, slots, replication.succession, place.keep_plan)
        plan.load(place.plan)
        bulletins.keep(Kind.PLAN, plan)
        order = order_reader(admission.root, place.now, evicts)
        survivor = Survivor(chord, place.drained, bulletins, replication.succession, order)
        survey = Survey(chord, call, survivor, bulletins, slots, replicas)
        self._survivor = SurvivorLocator(survivor)
        self.operator = [OperationsLocator(admission.ring, bulletins, survey, nodes)]

    def for_node(self, node: Identifier, link: Link) -> Sequence[amp.CommandLocator]:
        """What another node may ask about this."""
        return [BulletinLocator(self._bulletins, link), DrainedLocator(self._drained, node), self._survivor]

    def for_agent(self, link: Link) -> Sequence[amp.CommandLocator]:
        """What an agent may ask about this; it is told of news from now on."""
        self._agents.add(link)
        link.when_lost(self._agents.discard)
        return [BulletinLocator(self._bulletins, link)]
