"""The folder of one agent: who may use it, what it keeps, and where its control socket is.

The folder has mode 0700, its files 0600; a file is replaced as a whole, or not at all.
"""

import contextlib
import fcntl
import json
import os
import tempfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from p2pchat.chat.syncing import sync_folder
from p2pchat.client.safe import MAGIC, Safe
from p2pchat.errors import Damaged, DiskFull, UserError

SOCKET = "agent.sock"
SOCKET_PATH = "agent.path"
LOCK = "agent.lock"
INPUTS = "inputs.jsonl"
"""What was typed before, which the screen keeps here."""
SEALED = ".sqlcipher"
"""How the file of an encrypted history ends."""
MAX_SOCKET_PATH_BYTES = 100
"""A UNIX socket's path holds 108 bytes on Linux and 104 elsewhere; Twisted adds a lock file beside it."""


class Home:
    """One home, locked for this process from `lock` to `unlock`."""

    def __init__(self, path: Path, sync: Callable[[int], None] = os.fsync) -> None:
        self.path, self._sync_file = path.absolute(), sync
        self.safe = Safe(None)
        self._lock: int | None = None

    def lock(self) -> None:
        """Make the folder and keep every other agent out; UserError names the one that is in already."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.chmod(0o700)
            self._lock = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise UserError(
                f"The home {self.path} cannot be used ({error.strerror}). Choose another --home."
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pid = os.read(self._lock, 20).decode("ascii", "replace").strip() or "unknown"
            self.unlock()
            raise UserError(
                f"Another agent (process {pid}) serves {self.path} already."
                " Use that one, stop it, or give this one its own --home."
            ) from None
        os.ftruncate(self._lock, 0)
        os.write(self._lock, f"{os.getpid()}\n".encode())

    def unlock(self) -> None:
        """Let other agents in."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def read(self, name: str) -> bytes | None:
        """The whole file, or None where there is none."""
        try:
            return (self.path / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Damaged(f"{self.path / name} cannot be read ({error.strerror}). Mend it or restore it.") from error

    def write(self, name: str, content: bytes) -> None:
        """Replace the file; durable on return."""
        target = self.path / name
        try:
            target.parent.mkdir(mode=0o700, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(prefix=".new-", dir=target.parent)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(content)
                    file.flush()
                    self._sync_file(file.fileno())
                Path(temporary).replace(target)
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise
            sync_folder(target.parent, self._sync_file)
        except OSError as error:
            raise DiskFull(f"{target} cannot be written ({error.strerror}). Free some space and try again.") from error

    def read_secret(self, name: str) -> bytes | None:
        """`read` of what `write_secret` wrote; Damaged where the keyring that it was sealed under does not open it."""
        content = self.read(name)
        return None if content is None else self.safe.open(name, content)

    def sealed(self, name: str) -> bool:
        """Whether the file is sealed."""
        return (self.read(name) or b"").startswith(MAGIC)

    def write_secret(self, name: str, content: bytes) -> None:
        """`write`, sealed under the desktop's keyring where there is one."""
        self.write(name, self.safe.seal(name, content))

    def remove(self, name: str) -> None:
        """Delete the file, overwritten first; on SSDs and snapshots that promises nothing (threat-model.md)."""
        target = self.path / name
        with contextlib.suppress(FileNotFoundError):
            with target.open("r+b") as file:
                file.write(bytes(target.stat().st_size))
                file.flush()
                self._sync_file(file.fileno())
            target.unlink()
            sync_folder(target.parent, self._sync_file)

    def names(self, folder: str) -> list[str]:
        """The files in a folder of the home, sorted."""
        inside = self.path / folder
        return (
            sorted(each.name for each in inside.iterdir() if not each.name.startswith(".")) if inside.is_dir() else []
        )

    def read_json(self, name: str) -> dict[str, Any]:
        """The object in the file; empty where there is none, Damaged where it is something else."""
        content = self.read(name)
        if content is None:
            return {}
        try:
            value = json.loads(content)
        except ValueError as error:
            raise Damaged(
                f"{self.path / name} is not what p2pchat wrote ({error}). Move it away or restore it."
            ) from error
        if not isinstance(value, dict):
            raise Damaged(f"{self.path / name} is not what p2pchat wrote. Move it away or restore it.")
        return value

    def write_json(self, name: str, value: dict[str, Any]) -> None:
        self.write(name, json.dumps(value, indent=1, ensure_ascii=False).encode())

    def prepare_socket(self) -> Path:
        """Where the control socket goes: into the home, or into a short folder that `agent.path` names.

        What a killed agent left there is removed: our lock proves that nobody uses it, while a pid may be anybody's.
        """
        place = self._socket_place()
        for left in (place, place.with_name(f"{place.name}.lock")):
            left.unlink(missing_ok=True)
        return place

    def _socket_place(self) -> Path:
        own = self.path / SOCKET
        if len(os.fsencode(own)) <= MAX_SOCKET_PATH_BYTES:
            self.remove(SOCKET_PATH)
            return own
        digest = sha256(os.fsencode(self.path)).hexdigest()[:16]
        folder = Path(tempfile.gettempdir()) / f"p2pchat-{os.getuid()}-{digest}"
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
        if status.st_uid != os.getuid() or status.st_mode & 0o777 != 0o700 or folder.is_symlink():
            raise UserError(f"{folder} belongs to somebody else. Choose a --home with a shorter path.")
        self.write(SOCKET_PATH, os.fsencode(folder / SOCKET))
        return folder / SOCKET


def socket_of(home: Path) -> Path:
    """Where the agent of this home listens, if one does."""
    named = home.absolute() / SOCKET_PATH
    try:
        return Path(os.fsdecode(named.read_bytes().rstrip(b"\n")))
    except FileNotFoundError:
        return home.absolute() / SOCKET


def encrypted_history(home: Path) -> bool:
    """Whether a history in this home is encrypted: then no text may lie in a plain file beside it."""
    return any(home.glob(f"chat-*{SEALED}"))
