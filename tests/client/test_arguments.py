"""Rows of the control socket: what is written is read, deflated or not."""

import zlib
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.client.arguments import PLAIN_BYTES, Row, Rows


class RowsTests(SynchronousTestCase):
    def test_what_is_written_is_read(self) -> None:
        chance = Random(1)
        values = ("", "plain", "ü☃\n\u2028", 'quo"tes\\', "\ud800", 0, -1, 2**70, 1.5, None, True, [1, {"a": None}])
        for _ in range(300):
            rows = [
                {f"{key}é": chance.choice(values) for key in range(chance.randrange(6))}
                for _ in range(chance.randrange(30))
            ]
            self.assertEqual(Rows().fromString(Rows().toString(rows)), rows)

    def test_short_and_long_rows_are_both_what_any_inflater_reads(self) -> None:
        for size in (0, 1, PLAIN_BYTES - 20, PLAIN_BYTES, PLAIN_BYTES + 1, 60_000):
            encoded = Row().toString({"text": "x" * size})
            self.assertEqual(zlib.decompress(encoded), b'{"text":"%s"}' % (b"x" * size))
            self.assertEqual(Row().fromString(encoded), {"text": "x" * size})

    def test_a_torn_row_is_refused(self) -> None:
        encoded = Row().toString({"text": "hello"})
        for torn in (encoded[:-1], encoded[:8], b""):
            self.assertRaises((ValueError, zlib.error), Row().fromString, torn)
