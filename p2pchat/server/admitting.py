"""How a node comes to its certificate: from its folder, by an authority's folder, or by a ring of its own."""

import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from twisted.logger import Logger

from p2pchat.crypto.admission import Admission
from p2pchat.crypto.authority import Authority
from p2pchat.crypto.certificates import Role
from p2pchat.errors import NotAdmitted
from p2pchat.server.folder import DataFolder, refusal

LISTEN_SECONDS = 3.0
"""How long a node without certificate and authority listens for a ring before it creates one."""
MAX_NAME_CHARACTERS = 32

_log = Logger()


async def admitted(
    folder: DataFolder,
    values: dict[str, Any],
    rings: Callable[[float], Awaitable[Sequence[str]]],
    now: float,
) -> Admission:
    """The node's admission; a new one is written into `folder`.

    Args:
        values: the program's options.
        rings: listens so many seconds; describes the rings that it heard.
        now: seconds since 1970.
    Raises:
        NotAdmitted: there is a ring, and no certificate for it here; the text says how to be admitted.
        Damaged: a file is not what was written.
    """
    if folder.admission.exists():
        return Admission.load(folder.admission, now)
    authority = values["authority"]
    if authority is not None:
        return _kept(folder, Authority.open(authority, now), now)
    heard = [f"the ring at {address}" for address in values["join"]] or list(await rings(LISTEN_SECONDS))
    if heard:
        raise NotAdmitted(
            f"This node has no certificate for {heard[0]}. Where the ring's authority lies, run "
            f"`p2pchat ring admit --authority DIR --data {folder.path}`, or start the node with --authority DIR."
        )
    return _kept(folder, _own_ring(folder, values, now), now)


def _own_ring(folder: DataFolder, values: dict[str, Any], now: float) -> Authority:
    if folder.authority.exists():
        return Authority.open(folder.authority, now)
    name = socket.gethostname()[:MAX_NAME_CHARACTERS] or "p2pchat"
    authority = Authority.create(folder.authority, name, values["replicas"], values["slots"], now)
    _log.warn(
        "No ring was found, so this node creates the ring {ring}.  Its root and admitter lie in {folder}: keep a copy "
        "in a safe place, whoever has it admits nodes.  Others join with --authority and a copy of that folder.",
        ring=authority.ring[:4].hex(),
        folder=str(folder.authority),
    )
    return authority


def _kept(folder: DataFolder, authority: Authority, now: float) -> Admission:
    try:
        admission = authority.admit(Role.NODE, now)
        admission.save(folder.admission)
    except OSError as error:
        raise refusal(error, folder.path) from error
    return admission
