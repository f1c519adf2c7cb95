"""Session records that this node has read lately: what signed requests are checked against."""

from collections import OrderedDict
from dataclasses import dataclass

from p2pchat.crypto.session import SessionRecord
from p2pchat.identifiers import Identifier

MAX_SESSIONS = 50_000
TRUST_SECONDS = 60.0
"""A record read longer ago is read again before it serves."""


@dataclass(frozen=True, slots=True)
class _Known:
    record: SessionRecord
    read_at: float


class KnownSessions:
    """Records by account; a higher one is never replaced by a lower."""

    def __init__(self) -> None:
        self._known: OrderedDict[Identifier, _Known] = OrderedDict()

    def get(self, account: Identifier, now: float) -> SessionRecord | None:
        """The record, if it was read within the last minute."""
        known = self._known.get(account)
        return known.record if known is not None and now - known.read_at <= TRUST_SECONDS else None

    def last(self, account: Identifier) -> SessionRecord | None:
        """The record, however old."""
        known = self._known.get(account)
        return None if known is None else known.record

    def put(self, account: Identifier, record: SessionRecord, now: float) -> None:
        """A record that stands as a majority says."""
        known = self._known.get(account)
        if known is None or (record.epoch, record.sequence) >= (known.record.epoch, known.record.sequence):
            self._known[account] = _Known(record, now)
        self._known.move_to_end(account)
        if len(self._known) > MAX_SESSIONS:
            self._known.popitem(last=False)

    def doubt(self, account: Identifier) -> None:
        """A higher record may stand: read again before the next use."""
        known = self._known.get(account)
        if known is not None:
            self._known[account] = _Known(known.record, float("-inf"))
