"""Tells replication how accounts, sessions, mail keys and acknowledgements are judged."""

from collections.abc import Sequence
from functools import partial

from p2pchat.accounts.checks import Format
from p2pchat.crypto import account, mailkey, session
from p2pchat.crypto.proofs import Reason, check_acknowledgement
from p2pchat.errors import Misbehaved, UserError
from p2pchat.replication.formats import Formats, Validator
from p2pchat.replication.slots import KIND_ACCOUNT, KIND_MAILKEY, KIND_SESSION
from p2pchat.replication.uset import ItemState

_STATES = {Reason.STORED: ItemState.ACKNOWLEDGED, Reason.UNOPENABLE: ItemState.UNOPENABLE}


def formats(ring: bytes) -> Formats:
    """The judges of one ring's records."""

    def validator(form: Format) -> Validator:
        return partial(_validate, form, ring)

    def check_removal(stored: bytes, proof: bytes, ids: Sequence[bytes]) -> ItemState:
        try:
            return _STATES[check_acknowledgement(stored or None, proof, ids, ring)]
        except UserError as error:  # of a session that is over, or not known here yet
            raise Misbehaved(str(error)) from None

    return Formats(
        validators={
            KIND_ACCOUNT: validator(account),
            KIND_SESSION: validator(session),
            KIND_MAILKEY: validator(mailkey),
        },
        fence_of=lambda value: session.epoch_of(value or None, ring),
        key_id_of=lambda value: mailkey.key_id_of(value or None),
        check_removal=check_removal,
    )


def name_and_verifier(ring: bytes, value: bytes) -> tuple[str, str] | None:
    """Canonical name and bcrypt verifier of an account, for whoever opens the database; None once it is deleted."""
    read = account.Account.parse(value, ring)
    if read.deleted_at is not None:
        return None
    return read.public.user, read.credentials.verifier.decode("ascii")


def _validate(form: Format, ring: bytes, old: bytes | None, new: bytes) -> None:
    form.validate_successor(old, new, ring)
