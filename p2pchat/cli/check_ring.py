"""What the doctor looks at beyond this machine: certificates, the clock against the others', and the ring."""

import contextlib
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from twisted.internet.endpoints import HostnameEndpoint

from p2pchat.cli.finding import OK, WARNING, Finding, broken, doubtful, fine
from p2pchat.cli.ring_watch import Ask, every_node
from p2pchat.crypto.admission import ADMISSION_FILE, Admission
from p2pchat.crypto.certificates import Certificate
from p2pchat.crypto.evictions import Evictions
from p2pchat.discovery.announcement import Heard
from p2pchat.errors import Damaged, NotAdmitted, P2PChatError, RingUnknown
from p2pchat.identifiers import Address, name
from p2pchat.server import commands
from p2pchat.server.node import EVICTIONS_FILE
from p2pchat.wire.dialer import open_link
from p2pchat.wire.limits import LIMITS
from p2pchat.wire.tls import judge_member, visitor_tls

SOON_SECONDS = 30 * 86_400.0
OFF_SECONDS, FAR_OFF_SECONDS = 2.0, 300.0
FEW_NODES = 3
AWAY = "It does not answer as a node."

# -- certificates


def certificates(folder: Path, authority: Path | None, now: float) -> tuple[list[Finding], Admission | None]:
    """Whether this node is admitted, for how long, and to which ring."""
    path = folder / ADMISSION_FILE
    anew = f"admit this node anew: `p2pchat ring admit --authority DIR --data {folder}` in an empty folder"
    if not path.exists():
        if authority is not None:
            return [fine("certificate", f"none yet: {authority} admits this node at its first start")], None
        remedy = f"run `p2pchat ring admit --authority DIR --data {folder}`, or start with --authority DIR"
        return [
            doubtful("certificate", f"{folder} has no admission; without one a node makes a new ring", remedy)
        ], None
    try:
        admission = Admission.load(path, now)
    except (Damaged, NotAdmitted, OSError) as error:
        timed = _untimely(path, now)
        return [timed or broken("certificate", " ".join(str(error).split()), anew)], None
    findings = [_validity(admission, now)]
    with contextlib.suppress(OSError):
        evictions = (folder / EVICTIONS_FILE).read_bytes()
        if evictions and _evicted(admission, evictions, now):
            findings.append(broken("certificate", f"node {name(admission.identifier)} was evicted", anew))
    if authority is not None and _ring_of(authority) not in (None, admission.ring):
        text = f"this node is of ring {admission.ring[:4].hex()}, {authority} is of another ring"
        findings.append(broken("certificate", text, "correct --authority, or --data"))
    return findings, admission


def _untimely(path: Path, now: float) -> Finding | None:
    """Whether only the time is wrong: then the certificates themselves say how."""
    for each in _chain(path):
        begin, end = (
            moment.timestamp() for moment in (each.parsed.not_valid_before_utc, each.parsed.not_valid_after_utc)
        )
        if now > end:
            return broken("certificate", f"a certificate ended on {_day(end)}", "renew it: admit this node anew")
        if now < begin:
            text = f"a certificate begins on {_day(begin)}, and here it is {_day(now)}"
            return broken("certificate", text, "set this machine's clock (NTP)")
    return None


def _chain(path: Path) -> list[Certificate]:
    """The certificates of an admission file, unverified; none where it cannot be read."""
    try:
        blocks = path.read_text("ascii").split("-----BEGIN CERTIFICATE-----")[1:]
        return [Certificate.from_pem(f"-----BEGIN CERTIFICATE-----{block}") for block in blocks]
    except (OSError, ValueError, P2PChatError):
        return []


def _validity(admission: Admission, now: float) -> Finding:
    chain = (admission.certificate, admission.issuer, admission.root)
    end = min(each.parsed.not_valid_after_utc.timestamp() for each in chain)
    text = f"node {name(admission.identifier)} of ring {admission.ring[:4].hex()}, until {_day(end)}"
    if end - now < SOON_SECONDS:
        return doubtful("certificate", text, "it ends soon: admit a new node in an empty folder, then drain this one")
    return fine("certificate", text)


def _evicted(admission: Admission, encoded: bytes, now: float) -> bool:
    try:
        evictions = Evictions.parse(encoded, admission.root, now)
    except P2PChatError:
        return False
    return evictions.evicts(admission.certificate) or evictions.evicts(admission.issuer)


def _ring_of(authority: Path) -> bytes | None:
    try:
        return Certificate.from_pem((authority / "root.pem").read_text("ascii", "replace")).ring
    except (OSError, P2PChatError):
        return None


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


# -- clock


def clock(ahead: float | None, compared: int) -> Finding:
    """What it means that this clock is so many seconds ahead of the median of so many others; None: nobody compared."""
    if ahead is None or not compared:
        text = "not compared: no node of the ring says what time it is there"
        return doubtful("clock", text, "start the node and ask again, or compare with `chronyc tracking`")
    text = f"{abs(ahead):.1f} s {'ahead of' if ahead > 0 else 'behind'} the median of {compared} other nodes"
    if abs(ahead) > FAR_OFF_SECONDS:
        return broken("clock", text, "set the clock (NTP): this node takes part in no expiry until then")
    if abs(ahead) > OFF_SECONDS:
        return doubtful("clock", text, "let NTP keep the clock")
    return fine("clock", text)


# -- ring


async def running(ask: Ask) -> list[Finding]:
    """The ring and the clock, as the node that runs here sees them."""
    health = await ask(commands.AskHealth)
    rows = await every_node(ask)
    findings = [clock(health["ahead"] / 1000, health["compared"])]
    if health["why"]:
        findings.append(
            broken("ring", f"this node is not ready: {health['why']}", "see its log, and docs/operations.md")
        )
    else:
        findings.append(fine("ring", "this node is ready"))
    return [*findings, *judged_rows(rows)]


def judged_rows(rows: Sequence[dict[str, Any]]) -> list[Finding]:
    """What the rows of `ring status` mean."""
    ready = [row for row in rows if row["state"] == "ready"]
    away = [f"{row['node']} ({row['state']})" for row in rows if row["state"] in ("dead", "suspected")]
    missing = sum(row["deficit"] for row in rows)
    findings = [fine("ring", f"{len(ready)} nodes are ready")]
    if len(ready) < FEW_NODES:
        text = f"{len(ready)} nodes are ready: a lost disk loses accounts and mail"
        findings = [doubtful("ring", text, "start more nodes: three tolerate one loss, five two")]
    if away:
        remedy = "start them; whoever is lost for good is evicted: `p2pchat ring evict --authority DIR NODE`"
        findings.append(doubtful("ring", f"not there: {', '.join(away)}", remedy))
    if slow := sorted({node for row in rows for node in row.get("passed_over", ())}):
        remedy = "look at their logs, their disks and the network to them; they are tried again in ten minutes at most"
        findings.append(doubtful("ring", f"they make no progress with copies: {', '.join(slow)}", remedy))
    if missing:
        remedy = "wait until `ring status` says 0; if it does not fall, start the nodes that are away"
        findings.append(doubtful("ring", f"{missing} copies are missing", remedy))
    return findings


async def reachable(
    reactor: Any, addresses: Sequence[Address], heard: Sequence[Heard], ring: bytes | None, founder: bool = False
) -> list[Finding]:
    """Whether nodes of our ring answer at these addresses, and where multicast found some.

    A node that is away is no trouble while another one answers, and none at all for the `founder`, which needs nobody.
    """
    wanted = dict.fromkeys(addresses)
    wanted |= dict.fromkeys(each.ring_address for each in heard if ring in (None, each.ring))
    others = sorted({each.ring[:4].hex() for each in heard if ring not in (None, each.ring)})
    visits = [await _visited(reactor, address, ring) for address in wanted]
    enough = founder or any(each.state == OK for each in visits)
    findings = [replace(each, state=WARNING) if enough and each.text.endswith(AWAY) else each for each in visits]
    if others:
        text = f"nodes of other rings answer here as well: {', '.join(others)}"
        findings.append(doubtful("ring", text, "give new agents --ring-certificate, so that they take the right one"))
    if not wanted and not founder:
        remedy = "start another node, or name one with --join; the first node of a ring needs none"
        findings.append(doubtful("ring", "no other node of this ring is known", remedy))
    return findings


async def _visited(reactor: Any, address: Address, ring: bytes | None) -> Finding:
    """Do TLS with whoever is there, and hang up before anything is said."""
    try:
        link = await open_link(HostnameEndpoint(reactor, address.host, address.port), visitor_tls(), reactor, LIMITS)
        try:
            member = judge_member(link.chain, ring, time.time(), lambda _: False)
        finally:
            link.close()
    except RingUnknown as error:
        return broken("ring", f"{address}: {error}", "correct the address, or --data")
    except P2PChatError as error:
        remedy = "start the node there, and let TCP through the firewalls between here and there"
        return broken("ring", f"{address}: {error} {AWAY}", remedy)
    return fine("ring", f"{address} answers: node {name(member.certificate.identifier)}")
