"""Tells replication how accounts, sessions, mail keys and acknowledgements are judged."""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial

from p2pchat.accounts.checks import Format
from p2pchat.crypto import account, mailkey, session
from p2pchat.crypto.closing import mentions_closing
from p2pchat.crypto.proofs import Acknowledgement, Reason, check_acknowledgement
from p2pchat.crypto.session import SessionRecord
from p2pchat.errors import Misbehaved, UserError
from p2pchat.identifiers import account_identifier
from p2pchat.replication.formats import Formats, Validator
from p2pchat.replication.slots import KIND_ACCOUNT, KIND_MAILKEY, KIND_SESSION, RegisterKey
from p2pchat.replication.uset import ItemState

KNOWN_SESSIONS = 256
KNOWN_PROOFS = 64
"""Records and acknowledgements that were verified last: each comes to a member twice or more."""
_STATES = {Reason.STORED: ItemState.ACKNOWLEDGED, Reason.UNOPENABLE: ItemState.UNOPENABLE}


FORMS = {KIND_ACCOUNT: account, KIND_SESSION: session, KIND_MAILKEY: mailkey}


def formats(ring: bytes, now_ms: Callable[[], int | None]) -> Formats:
    """The judges of one ring's records.

    Args:
        now_ms: milliseconds since 1970; None while this node's clock is not to be relied on.
    """

    def validator(form: Format) -> Validator:
        return partial(_validate, form, ring)

    def check_times(kind: int, held: bytes | None, proposed: bytes) -> None:
        if mentions_closing(proposed) or account.is_deleted(held if kind == KIND_ACCOUNT else None, ring):
            FORMS[kind].check_times(held, proposed, ring, now_ms())

    read = lru_cache(KNOWN_SESSIONS)(SessionRecord.parse)
    parse = lru_cache(KNOWN_PROOFS)(partial(Acknowledgement.parse, read=read))

    def check_removal(stored: bytes, proof: bytes, ids: Sequence[bytes]) -> ItemState:
        try:
            return _STATES[check_acknowledgement(stored or None, proof, ids, ring, parse, read)]
        except UserError as error:  # of a session that is over, or not known here yet
            raise Misbehaved(str(error)) from None

    def check_place(key: RegisterKey, value: bytes) -> None:
        if key.kind in FORMS and account_identifier(FORMS[key.kind].user_of(value, ring)) != key.point:
            raise Misbehaved("A register is given the record of another user's name.")

    def check_owner(key: RegisterKey, value: bytes, owner: bytes) -> None:
        public = account.Account.parse(owner, ring).public
        belongs = session.belongs if key.kind == KIND_SESSION else mailkey.belongs
        if not belongs(value, ring, public.fingerprint, public.successions):
            raise Misbehaved("A session or mail key belongs to another identity than the account.")

    return Formats(
        validators={kind: validator(form) for kind, form in FORMS.items()},
        check_place=check_place,
        check_owner=check_owner,
        fence_of=lambda value: session.epoch_of(value or None, ring),
        key_id_of=lambda value: mailkey.key_id_of(value or None),
        check_times=check_times,
        is_closed=lambda value: account.is_deleted(value, ring),
        check_removal=check_removal,
    )


def name_and_verifier(ring: bytes, value: bytes) -> tuple[str, str] | None:
    """Canonical name and bcrypt verifier of an account, for whoever opens the database; None once it is deleted."""
    read = account.Account.parse(value, ring)
    if read.closing is not None:
        return None
    return read.public.user, read.credentials.verifier.decode("ascii")


def _validate(form: Format, ring: bytes, old: bytes | None, new: bytes) -> None:
    form.validate_successor(old, new, ring)
