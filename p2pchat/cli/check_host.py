"""What the doctor looks at on this machine: ports, multicast, and the disk with its database."""

import contextlib
import errno
import os
import select
import shutil
import socket
import sqlite3
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

from p2pchat.cli.finding import Finding, broken, doubtful, fine
from p2pchat.discovery.announcement import NONCE_BYTES, Announcement, Heard, Query, decode, encode
from p2pchat.errors import Misbehaved
from p2pchat.identifiers import Address
from p2pchat.replication.schema import VERSION

CONNECT_SECONDS = 3.0
LISTEN_SECONDS = 2.0
"""For answers to a query by multicast."""
LEAST_FREE_BYTES, LITTLE_FREE_BYTES = 64 << 20, 1 << 30
SYNCS = 9
SYNC_BYTES = 4096
SLOW_SYNC_SECONDS, BAD_SYNC_SECONDS = 0.05, 1.0


# -- ports


def port(what: str, address: Address, running: bool) -> Finding:
    """Whether a port can be had, or, where the program runs, is answered."""
    if running:
        return _answered(what, address)
    try:
        family, kind, _, _, where = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(where)
            probe.listen(1)
    except OSError as error:
        remedies = {
            errno.EADDRINUSE: f"stop the program that has it (`ss -ltnp`), or choose another with --{what}",
            errno.EADDRNOTAVAIL: f"no interface of this machine has this address; correct --{what}",
            errno.EACCES: f"ports below 1024 need rights; choose one above with --{what}",
        }
        remedy = remedies.get(error.errno or 0, f"correct --{what}")
        return broken("port", f"{what} {address} cannot be had: {error.strerror or error}", remedy)
    return fine("port", f"{what} {address} can be had")


def _answered(what: str, address: Address) -> Finding:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address.host, address.host)
    try:
        socket.create_connection((host, address.port), CONNECT_SECONDS).close()
    except OSError as error:
        text = f"{what} {address} is not answered, though the program runs: {error.strerror or error}"
        return broken("port", text, f"open the port in the firewall, or correct --{what} or --advertise and restart")
    return fine("port", f"{what} {address} is answered")


# -- multicast


def multicast(
    group: Address, interfaces: Sequence[str], seconds: float = LISTEN_SECONDS
) -> tuple[list[Finding], list[Heard]]:
    """Whether this machine hears what it sends to the group, on each interface, and which nodes answer."""
    findings, nodes = [], set[Heard]()
    for address in interfaces:
        try:
            heard, answers = _asked(group, address, seconds)
        except OSError as error:
            text = f"{address} does no multicast: {error.strerror or error}"
            findings.append(doubtful("multicast", text, "enable it there, or choose another with --interface"))
            continue
        nodes |= answers
        if heard:
            findings.append(fine("multicast", f"{address} sends to and hears {group}"))
        else:
            remedy = "let UDP through the firewall, choose another --interface, or use --no-multicast and --join"
            findings.append(broken("multicast", f"{address} does not hear what it sends to {group}", remedy))
    if not findings:
        remedy = "bring a network up, or use --no-multicast and --join"
        findings.append(broken("multicast", "no interface has an IPv4 address", remedy))
    return findings, sorted(nodes)


def _asked(group: Address, interface: str, seconds: float) -> tuple[bool, set[Heard]]:
    """Ask the group from one interface: whether we heard ourselves, and who answered."""
    nonce = os.urandom(NONCE_BYTES)
    question, nodes, heard = encode(Query(nonce)), set[Heard](), False
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mouth,
    ):
        for each in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
            ear.setsockopt(socket.SOL_SOCKET, each, 1)
        ear.bind((group.host, group.port))
        here = socket.inet_aton(interface)
        ear.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group.host) + here)
        mouth.bind((interface, 0))
        mouth.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, here)
        mouth.sendto(question, (group.host, group.port))
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            for ready in select.select([ear, mouth], [], [], left)[0]:
                received, sender = ready.recvfrom(65_536)
                heard = heard or (ready is ear and received == question)
                with contextlib.suppress(Misbehaved):
                    meaning = decode(received)
                    if isinstance(meaning, Announcement):
                        nodes.add(meaning.node.seen_from(sender[0]))
    return heard, nodes


# -- disk


def disk(folder: Path, least: int = LEAST_FREE_BYTES, little: int = LITTLE_FREE_BYTES) -> list[Finding]:
    """Room, rights, and how long a durable write takes."""
    if not folder.is_dir():
        return [fine("disk", f"{folder} does not exist: it is made at the first start")]
    findings = [_room(folder, least, little), _sync(folder)]
    if folder.stat().st_mode & 0o077:
        text = f"others can read {folder}, which holds keys"
        findings.append(doubtful("disk", text, f"chmod 700 {folder}"))
    return findings


def _room(folder: Path, least: int, little: int) -> Finding:
    free = shutil.disk_usage(folder).free
    text = f"{free >> 20} MiB are left for {folder}"
    if free < least:
        return broken("disk", text, "make room, or move the folder to a larger disk while the node is stopped")
    if free < little:
        return doubtful("disk", text, "make room soon: a node on a full disk takes no mail")
    return fine("disk", text)


def _sync(folder: Path) -> Finding:
    """The median time of a durable write: each promise of a node waits for one."""
    probe, taken = folder / f".doctor.{os.getpid()}", []
    try:
        descriptor = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            for _ in range(SYNCS):
                began = time.perf_counter()
                os.pwrite(descriptor, os.urandom(SYNC_BYTES), 0)
                os.fsync(descriptor)
                taken.append(time.perf_counter() - began)
        finally:
            os.close(descriptor)
            probe.unlink()
    except OSError as error:
        remedy = "make room" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "give this user the right to write"
        return broken("disk", f"{folder} takes no writes: {error.strerror}", remedy)
    return judged_sync(statistics.median(taken))


def judged_sync(seconds: float) -> Finding:
    """What a median time of a durable write means."""
    text = f"a durable write takes {seconds * 1000:.1f} ms"
    if seconds >= BAD_SYNC_SECONDS:
        return broken("disk", text, "use another disk: calls between nodes time out after 5 s")
    if seconds >= SLOW_SYNC_SECONDS:
        return doubtful("disk", text, "use a faster disk; every message waits for such writes on a majority of nodes")
    return fine("disk", text)


def database(folder: Path) -> list[Finding]:
    """Whether the node's database is whole, and of a version that this program knows."""
    path = folder / "node.sqlite3"
    lost = "move the folder away, evict this node, and admit a new one in an empty folder (docs/operations.md)"
    if not path.exists():
        if (folder / "sequence").exists():
            return [broken("database", f"{path} is missing, and this node has run before", lost)]
        return [fine("database", "none yet: it is made at the first start")]
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        return [broken("database", f"{path} cannot be read: {error}", lost)]
    if version > VERSION:
        remedy = "install the newer program again; it cannot go back"
        return [broken("database", f"{path} has version {version}, this program knows {VERSION}", remedy)]
    if found != "ok":
        return [broken("database", f"{path} is damaged: {' '.join(str(found).split())}", lost)]
    return [fine("database", f"{path} is whole, version {version}")]
