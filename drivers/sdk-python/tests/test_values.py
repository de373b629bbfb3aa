"""The parsers on the tables in `tests/values`, which the crate `iechor-driver` runs as well."""

import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any

import iechor_values

TABLES = Path(__file__).parents[3] / "tests" / "values"


class Values(unittest.TestCase):
    def check(self, file: str, parse: Callable[[str], Any], show: Callable[[Any], str] = str) -> None:
        """Asserts that a parser takes from each text of a table what the table says."""
        lines = (TABLES / file).read_text("utf-8").removesuffix("\n").split("\n")
        cases = [line.split("\t") for line in lines if not line.startswith("#")]
        self.assertTrue(cases)
        for text, expected in cases:
            with self.subTest(file=file, text=text):
                if expected == "!":
                    self.assertRaises(ValueError, parse, text)
                else:
                    self.assertEqual(show(parse(text)), expected)

    def test_sizes(self) -> None:
        self.check("sizes.tsv", iechor_values.size)

    def test_durations(self) -> None:
        self.check("durations.tsv", iechor_values.duration)

    def test_booleans(self) -> None:
        self.check("booleans.tsv", iechor_values.boolean, lambda value: str(value).lower())

    def test_integers(self) -> None:
        self.check("integers.tsv", iechor_values.integer)

    def test_images(self) -> None:
        self.check("images.tsv", iechor_values.image_reference)


if __name__ == "__main__":
    unittest.main()
