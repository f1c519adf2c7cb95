"""Planted mistakes: what each of ten guards of the construction holds, and by which test it is noticed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.serialization import load_der_public_key

from p2pchat.chat.archive import Archive
from p2pchat.client import directory, entrance, gateway
from p2pchat.client import session as sessions
from p2pchat.client.directory import Directory
from p2pchat.client.keyring import Keyring
from p2pchat.crypto import (
    account,
    authority,
    certificates,
    credentials,
    envelope,
    evictions,
    opening,
    passwords,
    primitives,
    proofs,
    sealing,
    session,
    succession,
)
from p2pchat.crypto.envelope import SenderStatement
from p2pchat.crypto.identity import Identity, PublicIdentity
from p2pchat.crypto.noderecord import NodeRecord
from p2pchat.crypto.opening import OpeningFailed
from p2pchat.wire import tls
from p2pchat.wire.links import Links
from tests.crypto.mistakes import (
    Anything,
    always_the_same,
    any_,
    any_clock,
    any_end,
    believed,
    context_of_bob,
    digest_of_everything,
    hybrid_without_rsa_part,
    keys_stay,
    no,
    nothing,
    of_any_role,
    rsa_is_left_out,
    rsa_part_is_not_bound,
    tells_the_step,
    unauthenticated,
    what_does_not_open_is_zeros,
    without_fresh_bytes,
    written_over,
    yes,
)

GUARDS = {
    1: "vectors: two readers that share no code yield every stored intermediate",
    2: "each lock counts: RSA and hybrid, and parts of other headers do not fit",
    3: "context: whatever differs in ring, kind, people, key, statement or a single bit is refused, in the same words",
    4: "key compromise: who has all keys of the recipient cannot speak as the sender",
    5: "restore: a copied home and process meet no key and nonce twice",
    6: "theft after rotation: old copies and a home of today open nothing under a rotated key",
    7: "rotation race: planted in the simulator, tests/simulation/mutants.py",
    8: "fencing: only proofs end a session, and what is over neither removes nor logs in",
    9: "record lies: each is refused, with its reason",
    10: "ring roles: evictions, roles, keys and rings are what the authority signed",
}
IN_THE_SIMULATOR = (
    "retired keys are accepted",
    "key erased before its mail was fetched",
    "minority's tombstone spreads",
)
"""Mutants that guard number 7."""


@dataclass(frozen=True, slots=True)
class Planted:
    """One mistake: `changes` are (object, attribute, what stands there instead), `caught_by` is MODULE.CLASS.TEST.

    `guard` is the number in GUARDS of what it breaks.
    """

    guard: int
    name: str
    caught_by: str
    changes: Sequence[tuple[Any, str, Any]]


SENDING = "tests.crypto.test_opening.ContextTests.test_every_other_field_of_the_statement_is_refused"
PLANTED = (
    Planted(
        1,
        "transcript without the RSA part",
        "tests.crypto.test_vectors.SealingVectorTests.test_both_openers_yield_every_stored_intermediate",
        [(envelope, "transcript", rsa_part_is_not_bound), (opening, "transcript", rsa_part_is_not_bound)],
    ),
    Planted(
        2,
        "RSA lock that does not count",
        "tests.crypto.test_opening.LockTests.test_each_lock_counts",
        [(opening, "root_key", rsa_is_left_out), (Identity, "unseal", what_does_not_open_is_zeros)],
    ),
    *(
        Planted(3, f"statement whose {field} is not compared", SENDING, [(SenderStatement, "parse", any_(field))])
        for field in ("recipient_fingerprint", "key_id", "x")
    ),
    Planted(
        3,
        "padding of any form",
        "tests.crypto.test_opening.ContextTests.test_a_statement_with_another_form_is_refused",
        [
            (opening, "unpad", any_end),
            (opening, "split", lambda *_: [b"", b""]),
            (opening, "gcm_open", always_the_same),
        ],
    ),
    Planted(
        4,
        "signature of a message that nobody verifies",
        "tests.crypto.test_opening.KeyCompromiseTests.test_a_genuine_signature_does_not_move_to_another_message",
        [(opening, "verify", nothing)],
    ),
    Planted(
        4,
        "signature of a sender that nobody verifies",
        "tests.crypto.test_opening.KeyCompromiseTests.test_the_thief_cannot_speak_as_alice",
        [(PublicIdentity, "verify", nothing)],
    ),
    Planted(
        5,
        "randomness that repeats itself after a restore",
        "tests.crypto.test_sealing.RestoreTests.test_no_key_and_nonce_ever_see_two_plaintexts",
        [(sealing.Sealer, "__init__", without_fresh_bytes)],
    ),
    Planted(
        6,
        "mail key that is never erased",
        "tests.client.test_stolen_disks.StolenDisksTests.test_no_file_of_the_home_holds_the_rotated_key",
        [(Keyring, "keep_mail_keys", keys_stay)],
    ),
    Planted(
        8,
        "acknowledgement of an old epoch",
        "tests.crypto.test_proofs.AcknowledgementTests.test_an_old_epoch_is_refused",
        [(proofs, "require_same_session", nothing)],
    ),
    Planted(
        8,
        "session replaced by anybody's word",
        "tests.crypto.test_session.SessionTests.test_only_a_proof_replaces_a_session",
        [(session, "_same_person", yes)],
    ),
    Planted(
        9,
        "session of anybody",
        "tests.crypto.test_session.SessionTests.test_another_identity_is_refused",
        [(session, "_same_person", yes)],
    ),
    Planted(
        9,
        "password parameters of any cost",
        "tests.crypto.test_passwords.StretchTests.test_weakened_or_exhausting_parameters_are_refused",
        [(passwords.Parameters, "check", nothing)],
    ),
    Planted(
        9,
        "vault that is not compared with its account",
        "tests.crypto.test_credentials.CredentialsTests.test_a_vault_with_another_identity_or_escrow_key_is_refused",
        [(credentials, "_compared", lambda secrets, *_: secrets)],
    ),
    Planted(
        9,
        "private part that nobody signed",
        "tests.crypto.test_account.AccountTests.test_a_swapped_private_part_is_refused",
        [(account, "H", lambda _: Anything(bytes(32)))],
    ),
    Planted(
        9,
        "RSA key of any exponent",
        "tests.crypto.test_primitives.RSATests.test_other_sizes_and_exponents_are_refused",
        [(primitives, "rsa_public", load_der_public_key)],
    ),
    Planted(
        9,
        "identity renewed by anybody",
        "tests.crypto.test_succession.AccountTests.test_an_identity_that_the_old_one_did_not_name_is_refused",
        [(account, "leads_from", yes), (succession, "parse_all", nothing)],
    ),
    Planted(
        9,
        "name that opens before its time",
        "tests.crypto.test_closing.AccountTests.test_somebody_else_follows_after_30_days_and_not_before",
        [(account, "check_reopened", nothing)],
    ),
    Planted(
        9,
        "name that a wrong clock opens",
        "tests.crypto.test_closing.AccountTests.test_a_member_whose_clock_is_far_off_opens_nothing",
        [(account, "check_reopened", any_clock)],
    ),
    Planted(
        9,
        "account that anybody ends",
        "tests.crypto.test_closing.AccountTests.test_the_identity_ends_its_account_and_nobody_else",
        [(account, "leads_from", yes)],
    ),
    Planted(
        9,
        "end of an account that nobody signed",
        "tests.crypto.test_closing.AccountTests.test_every_altered_byte_of_an_end_is_refused",
        [(PublicIdentity, "verify", nothing)],
    ),
    Planted(
        9,
        "next owner of a name who passes for the one before",
        "tests.client.test_deletion.NameTests.test_contacts_see_loudly_that_it_is_somebody_else",
        [(directory, "renewed_from", succession.leads_from)],
    ),
    Planted(
        10,
        "admitter that the root did not sign",
        "tests.crypto.test_evictions.EvictionTests.test_other_signers_and_wrong_forms_are_refused",
        [(evictions, "verify_admitter", nothing), (certificates, "verify_admitter", nothing)],
    ),
    Planted(
        1,
        "digest over the signature as well",
        "tests.crypto.test_renewal_vectors.AccountTests.test_each_version_is_read_alike_and_follows_the_one_before",
        [(account.AccountPublic, "digest", property(digest_of_everything))],
    ),
    Planted(
        2,
        "hybrid part of any header",
        "tests.crypto.test_opening.LockTests.test_parts_of_another_valid_header_do_not_fit",
        [(envelope, "kem_info", hybrid_without_rsa_part), (opening, "kem_info", hybrid_without_rsa_part)],
    ),
    Planted(
        3,
        "statement that may be passed on",
        "tests.crypto.test_opening.ContextTests.test_a_recipient_cannot_forward_a_statement",
        [(SenderStatement, "parse", any_("recipient", "recipient_fingerprint", "key_id", "x"))],
    ),
    Planted(
        3,
        "context as the sender says it",
        "tests.crypto.test_opening.ContextTests.test_other_rings_kinds_and_recipients_are_refused",
        [(opening, "context", context_of_bob)],
    ),
    Planted(
        3,
        "bits that nobody authenticates",
        "tests.crypto.test_opening.DamageTests.test_every_flip_in_the_message",
        [(opening, "gcm_open", unauthenticated)],
    ),
    Planted(
        3,
        "error that says which step failed",
        "tests.crypto.test_opening.DamageTests.test_every_cut_and_addition",
        [(OpeningFailed, "__init__", tells_the_step)],
    ),
    Planted(
        5,
        "retry with the same randomness",
        "tests.crypto.test_sealing.RestoreTests.test_a_retry_takes_new_randomness",
        [(sealing.Sealer, "__init__", without_fresh_bytes)],
    ),
    Planted(
        6,
        "rotated key that a home of today still opens with",
        "tests.client.test_stolen_disks.StolenDisksTests"
        ".test_a_rotated_key_stays_closed_to_who_takes_ring_and_home_today",
        [(Keyring, "keep_mail_keys", keys_stay)],
    ),
    Planted(
        8,
        "forged replacement that an agent believes",
        "tests.client.test_agent.TakeOverTests.test_a_forged_replacement_is_ignored",
        [(sessions, "replaced_by", yes)],
    ),
    Planted(
        8,
        "acknowledgement that nobody verifies",
        "tests.crypto.test_proofs.AcknowledgementTests.test_a_bare_epoch_another_key_or_another_person_is_refused",
        [(proofs, "ed25519_verify", nothing)],
    ),
    Planted(
        8,
        "login that is late and applies",
        "tests.crypto.test_session.SessionTests.test_a_delayed_login_does_not_apply",
        [(session.SessionRecord, "digest", property(lambda _: bytes(32)))],
    ),
    Planted(
        8,
        "copied home that goes on",
        "tests.client.test_contention.CopiedHomeTests.test_a_copy_is_noticed_and_one_of_the_two_stops",
        [(sessions, "replaced_by", no)],
    ),
    Planted(
        8,
        "nothing is offered again after a take-over",
        "tests.client.test_agent.TakeOverTests.test_what_only_the_old_session_had_is_offered_again",
        [(Archive, "older_acknowledged", lambda *_: [])],
    ),
    *(
        Planted(
            9,
            f"records of people that nobody compares, {number}",
            f"tests.client.test_directory.PeopleTests.{test}",
            [(Directory, "_compare", believed)],
        )
        for number, test in enumerate(
            (
                "test_an_older_account_and_an_older_mail_key_are_refused",
                "test_nothing_goes_to_a_session_that_is_over",
                "test_another_key_under_the_name_is_loud_and_nothing_is_sealed_to_it",
                "test_who_was_written_to_is_pinned_at_once",
            ),
            1,
        )
    ),
    Planted(
        9,
        "session or mail key of anybody at a login",
        "tests.client.test_directory.LoginTests.test_somebody_elses_session_or_mail_key_is_refused",
        [(entrance, "belongs_to", yes)],
    ),
    Planted(
        9,
        "session key that its owner need not have",
        "tests.crypto.test_session.SessionTests.test_a_foreign_session_key_or_signature_is_refused",
        [(session, "ed25519_verify", nothing)],
    ),
    Planted(
        10,
        "operator that is a node",
        "tests.crypto.test_noderecord.NodeRecordTests.test_operators_and_other_rings_are_no_nodes",
        [(NodeRecord, "verify", of_any_role)],
    ),
    Planted(
        10,
        "key that is admitted twice",
        "tests.crypto.test_authority.AdmissionTests.test_a_key_is_admitted_once",
        [(authority, "write_new", written_over)],
    ),
    Planted(
        10,
        "list of evictions that goes back",
        "tests.wire.test_bulletins.ListTests.test_a_newer_list_is_kept_before_it_counts",
        [(evictions.Evictions, "supersedes", yes)],
    ),
    Planted(
        10,
        "evicted node whose links stay",
        "tests.wire.test_dialer.TrustTests.test_eviction_cuts_live_links",
        [(Links, "recheck", lambda *_: [])],
    ),
    Planted(
        10,
        "node of another ring",
        "tests.wire.test_dialer.TrustTests.test_node_of_another_ring_is_refused_both_ways",
        [(tls, "verify_root", lambda _: Anything(bytes(32)))],
    ),
    Planted(
        10,
        "one of several rings is chosen",
        "tests.client.test_gateway.GatewayTests.test_of_several_rings_none_is_chosen_and_all_are_listed",
        [(gateway, "ambiguous", no)],
    ),
)
