"""User names and passwords in the one form in which they are compared: PRECIS (RFC 8265)."""

import re
import unicodedata

from precis_i18n import get_profile

from p2pchat.errors import UserError

MAX_NAME_CHARACTERS = 32
MAX_PASSWORD_BYTES = 1024
MIN_PASSWORD_CHARACTERS = 8
MIN_DIFFERENT_CHARACTERS = 4
MIN_RUN = 4

_ROWS = ("abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "qwertzuiop", "asdfghjkl", "zxcvbnm", "azertyuiop")
_POPULAR = frozenset(
    [
        "password",
        "passwort",
        "motdepasse",
        "contrasena",
        "iloveyou",
        "princess",
        "sunshine",
        "football",
        "baseball",
        "welcome",
        "monkey",
        "dragon",
        "letmein",
        "trustno",
        "master",
        "shadow",
        "superman",
        "batman",
        "michael",
        "jennifer",
        "jordan",
        "starwars",
        "whatever",
        "computer",
        "internet",
        "secret",
        "admin",
        "administrator",
        "login",
        "access",
        "freedom",
        "charlie",
        "hunter",
        "ashley",
        "bailey",
        "passw0rd",
        "p@ssword",
        "p@ssw0rd",
        "changeme",
        "default",
        "guest",
        "test",
        "tester",
        "testing",
        "user",
        "qwerty",
        "qwertz",
        "azerty",
    ]
)


PLAIN = re.compile(f"[a-z0-9]{{1,{MAX_NAME_CHARACTERS}}}", re.ASCII)
"""Names that the profile leaves as they are; it needs 15 microseconds to say so."""


def canonical_user(text: str) -> str:
    """The one spelling of a user name: PRECIS UsernameCaseMapped, 1 to 32 code points.

    Raises:
        UserError: the name is not allowed; it says why.
    """
    if PLAIN.fullmatch(text):
        return text
    profile = get_profile("UsernameCaseMapped")
    try:
        name = profile.enforce(text)
        stable = profile.enforce(name) == name
    except UnicodeEncodeError as error:
        raise UserError(f"The name {text!r} is not allowed ({_reason(error)}); letters and digits are.") from None
    if not stable or not 1 <= len(name) <= MAX_NAME_CHARACTERS:
        raise UserError(f"A user name has 1 to {MAX_NAME_CHARACTERS} characters; {text!r} does not fit.")
    return str(name)


def is_canonical(user: str) -> bool:
    """Whether a name from the network is spelled in the one way."""
    try:
        return canonical_user(user) == user
    except UserError:
        return False


def prepared_password(text: str) -> bytes:
    """A password as PRECIS OpaqueString, UTF-8: the same on every keyboard and system.

    Raises:
        UserError: it has a character that no password may have, or is empty or too long.
    """
    try:
        prepared = get_profile("OpaqueString").enforce(text).encode()
    except UnicodeEncodeError as error:
        raise UserError(f"The password has a character that is not allowed ({_reason(error)}).") from None
    if not 1 <= len(prepared) <= MAX_PASSWORD_BYTES:
        raise UserError(f"A password has 1 to {MAX_PASSWORD_BYTES} bytes.")
    return bytes(prepared)


def require_strength(password: bytes, user: str) -> None:
    """Refuse what is guessed first, when a password is chosen (never when it is asked for).

    Raises:
        UserError: with what to do.
    """
    text = password.decode()
    if len(text) < MIN_PASSWORD_CHARACTERS:
        raise UserError(f"The password is too short; take {MIN_PASSWORD_CHARACTERS} characters or more.")
    if len(set(text)) < MIN_DIFFERENT_CHARACTERS:
        raise UserError("The password repeats too few characters; take several words.")
    plain = unicodedata.normalize("NFKC", text).casefold()
    letters = plain.strip("0123456789!.?*#$-_ ")
    if letters in _POPULAR or letters in {user, user[::-1]} or _is_run(plain):
        raise UserError("The password is one of those that are guessed first; take several words.")


def _is_run(text: str) -> bool:
    """Whether all of `text` is neighbours on the keyboard or in the alphabet, such as 12345678 or asdfasdf."""
    rows = [row for each in _ROWS for row in (each, each[::-1])]
    pieces = [text[at : at + MIN_RUN] for at in range(0, len(text), MIN_RUN)]
    return all(any(piece in row for row in rows) for piece in pieces)


def _reason(error: UnicodeEncodeError) -> str:
    return error.reason.rpartition("/")[2].replace("_", " ")
