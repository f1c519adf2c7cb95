"""Dots come where they belong, and a circle is round."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.tui.braille import Drawing, Round


def text(drawing: Drawing) -> list[str]:
    """The rows as text."""
    return ["".join(character for _, character in row) for row in drawing.cells()]


class DrawingTests(SynchronousTestCase):
    def test_each_dot_has_its_bit(self) -> None:
        drawing = Drawing(1, 1)
        for place in range(8):
            drawing.dot(place % 2, place // 2, "a")
        self.assertEqual(text(drawing), ["⣿"])

    def test_dots_outside_are_dropped(self) -> None:
        drawing = Drawing(2, 1)
        for x, y in ((-1, 0), (0, -1), (4, 0), (0, 4)):
            drawing.dot(x, y, "a")
        self.assertEqual(text(drawing), ["  "])

    def test_the_later_layer_gives_the_colour(self) -> None:
        drawing = Drawing(1, 1)
        drawing.dot(0, 0, "first")
        drawing.dot(1, 0, "second")
        self.assertEqual(list(drawing.cells()), [[("second", "⠉")]])

    def test_a_line_has_no_holes(self) -> None:
        drawing = Drawing(3, 1)
        drawing.line((0, 0), (5, 0), "a")
        self.assertEqual(text(drawing), ["⠉⠉⠉"])


class RoundTests(SynchronousTestCase):
    def test_it_is_a_circle_where_there_is_room(self) -> None:
        shape = Round(100, 40, 13, 1.15)
        self.assertLessEqual(shape.down / shape.across, 1.16)
        self.assertGreater(shape.down, 60)

    def test_a_quarter_is_at_the_right(self) -> None:
        shape = Round(60, 20, 10, 1.0)
        self.assertAlmostEqual(shape.at(0.25)[1], shape.middle[1])
        self.assertGreater(shape.at(0.25)[0], shape.middle[0])

    def test_an_arc_is_a_part_of_it_and_all_of_it_is_closed(self) -> None:
        drawing = Drawing(60, 20)
        shape = Round(60, 20, 10, 1.0)
        shape.arc(drawing, 0.0, 0.5, "a")
        left = [row[: int(shape.middle[0] // 2) - 1].strip() for row in text(drawing)]
        self.assertEqual(set(left), {""})
        shape.arc(drawing, 0.0, 1.0, "a")
        rows = [row.strip() for row in text(drawing) if row.strip()]
        self.assertGreaterEqual(len(rows), 18)
