"""The data folder of a node: its lock, its address record's sequence, its node table and list of evictions."""

import errno
import fcntl
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from p2pchat.crypto.admission import ADMISSION_FILE
from p2pchat.errors import Damaged, DiskFull, P2PChatError, UserError

MAX_SOCKET_BYTES = 107
"""What a UNIX socket's address holds on Linux; 103 elsewhere."""
MAX_FILE_BYTES = 64 << 20
LOCK = "lock"
"""Of the folder; held as long as the node runs."""


@dataclass(frozen=True, slots=True)
class DataFolder:
    """One node's folder, mode 0700, held by a lock as long as the node runs."""

    path: Path
    lock: int

    @classmethod
    def open(cls, path: Path) -> Self:
        """Make the folder if there is none, and lock it.

        Raises:
            UserError: it cannot be written, or another node runs in it.
        """
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise refusal(error, path) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise UserError(
                f"Another node runs in {path}. Stop it, or give this node another folder with --data."
            ) from None
        return cls(path, descriptor)

    def close(self) -> None:
        """Let go of the lock."""
        os.close(self.lock)

    @property
    def admission(self) -> Path:
        """Key, certificates and description of the ring."""
        return self.path / ADMISSION_FILE

    @property
    def database(self) -> Path:
        """Slots, registers and mail."""
        return self.path / "node.sqlite3"

    @property
    def authority(self) -> Path:
        """Authority of a ring that this node made for itself."""
        return self.path / "authority"

    @property
    def socket(self) -> Path:
        """Where `p2pchat ring status --data` asks."""
        return self.path / "admin.sock"

    def next_sequence(self) -> int:
        """A number higher than every one before, for an address record of ours."""
        path = self.path / "sequence"
        try:
            number = int(self.read("sequence") or b"0") + 1
        except ValueError as error:
            raise Damaged(f"{path} is damaged. Admit this node anew in an empty folder.") from error
        self.write("sequence", str(number).encode())
        return number

    def read(self, name: str) -> bytes:
        """A small file's content; empty if there is none."""
        try:
            with (self.path / name).open("rb") as file:
                return file.read(MAX_FILE_BYTES)
        except FileNotFoundError:
            return b""

    def write(self, name: str, content: bytes) -> None:
        """Replace a small file wholly or not at all, durably."""
        unfinished = self.path / f".{name}.new"
        try:
            descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(unfinished, self.path / name)
        except OSError as error:
            raise refusal(error, self.path / name) from error


def refusal(error: OSError, path: Path) -> P2PChatError:
    """What a person can read of an operating system's refusal."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(f"The disk of {path} is full. Make room and start again.")
    return UserError(f"Cannot write {path}: {error.strerror}. Choose a folder with --data.")
