"""Makes the vectors of what follows a first record anew: `python -m tests.vectors.make_renewals`, by hand only.

One account's life: registered, its hash renewed at a higher cost, a new password, a new identity, deleted; with the
sessions and mail keys of that time, and the first of whoever has the name next.  And one ring's: certificates,
addresses, a founder, two lists of evictions.
"""

import json
from typing import Any

from p2pchat.crypto import credentials
from p2pchat.crypto.account import Account
from p2pchat.crypto.admission import FounderMark
from p2pchat.crypto.certificates import Role
from p2pchat.crypto.credentials import Costs, Enrolled
from p2pchat.crypto.evictions import Evictions
from p2pchat.crypto.historykey import HistoryKeyFile
from p2pchat.crypto.identity import Identity
from p2pchat.crypto.mailkey import MailKeyRecord, MailKeys
from p2pchat.crypto.noderecord import NodeRecord
from p2pchat.crypto.orders import PLAN, Order
from p2pchat.crypto.passwords import Parameters
from p2pchat.crypto.session import SessionRecord, seal_addresses
from p2pchat.crypto.vault import RecoveryKey
from p2pchat.identifiers import Address, Identifier
from tests.crypto.keys import CHEAP, RING, VECTORS, Drawn, alias, heir, identity, session_key
from tests.crypto.rings import Ring
from tests.vectors.make import text

FIRST, SECOND = b"correct horse battery staple", b"entirely different words"
DEARER = Costs(Parameters(kib=128, passes=2, lanes=4), bcrypt=5)
RECOVERY, RENEWED_RECOVERY = RecoveryKey(bytes(range(32))), RecoveryKey(bytes(range(32, 64)))
BEGAN = 1_790_000_000_000
HISTORY_KEY = bytes(range(100, 132))


class Life:
    """Everything that one account publishes."""

    def __init__(self) -> None:
        self.chance, self.values = Drawn(5), dict[str, Any]()
        self.bob, self.heir, self.next = identity("bob"), heir(), alias("mallory")
        self.session: SessionRecord | None = None
        self.mail: MailKeys | None = None

    def account(self, name: str, enrolled: Enrolled) -> Account:
        self.values[name] = enrolled.account.encode()
        self.values[f"{name} K"] = enrolled.stretched.secret
        self.values[f"{name} escrow private"] = enrolled.secrets.escrow_private
        return enrolled.account

    def log_in(self, name: str, who: Identity, key: int, account: Account) -> None:
        """The next session, by password, recovery key or renewal."""
        place = (1, 0) if self.session is None else (self.session.epoch + 1, 0)
        box = seal_addresses([Address("192.0.2.7", 7403)], bytes(range(16)), "bob", RING, place, self.chance)
        made = SessionRecord.create(
            *(who, session_key(key), Identifier(5), box, BEGAN + key, self.session, True),
            successions=account.public.successions,
        )
        self.session, self.values[name] = made, made.encode()

    def rotate(self, name: str, who: Identity, account: Account) -> None:
        """The next mail key, in escrow for the account's key of today; then the one before is drained."""
        assert self.session is not None
        private = self.chance(96)
        counted = 1 if self.mail is None else self.mail.current.number + 1
        escrow_public = account.credentials.escrow_public
        record = MailKeyRecord.create(who, self.session.epoch, counted, private, escrow_public)
        draining = None if self.mail is None else self.mail.current
        self.mail = MailKeys(record, draining, account.public.successions)
        self.values |= {name: self.mail.encode(), f"{name} private": private}
        if draining is not None:
            self.mail = self.mail.drained()
            self.values[f"{name}, drained"] = self.mail.encode()

    def live(self) -> dict[str, Any]:
        """All of it, in order."""
        chance, bob = self.chance, self.bob
        first = self.account("account 1", credentials.register(bob, FIRST, RECOVERY, CHEAP, chance))
        self.log_in("session 1", bob, 1, first)
        self.rotate("mail key 1", bob, first)
        dearer = self.account("account 2", credentials.change_password(bob, FIRST, first, DEARER, chance))
        self.rotate("mail key 2", bob, dearer)
        self.log_in("session 2", bob, 2, dearer)
        other = self.account("account 3", credentials.change_password(bob, SECOND, dearer, CHEAP, chance))
        self.rotate("mail key 3", bob, other)
        renewal = credentials.renew_identity(bob, self.heir, SECOND, RENEWED_RECOVERY, other, CHEAP, chance)
        renewed = self.account("account 4", renewal)
        self.log_in("session 3", self.heir, 3, renewed)
        self.rotate("mail key 4", self.heir, renewed)
        self.close(Account.deleted(self.heir, renewed, BEGAN + 9))
        both = HistoryKeyFile((), other.encode()).sealed_for(bob, HISTORY_KEY, chance)
        self.values["history key file"] = both.sealed_for(self.heir, HISTORY_KEY, chance).encode()
        recovery = {"recovery key": RECOVERY.printed(), "renewed recovery key": RENEWED_RECOVERY.printed()}
        return {"history key": HISTORY_KEY, **recovery, **self.values}

    def close(self, deleted: Account) -> None:
        """The account's end, and somebody else who is called bob a month later."""
        assert self.session is not None
        assert self.mail is not None
        self.values["account 5"] = deleted.encode()
        enrolled = credentials.register(self.next, FIRST, RECOVERY, CHEAP, self.chance, deleted)
        account = self.account("account 6", enrolled)
        self.log_in("session 4", self.next, 4, account)
        private, escrow_public = self.chance(96), account.credentials.escrow_public
        record = MailKeyRecord.create(
            self.next, self.session.epoch, self.mail.current.number + 1, private, escrow_public
        )
        self.values["mail key 5"] = MailKeys(record, None, account.public.successions).encode()
        self.values["mail key 5 private"] = private


def ring() -> dict[str, Any]:
    """What a ring's authority signs."""
    house = Ring()
    second, node, operator = (
        house.certify(*each) for each in ((103, Role.ADMITTER), (110, Role.NODE), (111, Role.OPERATOR))
    )
    at = (Address("192.0.2.1", 7401), Address("192.0.2.1", 7402))
    by_root = Evictions.none().extended(house.root_key, house.root, [(Role.ADMITTER, second.serial)])
    by_admitter = by_root.extended(
        house.key, house.admitter, [(Role.NODE, node.serial), (Role.OPERATOR, operator.serial)]
    )
    return {
        "root": house.root.der,
        "admitter": house.admitter.der,
        "evicted admitter": second.der,
        "node": node.der,
        "operator": operator.der,
        "node record": NodeRecord.create(session_key(110), node, house.admitter, 4, *at).encode(),
        "description": house.description.encode(),
        "founder": FounderMark.create(house.key, house.admitter, node.identifier).encode(),
        "evictions 1": by_root.encoded,
        "evictions 2": by_admitter.encoded,
        "plan": Order.sign(house.key, house.admitter, PLAN, 2, b"how it goes on").encoded,
    }


def main() -> None:
    """Write renewals.json and ring.json."""
    (VECTORS / "renewals.json").write_text(json.dumps(text(Life().live()), indent=1) + "\n")
    (VECTORS / "ring.json").write_text(json.dumps(text(ring()), indent=1) + "\n")


if __name__ == "__main__":
    main()
