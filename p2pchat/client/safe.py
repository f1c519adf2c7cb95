"""Seals an agent's key files under a key that the desktop's keyring keeps, where there is one (extra p2pchat[keyring]).

The keyring holds 32 random bytes for each home; a sealed file is MAGIC ‖ nonce12 ‖ AES-256-GCM, bound to its name.
Whoever copies the home without the keyring has sealed files.
"""

import base64
import importlib
import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

from p2pchat.crypto.primitives import GCM_NONCE_BYTES, gcm_open, gcm_seal
from p2pchat.errors import CannotOpen, Damaged

SERVICE = "p2pchat"
MAGIC = b"p2pchat sealed 1\n"
KEY_BYTES = 32
LEAST_PRIORITY = 1
"""Of a backend that the library recommends: those below store nothing, or in plain files."""


class Backend(Protocol):
    """A desktop's keyring, as the `keyring` library offers it."""

    def get_password(self, service: str, username: str) -> str | None: ...

    def set_password(self, service: str, username: str, password: str) -> None: ...


class Safe:
    """Seals and opens the key files of one home; without a key it only passes plain files on.

    Args:
        key: makes sure that there is one and gives it; None where the desktop has no keyring.
    """

    def __init__(self, key: bytes | None, chance: Callable[[int], bytes] = os.urandom) -> None:
        self._key, self._chance = key, chance

    @property
    def seals(self) -> bool:
        """Whether what is written is sealed."""
        return self._key is not None

    def seal(self, name: str, content: bytes) -> bytes:
        """What goes into the file called `name`."""
        if self._key is None:
            return content
        nonce = self._chance(GCM_NONCE_BYTES)
        return MAGIC + nonce + gcm_seal(self._key, nonce, content, name.encode())

    def open(self, name: str, content: bytes) -> bytes:
        """What was given to `seal`; a file from before there was a keyring is plain.

        Raises:
            Damaged: it is sealed, and the keyring does not open it.
        """
        if not content.startswith(MAGIC):
            return content
        if self._key is None:
            raise Damaged(
                f"{name} is sealed under the desktop's keyring, which cannot be reached. Unlock the keyring and install"
                " p2pchat[keyring], or delete the folder keys and log in again."
            )
        sealed = content[len(MAGIC) :]
        try:
            return gcm_open(self._key, sealed[:GCM_NONCE_BYTES], sealed[GCM_NONCE_BYTES:], name.encode())
        except CannotOpen:
            raise Damaged(
                f"{name} was sealed under another keyring. Delete the folder keys and log in again."
            ) from None


def safe_of(home: Path, backend: Backend | None, chance: Callable[[int], bytes] = os.urandom) -> Safe:
    """The safe of a home: its key is made at first need; a keyring that refuses is as good as none."""
    if backend is None:
        return Safe(None)
    name = sha256(os.fsencode(home.absolute())).hexdigest()[:32]
    try:
        kept = backend.get_password(SERVICE, name)
        if kept is None:
            kept = base64.b64encode(chance(KEY_BYTES)).decode()
            backend.set_password(SERVICE, name, kept)
            if backend.get_password(SERVICE, name) != kept:
                return Safe(None)
        key = base64.b64decode(kept, validate=True)
    except Exception:  # each desktop's keyring has errors of its own: locked, dismissed, no session bus
        return Safe(None)
    return Safe(key, chance) if len(key) == KEY_BYTES else Safe(None)


def desktop() -> Backend | None:
    """The desktop's keyring; None without p2pchat[keyring], and where nothing but files would hold the key."""
    try:
        library: Any = importlib.import_module("keyring")
        backend = library.get_keyring()
        return backend if backend.priority >= LEAST_PRIORITY else None
    except Exception:  # the library is not there, or finds no desktop: its backends raise what they like
        return None
