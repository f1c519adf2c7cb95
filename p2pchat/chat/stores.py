"""All stores of one account's database, opened together."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from p2pchat.chat.archive import Archive
from p2pchat.chat.contacts import ContactStore
from p2pchat.chat.handed import HandedStore
from p2pchat.chat.outbox import OutboxStore
from p2pchat.chat.seen import SeenStore
from p2pchat.chat.storage import Database, Settings
from p2pchat.chat.syncing import Disk
from p2pchat.chat.trace import TraceStore


@dataclass(frozen=True, slots=True)
class Stores:
    """One database, as its parts use it."""

    database: Database
    archive: Archive
    contacts: ContactStore
    outbox: OutboxStore
    seen: SeenStore
    traces: TraceStore
    settings: Settings
    handed: HandedStore

    @classmethod
    def open(cls, path: Path | str, key: bytes | None = None, disk: Disk | None = None) -> Self:
        """Open or create the database, encrypted under `key` if there is one; Damaged when it is none of ours.

        Args:
            disk: how it is made durable; whoever writes waits for it by default.
        """
        database = Database(path, key, disk)
        return cls(
            database,
            Archive(database),
            ContactStore(database),
            OutboxStore(database),
            SeenStore(database),
            TraceStore(database),
            Settings(database),
            HandedStore(database),
        )
