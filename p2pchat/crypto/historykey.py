"""The key of an encrypted history: drawn at random, and sealed under a key that comes from the vault's identity.

The vault holds the identity under the password, so whoever logs in opens the history that lies in a home.
"""

import os
from dataclasses import dataclass, field
from typing import Self

from p2pchat.crypto.encoding import DIGEST_BYTES, T, lv, sized, split
from p2pchat.crypto.identity import Identity
from p2pchat.crypto.primitives import GCM_NONCE_BYTES, GCM_TAG_BYTES, Chance, gcm_open, gcm_seal, kdf
from p2pchat.errors import CannotOpen, Misbehaved

HISTORY_KEY_BYTES = 32
BOX_BYTES = GCM_NONCE_BYTES + HISTORY_KEY_BYTES + GCM_TAG_BYTES


@dataclass(frozen=True, slots=True)
class HistoryKeyFile:
    """What lies beside an encrypted history: a box for each identity that opens it, and the account with its vault.

    There is one box, and a second one while the identity is being renewed.  `account` is the register value that this
    home saw last: its vault yields the identity to who has the password of that time, without any node.
    """

    boxes: tuple[tuple[bytes, bytes], ...] = ()
    account: bytes = field(default=b"", repr=False)

    def encode(self) -> bytes:
        """LV(LV(LV(fp) ‖ LV(box)) ‖ …) ‖ LV(account, or "")."""
        return lv(b"".join(lv(lv(fingerprint) + lv(box)) for fingerprint, box in self.boxes)) + lv(self.account)

    @classmethod
    def parse(cls, encoded: bytes) -> Self:
        """Read one; Misbehaved for a wrong form."""
        boxes, account = split(encoded, 2)
        found = []
        for each in split(boxes):
            fingerprint, box = split(each, 2)
            sized(fingerprint, DIGEST_BYTES, "A fingerprint")
            found.append((fingerprint, sized(box, BOX_BYTES, "The box of a history key")))
        return cls(tuple(found), account)

    def opened_by(self, identity: Identity) -> bytes | None:
        """The history's key, if there is a box for this identity; Misbehaved when that box was altered."""
        for fingerprint, box in self.boxes:
            if fingerprint == identity.fingerprint:
                return _open(identity, box)
        return None

    def sealed_for(self, identity: Identity, key: bytes, chance: Chance = os.urandom) -> Self:
        """The same with a box for this identity as well."""
        if self.opened_by(identity) == key:
            return self
        others = tuple(each for each in self.boxes if each[0] != identity.fingerprint)
        return type(self)((*others, (identity.fingerprint, seal_history_key(identity, key, chance))), self.account)


def seal_history_key(identity: Identity, key: bytes, chance: Chance = os.urandom) -> bytes:
    """nonce12 ‖ AES-256-GCM of the key, under KDF(both private keys, T("history key", …))."""
    nonce = chance(GCM_NONCE_BYTES)
    return nonce + gcm_seal(_sealing_key(identity), nonce, key, _label("history box", identity))


def _open(identity: Identity, box: bytes) -> bytes:
    nonce, sealed = box[:GCM_NONCE_BYTES], box[GCM_NONCE_BYTES:]
    try:
        return gcm_open(_sealing_key(identity), nonce, sealed, _label("history box", identity))
    except CannotOpen:
        raise Misbehaved("The box of a history key was altered.") from None


def _sealing_key(identity: Identity) -> bytes:
    return kdf(lv(identity.pkcs8_sign) + lv(identity.pkcs8_seal), None, _label("history key", identity), 32)


def _label(label: str, identity: Identity) -> bytes:
    return T(label, identity.ring, identity.user.encode(), identity.fingerprint)
