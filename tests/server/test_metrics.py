"""Numbers of a node in the OpenMetrics form, and what probes see."""

from pathlib import Path
from typing import Any

from prometheus_client.openmetrics.parser import text_string_to_metric_families
from twisted.internet.defer import Deferred
from twisted.protocols import amp
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.test.requesthelper import DummyRequest

from p2pchat.counting import HOPS, SECONDS, Histogram
from p2pchat.errors import TryElsewhere
from p2pchat.identifiers import Identifier, to_bytes
from p2pchat.replication.configuration import Configuration, SlotRecord, State
from p2pchat.replication.register import Ballot, Register, Versioned
from p2pchat.replication.slots import KIND_ACCOUNT, KIND_SESSION, RegisterKey, slot_of
from p2pchat.replication.storage import SqliteStore
from p2pchat.replication.store import Store
from p2pchat.replication.uset import ItemState, StoredItem
from p2pchat.server.census import Census, Counted
from p2pchat.server.metrics import COUNTERS, GAUGES, HISTOGRAMS, Metrics, Sources
from p2pchat.server.status import NodeRow
from p2pchat.server.web import site
from p2pchat.wire.tally import Tally, size

ME, OTHER = Identifier(7), Identifier(9)


async def at_once(function: Any, *arguments: Any) -> Any:
    """A thread that is none."""
    return function(*arguments)


class MetricsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.why, self.failing, self.tally = "", False, Tally()
        self.failure: Exception = TryElsewhere("This node is stopping.")
        self.histograms = {name: Histogram(HOPS if name == "lookup_hops" else SECONDS) for name in HISTOGRAMS}
        sources = Sources(
            "1.2.3",
            self.row,
            self.census,
            self.why_not,
            lambda: 3,
            lambda: 1_000.0,
            self.tally,
            {name: lambda: 7.0 for name in GAUGES},
            {name: lambda: 11 for name in COUNTERS},
            self.histograms,
        )
        self.site = site(Metrics(sources).text, self.why_not)

    async def row(self) -> NodeRow:
        if self.failing:
            raise self.failure
        return NodeRow(Identifier(1), "192.0.2.1:7401", "192.0.2.1:7402", "ready", users=5, deficit=2)

    async def census(self) -> Counted:
        return Counted({("owner", "account"): 5}, {("replica", "present"): 4}, {"owner": 900, "replica": 80}, 3, 940)

    async def why_not(self) -> str:
        return self.why

    def get(self, path: bytes) -> tuple[int, str]:
        request = DummyRequest([path])
        page = self.site.resource.children[path]
        done = request.notifyFinish()
        page.render(request)
        self.successResultOf(done)
        return request.responseCode or 200, b"".join(request.written).decode()

    def numbers(self) -> dict[str, float]:
        """Every sample, by its name with labels, as a reader of the format finds it."""
        status, text = self.get(b"metrics")
        self.assertEqual(status, 200)
        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
        return {
            sample.name + "".join(f" {name}={value}" for name, value in sorted(sample.labels.items())): sample.value
            for sample in samples
        }

    def test_numbers_of_row_census_and_others_are_there(self) -> None:
        numbers = self.numbers()
        expected = {
            "p2pchat_users": 5.0,
            "p2pchat_deficit": 2.0,
            "p2pchat_ready": 1.0,
            "p2pchat_nodes": 3.0,
            "p2pchat_links": 7.0,
            "p2pchat_takeovers_total": 11.0,
            "p2pchat_records kind=account role=owner": 5.0,
            "p2pchat_envelopes role=replica state=present": 4.0,
            "p2pchat_held_bytes role=replica": 80.0,
            "p2pchat_mailbox_deepest": 3.0,
            "p2pchat_mailbox_oldest_seconds": 60.0,
            "p2pchat_build_info version=1.2.3": 1.0,
        }
        self.assertEqual({name: numbers.get(name) for name in expected}, expected)

    def test_what_an_operator_wants_to_know_has_a_number(self) -> None:
        named = {name.partition(" ")[0] for name in self.numbers()}
        wanted = (
            "nodes successors_age_seconds stabilizations_total stabilization_failures_total lookup_hops_bucket"
            " lookup_seconds_bucket records held_bytes repair_bytes_total mailbox_deepest mailbox_oldest_seconds"
            " deficit envelopes takeovers_total fenced_total registrations_total authentication_failures_total"
            " heartbeats_missed_total links reactor_lag_seconds_bucket disk_free_bytes clock_ahead_seconds"
            " certificate_expires_timestamp_seconds"
        )
        self.assertEqual([each for each in wanted.split() if f"p2pchat_{each}" not in named], [])

    def test_lookups_fall_into_buckets(self) -> None:
        for hops in (0, 1, 1, 5, 40):
            self.histograms["lookup_hops"].observe(hops)
        numbers = self.numbers()
        found = [numbers[f"p2pchat_lookup_hops_bucket le={bound}"] for bound in ("0.0", "1.0", "4.0", "6.0", "+Inf")]
        self.assertEqual(found, [1.0, 3.0, 3.0, 4.0, 5.0])
        self.assertEqual(numbers["p2pchat_lookup_hops_sum"], 47.0)

    def test_calls_tell_of_registrations_passwords_fences_and_repair(self) -> None:
        for outcome in ("ok", "exists", "slowed_down"):
            self.tally.answered(b"Register", outcome, 0, 0.2)
        self.tally.answered(b"Unlock", "wrong_credentials", 0, 0.3)
        self.tally.answered(b"Fetch", "session_replaced", 0, 0.01)
        box = amp.AmpBox({b"reply": b"12345"})
        self.tally.answered(b"Copy", "ok", size(box), 0.01)
        self.tally.heard(b"Pull", box)
        numbers = self.numbers()
        expected = {
            "p2pchat_registrations_total outcome=won": 1.0,
            "p2pchat_registrations_total outcome=lost": 1.0,
            "p2pchat_registrations_total outcome=refused": 1.0,
            "p2pchat_authentication_failures_total": 1.0,
            "p2pchat_fenced_total": 1.0,
            "p2pchat_repair_bytes_total direction=out": 14.0,
            "p2pchat_repair_bytes_total direction=in": 14.0,
            "p2pchat_calls_total command=Register direction=in outcome=exists": 1.0,
            "p2pchat_calls_total command=Pull direction=out outcome=ok": 1.0,
            "p2pchat_call_seconds_bucket command=Register le=0.25": 3.0,
        }
        self.assertEqual({name: numbers.get(name) for name in expected}, expected)

    def test_invented_commands_cost_nothing(self) -> None:
        for number in range(1_000):
            self.tally.answered(b"Nonsense%d" % number, "ok", 0, 0.0)
        self.assertLessEqual(len(self.tally.seconds), 201)
        self.assertGreater(self.tally.served["other", "ok"], 700)

    def test_invented_error_codes_cost_nothing(self) -> None:
        self.tally.heard(b"Pull", Failure(amp.RemoteAmpError(b"BUSY", "")))
        for number in range(1_000):
            self.tally.heard(b"Pull", Failure(amp.RemoteAmpError(b"NONSENSE%d" % number, "")))
            self.tally.heard(b"Pull", Failure(amp.RemoteAmpError(b"N" * 60_000, "")))
        self.assertEqual(self.tally.asked["Pull", "busy"], 1)
        self.assertLessEqual(len(self.tally.asked), 66)
        self.assertLess(max(len(how) for _, how in self.tally.asked), 100)
        self.assertGreater(self.tally.asked["Pull", "other"], 1_900)

    def test_probes(self) -> None:
        self.assertEqual(self.get(b"livez")[0], 200)
        self.assertEqual(self.get(b"readyz")[0], 200)
        self.why = "draining: it hands over what it has"
        self.assertEqual(self.get(b"readyz"), (503, "not ready: draining: it hands over what it has\n"))
        self.assertEqual(self.get(b"livez")[0], 200)
        self.assertEqual(self.numbers()["p2pchat_ready"], 0.0)

    def test_a_node_that_cannot_count_says_so(self) -> None:
        self.failing = True
        status, text = self.get(b"metrics")
        self.assertEqual((status, text), (503, "This node is stopping.\n"))

    def test_what_nobody_foresaw_is_answered_as_well(self) -> None:
        self.failing, self.failure = True, OSError("gone")
        status, text = self.get(b"metrics")
        self.assertEqual(status, 500)
        self.assertNotIn("gone", text)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)


class CensusTests(SynchronousTestCase):
    """Counts of a real database."""

    def test_records_and_mail_are_counted_by_role(self) -> None:
        path = Path(self.mktemp()).absolute()
        store = SqliteStore(path, ME, create=True, slots=2)
        self.addCleanup(store.close)
        near, far = Identifier(5), Identifier((1 << 255) + 5)
        owners = {slot_of(near, 2): ME, slot_of(far, 2): OTHER}
        self.assertEqual(len(owners), 2)

        def fill(into: Store) -> None:
            for slot in owners:
                into.put_slot(SlotRecord(slot, Configuration(1, (ME, OTHER)), State.ACTIVE))
            into.put_owners(owners)
            ballot = Ballot(1, 1, ME)
            for key in (
                RegisterKey(near, KIND_ACCOUNT),
                RegisterKey(near, KIND_SESSION),
                RegisterKey(far, KIND_ACCOUNT),
            ):
                into.put_register(key, Register(ballot, ballot, Versioned(1, (), b"value")))
            for number, state in ((1, ItemState.PRESENT), (2, ItemState.PRESENT), (3, ItemState.ACKNOWLEDGED)):
                payload = b"mail" if state is ItemState.PRESENT else b""
                into.put_item(far, StoredItem(to_bytes(Identifier(number)), state, 100 + number, payload, b""))

        store.commit([fill])
        counted = self.successResultOf(Deferred.fromCoroutine(Census(path, ME, at_once).count()))
        self.assertEqual(counted.records["owner", "account"], 1)
        self.assertEqual(counted.records["owner", "session"], 1)
        self.assertEqual(counted.records["replica", "account"], 1)
        self.assertEqual(counted.envelopes["replica", "present"], 2)
        self.assertEqual(counted.envelopes["replica", "acknowledged"], 1)
        self.assertEqual((counted.envelopes["owner", "present"], counted.deepest, counted.oldest), (0, 2, 101))
        self.assertGreater(counted.bytes["replica"], 8)

    def test_a_file_that_is_gone_is_told(self) -> None:
        census = Census(Path(self.mktemp()).absolute(), ME, at_once)
        self.failureResultOf(Deferred.fromCoroutine(census.count()), TryElsewhere)
