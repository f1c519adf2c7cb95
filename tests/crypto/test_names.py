"""Tests of user names and passwords as PRECIS spells them."""

import string

from precis_i18n import get_profile
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.crypto.names import PLAIN, canonical_user, is_canonical, prepared_password, require_strength
from p2pchat.errors import UserError


class NameTests(SynchronousTestCase):
    def test_one_spelling_for_one_name(self) -> None:
        for typed, canonical in (
            ("Alice", "alice"),
            ("ｂｏｂ", "bob"),
            ("JÜRGEN", "jürgen"),
            ("Ju\u0308rgen", "jürgen"),
        ):
            self.assertEqual(canonical_user(typed), canonical)
            self.assertTrue(is_canonical(canonical))
        self.assertFalse(is_canonical("Alice"))

    def test_plain_names_are_those_that_the_profile_leaves_as_they_are(self) -> None:
        """The short way gives the same as the long one: each character alone, pairs, and the longest."""
        profile = get_profile("UsernameCaseMapped")
        letters = string.ascii_lowercase + string.digits
        pairs = (first + second for first in letters for second in letters)
        for name in (*letters, *pairs, letters[:32], letters[-32:], "0" * 32):
            self.assertTrue(PLAIN.fullmatch(name))
            self.assertEqual(profile.enforce(name), name)
            self.assertEqual(canonical_user(name), name)
        for other in ("", "a" * 33, "Bob", "b b", "a_b", "bob\n", "ä", "\u0661", "ⅰ"):
            self.assertIsNone(PLAIN.fullmatch(other), other)

    def test_32_code_points_are_the_most(self) -> None:
        self.assertEqual(canonical_user("ü" * 32), "ü" * 32)
        self.assertRaises(UserError, canonical_user, "a" * 33)

    def test_what_is_not_allowed_says_so(self) -> None:
        for typed in ("", " ", "a b", "a\nb", "a\x00", "\u202ebob", "☃", "\ud800"):
            error = self.assertRaises(UserError, canonical_user, typed)
            self.assertTrue(str(error).isprintable(), typed)


class PasswordTests(SynchronousTestCase):
    def test_composition_does_not_matter_and_case_does(self) -> None:
        self.assertEqual(prepared_password("u\u0308ber"), prepared_password("über"))
        self.assertEqual(prepared_password("A b"), b"A b")

    def test_what_no_password_may_hold_is_refused(self) -> None:
        for typed in ("", "tab\there", "x" * 1025, "\ud800"):
            self.assertRaises(UserError, prepared_password, typed)

    def test_first_guesses_are_refused(self) -> None:
        for weak in (
            "short",
            "aaaaaaaaaa",
            "abababab",
            "12345678",
            "qwertyuiop",
            "Password123!",
            "alice1234",
            "87654321",
        ):
            self.assertRaises(UserError, require_strength, prepared_password(weak), "alice")

    def test_several_words_are_accepted(self) -> None:
        for strong in ("correct horse", "alice-secret", "test-password-1", "Zug um Zug", "sonnenblume 7"):
            require_strength(prepared_password(strong), "alice")
