"""Where the numbers of a node come from: its parts, and the table of names in metrics.py."""

from collections.abc import Callable

from twisted.web.server import Site

from p2pchat import __version__
from p2pchat.server.metrics import Metrics, Sources
from p2pchat.server.parts import Parts
from p2pchat.server.web import site
from p2pchat.wire.bulletins import Kind


def monitored(parts: Parts, monotonic: Callable[[], float]) -> Site:
    """The pages of a node.

    Args:
        monotonic: seconds of the clock that the node runs by.
    """
    chord = parts.chord
    sources = Sources(
        version=__version__,
        row=parts.rows.own,
        census=parts.census.count,
        why_not=parts.health.why_not,
        nodes=lambda: len(chord.live()),
        now=parts.clock.now,
        tally=parts.tally,
        gauges=_gauges(parts, monotonic),
        counters={
            "stabilizations": lambda: chord.upkeep.rounds,
            "stabilization_failures": lambda: chord.upkeep.failures,
            "lookups_failed": lambda: chord.lookups.failed,
            "takeovers": lambda: parts.accounts.takeovers,
            "heartbeats_missed": lambda: parts.heartbeat.owner.fell_silent,
        },
        histograms={
            "lookup_hops": chord.lookups.hops,
            "lookup_seconds": chord.lookups.seconds,
            "reactor_lag_seconds": parts.lag.seconds,
        },
    )
    return site(Metrics(sources).text, parts.health.why_not)


def _gauges(parts: Parts, monotonic: Callable[[], float]) -> dict[str, Callable[[], float]]:
    chord, started = parts.chord, monotonic()
    certificates = (parts.record.certificate, parts.record.issuer)

    def successors_age() -> float:
        confirmed = chord.upkeep.confirmed_at
        return monotonic() - (started if confirmed is None else confirmed) if len(chord.live()) > 1 else 0.0

    return {
        "links": lambda: len(parts.links.peers()),
        "agents": lambda: len(parts.attached),
        "successors_age_seconds": successors_age,
        "reactor_lag_last_seconds": lambda: parts.lag.last,
        "clock_ahead_seconds": lambda: -parts.clock.others,
        "disk_free_bytes": parts.health.free,
        "certificate_expires_timestamp_seconds": lambda: min(
            each.parsed.not_valid_after_utc.timestamp() for each in certificates
        ),
        "generation": lambda: parts.bulletins.number(Kind.PLAN),
    }
