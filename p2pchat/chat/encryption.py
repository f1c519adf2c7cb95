"""An encrypted database by SQLCipher (extra p2pchat[encrypted]): the library, and the one way from a plain file.

A plain file is converted once.  Until the encrypted one is complete, on disk and under its name, the plain one counts;
from then on it is only a remainder, which is overwritten and removed.
"""

import contextlib
import importlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from p2pchat.chat.syncing import sync_folder
from p2pchat.errors import Damaged, DiskFull, UserError

PART, OLD = ".part", ".old"
"""Ends of the names of an encrypted file in the making, and of a plain one that only waits to be overwritten."""
FULL_CODES = (10, 13, 8)
"""SQLITE_IOERR, SQLITE_FULL, SQLITE_READONLY."""
LOGS = ("-wal", "-shm", "-journal")
"""What SQLite may leave beside a database."""
SAME_FORM = "SELECT type, name, sql FROM {0}.sqlite_master WHERE name <> 'sqlite_sequence' ORDER BY type, name"
"""Without the table of SQLite's own that a dropped table with AUTOINCREMENT leaves behind."""
NOT_TAKEN_OVER = """
    SELECT count(*) FROM plain.messages AS old WHERE NOT EXISTS
        (SELECT 1 FROM main.messages AS new WHERE (new.chat, new.author, new.id) = (old.chat, old.author, old.id))
"""
CHUNK_BYTES = 1 << 20


def library() -> Any:
    """The module that stands for sqlite3; UserError names the command that installs it."""
    try:
        return importlib.import_module("sqlcipher3.dbapi2")
    except ImportError:
        raise UserError("An encrypted history needs SQLCipher. Install it: pip install 'p2pchat[encrypted]'") from None


def connect(path: str, key: bytes) -> Any:
    """A connection to a file under its 32-byte key; whether the key fits shows the first statement after this."""
    connection = library().connect(path, isolation_level=None, check_same_thread=False)
    for pragma in ("cipher_log_level = NONE", f'key = "{_quoted(key)}"', "cipher_compatibility = 4"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def convert(plain: Path, sealed: Path, key: bytes, sync: Callable[[int], None] = os.fsync) -> None:
    """Make `sealed` of `plain`, then remove that.  Whenever it is cut short, calling it again goes on.

    Raises:
        DiskFull: there is no room for a second copy; nothing was changed.
        Damaged: the plain file is none, or both files hold messages.
    """
    old = plain.with_name(plain.name + OLD)
    try:
        if plain.exists():
            with _errors_of(plain), _remainders(plain, sync):
                if sealed.exists():
                    _require_taken_over(plain, sealed, key)
                else:
                    _make(plain, sealed, key, sync)
            for each in _beside(plain):
                wipe(each, sync)
            plain.rename(old)
        wipe(old, sync)
    except OSError as error:
        raise DiskFull(f"{sealed} cannot be written ({error.strerror}). Free some space and try again.") from error


def wipe(path: Path, sync: Callable[[int], None] = os.fsync) -> None:
    """Overwrite a file and remove it; on SSDs and snapshots that promises nothing."""
    with contextlib.suppress(FileNotFoundError):
        with path.open("r+b") as file:
            _overwrite(file, sync)
        path.unlink()
        sync_folder(path.parent, sync)


def _make(plain: Path, sealed: Path, key: bytes, sync: Callable[[int], None]) -> None:
    """Under another name first, so that what is called `sealed` is complete."""
    part = sealed.with_name(sealed.name + PART)
    for each in (part, *_beside(part)):
        each.unlink(missing_ok=True)
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    _copy(plain, part, key)
    with part.open("r+b") as file:
        sync(file.fileno())
    part.rename(sealed)
    sync_folder(sealed.parent, sync)


def _copy(plain: Path, part: Path, key: bytes) -> None:
    """All tables with their order of rows, indexes, triggers and the version of the schema."""
    connection = library().connect(str(plain), isolation_level=None)
    with contextlib.closing(connection):
        attach = "ATTACH DATABASE ? AS sealed KEY ?"
        connection.execute(attach, (str(part), _quoted(key)))
        connection.execute("SELECT sqlcipher_export('sealed')")
        (version,) = connection.execute("PRAGMA main.user_version").fetchone()
        connection.execute(f"PRAGMA sealed.user_version = {int(version)}")
        # A virtual table is only known once the file is opened anew.
        connection.execute("DETACH DATABASE sealed")
        connection.execute(attach, (str(part), _quoted(key)))
        _require_same(connection, plain)
        connection.execute("DETACH DATABASE sealed")


def _require_same(connection: Any, plain: Path) -> None:
    """What was written is what was there, before anything is removed."""
    forms = [connection.execute(SAME_FORM.format(each)).fetchall() for each in ("main", "sealed")]
    same = forms[0] == forms[1] and not connection.execute("PRAGMA sealed.cipher_integrity_check").fetchall()
    for kind, name, _ in forms[0] if same else []:
        if kind == "table":
            counts = [
                connection.execute(f'SELECT count(*) FROM {each}."{name}"').fetchone() for each in ("main", "sealed")
            ]
            same = same and counts[0] == counts[1]
    if not same:
        raise Damaged(f"The history in {plain} could not be encrypted: the copy differs. It was left as it is.")


def _require_taken_over(plain: Path, sealed: Path, key: bytes) -> None:
    """A plain file beside an encrypted one is what a conversion left, unless somebody wrote messages into it since."""
    with contextlib.closing(connect(str(sealed), key)) as connection:
        connection.execute("ATTACH DATABASE ? AS plain KEY ''", (str(plain),))
        if connection.execute("SELECT 1 FROM plain.sqlite_master WHERE name = 'messages'").fetchone() is None:
            return
        (missing,) = connection.execute(NOT_TAKEN_OVER).fetchone()
    if missing:
        raise Damaged(
            f"{plain} holds {missing} messages that the encrypted history {sealed.name} beside it has not: a program"
            " that knows no encrypted histories wrote them. Move that file to a home of its own, export it there, and"
            " import it here."
        )


@contextlib.contextmanager
def _remainders(plain: Path, sync: Callable[[int], None]) -> Iterator[None]:
    """SQLite removes its logs without overwriting them: hold them open, so that it can be done afterwards."""
    with contextlib.ExitStack() as stack:
        held = []
        for each in _beside(plain):
            with contextlib.suppress(FileNotFoundError):
                held.append(stack.enter_context(each.open("r+b")))
        yield
        for file in held:
            _overwrite(file, sync)


@contextlib.contextmanager
def _errors_of(plain: Path) -> Iterator[None]:
    """The library's errors as ours."""
    driver = library()
    try:
        yield
    except driver.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF in FULL_CODES:
            raise DiskFull(f"{plain} could not be encrypted ({error}). Free some space and try again.") from error
        raise Damaged(
            f"The history in {plain} cannot be read ({error}). It was left as it is: move it away to start with an"
            " empty one, or put a backup in its place."
        ) from error


def _overwrite(file: BinaryIO, sync: Callable[[int], None]) -> None:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    for start in range(0, size, CHUNK_BYTES):
        file.write(bytes(min(CHUNK_BYTES, size - start)))
    file.flush()
    sync(file.fileno())


def _beside(path: Path) -> list[Path]:
    return [path.with_name(path.name + each) for each in LOGS]


def _quoted(key: bytes) -> str:
    """A raw key, as SQLCipher takes it: nothing is derived from it."""
    return f"x'{key.hex()}'"
