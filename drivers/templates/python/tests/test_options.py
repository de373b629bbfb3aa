"""What the driver decides by itself. What it does to an engine, `iechor driver test` holds it to."""

import unittest

from driver import Driver, Options
from wit_world.exports.driver import Config


def read(*options: tuple[str, str]) -> Options:
    return Options(Config("node0", "", list(options), buildkitd_flags=[], files=[], platforms=[], extra=[]))


class Describing(unittest.TestCase):
    def test_it_says_what_it_is(self) -> None:
        self.assertEqual(Driver().describe().name, "{{name}}")


class Reading(unittest.TestCase):
    def test_nothing_need_be_given(self) -> None:
        options = read()
        self.assertEqual(options.issues, [])
        self.assertEqual((options.memory, options.default_load), (None, False))

    def test_options_are_read(self) -> None:
        options = read(("memory", "1g"), ("env.HTTP_PROXY", "http://proxy:3128"))
        self.assertEqual(options.issues, [])
        self.assertEqual(options.memory, 1 << 30)
        self.assertEqual(options.env, [("HTTP_PROXY", "http://proxy:3128")])

    def test_wrong_options_are_refused_by_name(self) -> None:
        options = read(("image", ""), ("memory", "1m"), ("env.A=B", "x"))
        self.assertEqual([issue.subject for issue in options.issues], ["image", "memory", "env.A=B"])


if __name__ == "__main__":
    unittest.main()
