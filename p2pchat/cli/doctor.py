"""doctor: looks at ports, multicast, certificates, clock, disk and ring, and says of each what to do."""

import argparse
import time
from dataclasses import asdict
from typing import Any

from p2pchat.cli import check_host, check_ring, running
from p2pchat.cli.finding import FAILED, OK, Finding, broken, fine
from p2pchat.cli.places import home_of, is_held, node_folder
from p2pchat.cli.ring_watch import Ask, Asked
from p2pchat.cli.show import json_line
from p2pchat.client.home import LOCK
from p2pchat.crypto.admission import Admission
from p2pchat.crypto.certificates import Certificate
from p2pchat.discovery.announcement import Heard
from p2pchat.discovery.interfaces import local_addresses
from p2pchat.errors import P2PChatError
from p2pchat.identifiers import Address
from p2pchat.server.commands import AskStatus
from p2pchat.server.folder import LOCK as NODE_LOCK

LISTENING = ("ring", "clients", "metrics")


def doctor(options: argparse.Namespace) -> int:
    """Print a line for each check; 1 if something does not work."""
    findings = client(options) if options.program == "client" else server(options)
    for each in findings:
        if options.json:
            json_line(asdict(each))
        else:
            print(f"{each.state:<8} {each.check:<12} {each.text}")
            if each.state != OK:
                print(f"{'':<21} → {each.remedy}")
    return 1 if any(each.state == FAILED for each in findings) else 0


def server(options: argparse.Namespace) -> list[Finding]:
    """Everything about a node, whether it runs or not."""
    folder = node_folder(options)
    runs = is_held(folder / NODE_LOCK)
    certificates, admission = check_ring.certificates(folder, options.authority, time.time())
    findings = [*certificates, *check_host.disk(folder), *check_host.database(folder)]
    found, heard = multicast(options)
    findings += found
    if runs:
        return [*findings, *running.run(lambda reactor: of_running(reactor, options))]
    findings += [check_host.port(each, value, False) for each in LISTENING if (value := getattr(options, each))]
    findings.append(check_ring.clock(None, 0))
    own = {options.ring, Address(options.advertise or options.ring.host, options.ring.port)}
    return [*findings, *reached([each for each in options.join if each not in own], heard, admission)]


def client(options: argparse.Namespace) -> list[Finding]:
    """Everything about an agent."""
    home = home_of(options)
    runs = is_held(home / LOCK)
    findings = check_host.disk(home)
    ring: bytes | None = None
    for path in (options.ring_certificate, home / "ring.pem"):
        if path is not None and path.exists():
            try:
                ring = Certificate.from_pem(path.read_text("ascii", "replace")).ring
                findings.append(fine("certificate", f"{path} is of ring {ring[:4].hex()}"))
                break
            except P2PChatError as error:
                findings.append(broken("certificate", f"{path}: {error}", "restore it, or use another --home"))
    found, heard = multicast(options)
    findings += found
    if options.listen is not None and not runs:
        findings.append(check_host.port("listen", options.listen, False))
    return [*findings, *running.run(lambda reactor: check_ring.reachable(reactor, options.server, heard, ring))]


def multicast(options: argparse.Namespace) -> tuple[list[Finding], list[Heard]]:
    """On the interfaces that the options name, or all."""
    if options.no_multicast:
        return [fine("multicast", "switched off")], []
    return check_host.multicast(options.multicast, options.interface or local_addresses())


def reached(addresses: list[Address], heard: list[Heard], admission: Admission | None) -> list[Finding]:
    """Other nodes, as a node would find them that does not run yet."""
    ring = None if admission is None else admission.ring
    founder = admission is not None and admission.is_founder
    return running.run(lambda reactor: check_ring.reachable(reactor, addresses, heard, ring, founder))


async def of_running(reactor: Any, options: argparse.Namespace) -> list[Finding]:
    """Ports, clock and ring of the node that runs, as it says itself."""
    options.node = None
    node = Asked(reactor, options)
    try:
        return [*await ports(node, options), *await check_ring.running(node)]
    except P2PChatError as error:
        text = f"the node runs and does not answer: {error}"
        return [broken("ring", text, "see its log; if it hangs, end it and start it again")]
    finally:
        node.close()


async def ports(ask: Ask, options: argparse.Namespace) -> list[Finding]:
    """Where the running node says that it listens."""
    row = await ask(AskStatus)
    found = [
        check_host.port(each, Address.parse(row[key]), True)
        for each, key in (("ring", "address"), ("clients", "clients"))
    ]
    if options.metrics is not None:
        found.append(check_host.port("metrics", options.metrics, True))
    return found
