"""Records of a backup as proposals: what is absent is created, mail is united, and nothing that stands is changed."""

from typing import Any

from twisted.protocols import amp

from p2pchat.crypto import mailkey
from p2pchat.crypto.account import Account
from p2pchat.crypto.encoding import H
from p2pchat.errors import Misbehaved, StaleKey
from p2pchat.identifiers import Identifier, to_bytes
from p2pchat.replication.service import ReplicationService
from p2pchat.replication.slots import KIND_ACCOUNT, KIND_MAILKEY, RegisterKey
from p2pchat.replication.uset import Item
from p2pchat.server import commands

TRIES = 3
"""For one item, while its owner changes the mail key."""


class Restoring:
    """Brings records back into the ring, through the same agreement as any other change; this node votes for nothing.

    Args:
        ring: ours; records of another one are refused.
    """

    def __init__(self, replication: ReplicationService, ring: bytes) -> None:
        self._replication, self._ring = replication, ring

    async def register(self, key: RegisterKey, value: bytes) -> str:
        """`created`, `same` (it stands as it was), `newer` (another version stands), or `other`: the name is somebody
        else's by now, and nothing of the copy belongs there.

        Raises:
            NoQuorum, UnknownOutcome, Moving: try again, that is safe.
            Misbehaved: the record is none of this ring.
        """
        if key.kind == KIND_ACCOUNT:
            Account.parse(value, self._ring)
        before: list[bytes | None] = []

        def absent_only(old: bytes | None) -> bytes:
            before.append(old)
            return value if old is None else old

        operation = H(b"restore" + to_bytes(key.point) + bytes([key.kind]) + value)
        changed = await self._replication.change(key, absent_only, operation)
        if changed.value == value:
            return "created" if before and before[-1] is None else "same"
        return "newer" if key.kind != KIND_ACCOUNT or self._same_identity(value, changed.value) else "other"

    def _same_identity(self, value: bytes, standing: bytes | None) -> bool:
        if standing is None:
            return False
        ours, theirs = Account.parse(value, self._ring), Account.parse(standing, self._ring)
        return theirs.closing is None and ours.public.fingerprint == theirs.public.fingerprint

    async def item(self, point: Identifier, item: Item) -> None:
        """Put an envelope into a mailbox again; one that was removed meanwhile stays removed.

        Raises:
            Misbehaved: the mailbox has no key, so its account does not stand.
            NoQuorum, UnknownOutcome, Moving: try again, that is safe.
        """
        for _ in range(TRIES):
            key = (await self._replication.read(RegisterKey(point, KIND_MAILKEY))).value
            if key is None:
                raise Misbehaved("An envelope of a mailbox without a key cannot be restored.")
            try:
                await self._replication.add(point, mailkey.key_id_of(key), [item])
                return
            except StaleKey:
                continue
        raise StaleKey("The mail key of an account changes all the time. Run the command again.")


class RestoreLocator(amp.CommandLocator):
    """Answers whoever owns the data folder."""

    def __init__(self, restoring: Restoring) -> None:
        self._restoring = restoring

    @commands.RestoreRegister.responder
    async def restore_register(self, point: Identifier, kind: int, value: bytes) -> dict[str, Any]:
        return {"outcome": await self._restoring.register(RegisterKey(point, kind), value)}

    @commands.RestoreItem.responder
    async def restore_item(self, point: Identifier, item: bytes, payload: bytes, meta: bytes) -> dict[str, Any]:
        await self._restoring.item(point, Item(item, payload, meta))
        return {}
