"""A fixed ring in memory for tests: root, admitter, and whoever they admit."""

from p2pchat.crypto.admission import RingDescription
from p2pchat.crypto.certificates import Certificate, Role, draw_serial, issue, ring_id
from p2pchat.crypto.primitives import spki
from tests.crypto.keys import Drawn, session_key

NOW = 1_790_000_000.0
DAY = 86_400.0


class Ring:
    """Root and admitter whose keys are made from `seed`."""

    def __init__(self, seed: int = 100) -> None:
        self.chance = Drawn(seed)
        self.root_key, self.key = session_key(seed), session_key(seed + 1)
        self.ring = ring_id(spki(self.root_key.public_key()))
        self.root = self.certify(seed, Role.ROOT)
        self.admitter = self.certify(seed + 1, Role.ADMITTER)
        self.description = RingDescription.create(self.root_key, self.ring, "house", 4, 1024)

    def certify(self, key: int, role: Role, now: float = NOW) -> Certificate:
        """A certificate for `session_key(key)`."""
        public, serial = session_key(key).public_key(), draw_serial(self.chance)
        if role is Role.ROOT:
            return issue(self.root_key, None, public, role, self.ring, serial, now)
        if role is Role.ADMITTER:
            return issue(self.root_key, self.root, public, role, self.ring, serial, now)
        return issue(self.key, self.admitter, public, role, self.ring, serial, now)
