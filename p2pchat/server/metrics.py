"""Numbers of one node for monitoring, gathered when somebody asks: every name, what it counts, and in which unit."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.registry import Collector

from p2pchat.counting import Histogram
from p2pchat.server.census import Counted
from p2pchat.server.status import NodeRow
from p2pchat.wire.tally import DONE, Tally

ROW = {
    "users": "accounts that this node owns",
    "backups": "accounts that this node keeps for other owners",
    "sessions": "sessions of accounts that this node owns",
    "slots": "slots that this node is a member of",
    "members_least": "members of the smallest configuration that this node belongs to",
    "members_wanted": "members that a configuration should have",
    "deficit": "copies missing against the wanted number, in records",
}
GAUGES = {
    "links": "open connections with nodes and operators",
    "agents": "agents that are attached here",
    "successors_age_seconds": "since a successor last said who stands around it",
    "reactor_lag_last_seconds": "how late the reactor was when it was last measured",
    "clock_ahead_seconds": "by how much this machine's clock is ahead of the other nodes' median",
    "disk_free_bytes": "left on the disk of the data folder",
    "certificate_expires_timestamp_seconds": "when the first certificate of this node's chain ends, since 1970",
    "generation": "of the ring: how often it went on after majorities were lost",
}
COUNTERS = {
    "stabilizations": "rounds of stabilization",
    "stabilization_failures": "neighbours that did not answer in one",
    "lookups_failed": "lookups that found no owner",
    "takeovers": "sessions that a login elsewhere ended, through this gateway",
    "heartbeats_missed": "agents that fell silent without a goodbye, of accounts that this node owns",
}
HISTOGRAMS = {
    "lookup_hops": "nodes that a lookup asked",
    "lookup_seconds": "time that a lookup took",
    "reactor_lag_seconds": "how late the reactor was, measured twice a second",
}
FENCED = ("session_replaced", "stale_key")
REGISTRATIONS = {DONE: "won", "exists": "lost"}
REPAIR = ("Pull", "Copy", "CompareSlots")
"""Commands by which records move between nodes outside of writes."""


Key = TypeVar("Key", bound=tuple[str, ...])
"""Values of labels."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where numbers come from; the names are those of the tables above.

    Attributes:
        row: of this node, as in `ring status`.
        census: what the database holds.
        why_not: why the node is not ready, or nothing.
        nodes: how many nodes it believes alive.
        now: seconds since 1970.
    """

    version: str
    row: Callable[[], Awaitable[NodeRow]]
    census: Callable[[], Awaitable[Counted]]
    why_not: Callable[[], Awaitable[str]]
    nodes: Callable[[], int]
    now: Callable[[], float]
    tally: Tally
    gauges: Mapping[str, Callable[[], float]]
    counters: Mapping[str, Callable[[], int]]
    histograms: Mapping[str, Histogram]


class Metrics:
    """This node's page of numbers."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    async def text(self) -> bytes:
        """All numbers in the OpenMetrics format."""
        found = [
            *_row(await self._sources.row(), bool(await self._sources.why_not()), self._sources.nodes()),
            *_census(await self._sources.census(), self._sources.now()),
            *_own(self._sources),
            *_calls(self._sources.tally),
        ]
        registry = CollectorRegistry()
        registry.register(_Found(found))
        text: bytes = generate_latest(registry)
        return text


class _Found(Collector):
    """Numbers that were gathered before."""

    def __init__(self, found: list[Metric]) -> None:
        self._found = found

    def collect(self) -> Iterable[Metric]:
        return self._found


def gauge(name: str, text: str, value: float) -> Metric:
    """One number that goes up and down."""
    return GaugeMetricFamily(f"p2pchat_{name}", text, value)


def labelled(kind: type[Metric], name: str, text: str, labels: str, values: Mapping[Key, float]) -> Metric:
    """Numbers by labels, whose names are separated by spaces."""
    family = kind(f"p2pchat_{name}", text, labels=labels.split())  # type: ignore[call-arg]
    for key in sorted(values):
        family.add_metric(key, values[key])  # type: ignore[attr-defined]
    return family


def _row(row: NodeRow, hindered: bool, nodes: int) -> Iterator[Metric]:
    for name, text in ROW.items():
        yield gauge(name, text, getattr(row, name))
    yield gauge(
        "passed_over", "nodes that get no slots from here: they made no progress with copies", len(row.passed_over)
    )
    yield gauge("ready", "1 while this node does its work, as /readyz says", not hindered)
    yield gauge("nodes", "nodes of the ring that this one believes alive, itself included", nodes)


def _census(counted: Counted, now: float) -> Iterator[Metric]:
    by = "by role (owner or replica)"
    yield labelled(GaugeMetricFamily, "records", f"registers {by} and kind", "role kind", counted.records)
    yield labelled(GaugeMetricFamily, "envelopes", f"mail {by} and state", "role state", counted.envelopes)
    held = {(role,): size for role, size in counted.bytes.items()}
    yield labelled(GaugeMetricFamily, "held_bytes", f"records and mail {by}", "role", held)
    yield gauge("mailbox_deepest", "envelopes in the fullest mailbox that this node keeps", counted.deepest)
    age = 0.0 if counted.oldest is None else max(0.0, now - counted.oldest)
    yield gauge("mailbox_oldest_seconds", "age of the oldest envelope that nobody has fetched", age)


def _own(sources: Sources) -> Iterator[Metric]:
    yield InfoMetricFamily("p2pchat_build", "the program", {"version": sources.version})
    for name, text in GAUGES.items():
        yield gauge(name, text, sources.gauges[name]())
    for name, text in COUNTERS.items():
        yield CounterMetricFamily(f"p2pchat_{name}", text, sources.counters[name]())
    for name, text in HISTOGRAMS.items():
        kept = sources.histograms[name]
        yield HistogramMetricFamily(f"p2pchat_{name}", text, kept.cumulative(), kept.total)


def _calls(tally: Tally) -> Iterator[Metric]:
    """Calls themselves, and what they say about registrations, passwords, fences and repair."""
    calls = {("in", *key): float(count) for key, count in tally.served.items()}
    calls |= {("out", *key): float(count) for key, count in tally.asked.items()}
    yield labelled(CounterMetricFamily, "calls", "calls of and to this node", "direction command outcome", calls)
    family = HistogramMetricFamily("p2pchat_call_seconds", "time that an answer took", labels=["command"])
    for command, kept in sorted(tally.seconds.items()):
        family.add_metric([command], kept.cumulative(), kept.total)
    yield family
    served = tally.served
    registrations = {(name,): 0.0 for name in ("won", "lost", "refused")}
    for (command, outcome), count in served.items():
        if command == "Register":
            registrations[(REGISTRATIONS.get(outcome, "refused"),)] += count
    text = "registrations at this node: won, lost to an earlier one, or refused"
    yield labelled(CounterMetricFamily, "registrations", text, "outcome", registrations)
    wrong = sum(count for (_, outcome), count in served.items() if outcome == "wrong_credentials")
    yield CounterMetricFamily("p2pchat_authentication_failures", "wrong passwords and recovery keys", wrong)
    fenced = sum(count for (_, outcome), count in served.items() if outcome in FENCED)
    yield CounterMetricFamily("p2pchat_fenced", "requests of replaced sessions or for old mail keys, refused", fenced)
    moved = {
        ("in",): float(sum(tally.received[each] for each in REPAIR)),
        ("out",): float(sum(tally.sent[each] for each in REPAIR)),
    }
    yield labelled(CounterMetricFamily, "repair_bytes", "records moved outside of writes", "direction", moved)
