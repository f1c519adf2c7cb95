"""Which ring this home belongs to, and which nodes of it are known."""

from collections.abc import Sequence

from p2pchat.client.home import Home
from p2pchat.crypto.certificates import Certificate, verify_root
from p2pchat.errors import Damaged, RingUnknown
from p2pchat.identifiers import Address

CERTIFICATE = "ring.pem"
NODES = "nodes.json"
EVICTIONS = "evictions"


class RingPin:
    """The root certificate of our ring, pinned at first use or given by the person; never changed afterwards."""

    def __init__(self, home: Home) -> None:
        """Read the pin; Damaged when the file is no certificate."""
        self._home = home
        self.root: Certificate | None = None
        self.ring: bytes | None = None
        kept = home.read(CERTIFICATE)
        if kept is not None:
            try:
                self._set(Certificate.from_pem(kept.decode("ascii", "replace")))
            except RingUnknown as error:
                raise Damaged(f"{home.path / CERTIFICATE} is no certificate. Restore it.") from error
        listed = home.read_json(NODES).get("nodes", [])
        self.nodes = [Address.parse(each) for each in listed]

    @property
    def shown(self) -> str:
        """8 hex digits of the ring's id."""
        return "unknown" if self.ring is None else self.ring[:4].hex()

    def take(self, root: Certificate) -> None:
        """Pin this ring; RingUnknown if another one is pinned."""
        ring = verify_root(root)
        if self.ring is not None:
            if ring != self.ring:
                raise RingUnknown(
                    f"The certificate is of the ring {ring[:4].hex()}; this home belongs to {self.shown}."
                    " Use another --home."
                )
            return
        self._home.write(CERTIFICATE, root.pem().encode())
        self._set(root)

    def remember(self, nodes: Sequence[Address]) -> None:
        """These nodes are in the ring now."""
        if sorted(nodes) != sorted(self.nodes):
            self.nodes = list(nodes)
            self._home.write_json(NODES, {"nodes": [str(each) for each in nodes]})

    def evictions(self) -> bytes:
        """The list of evictions that was kept; empty without one."""
        return self._home.read(EVICTIONS) or b""

    def keep_evictions(self, encoded: bytes) -> None:
        """Write the newest list."""
        self._home.write(EVICTIONS, encoded)

    def _set(self, root: Certificate) -> None:
        self.root, self.ring = root, verify_root(root)
