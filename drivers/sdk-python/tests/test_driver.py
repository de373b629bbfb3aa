"""What `iechor_driver` does by itself: the host's functions are replaced."""

import contextlib
import unittest
from unittest.mock import MagicMock, patch

import iechor_driver
from componentize_py_types import Err
from iechor_driver import MILLISECOND, SECOND, Reader, option
from wit_world.exports import driver
from wit_world.imports import types

DECLARED = [
    option("image", driver.OptionKind_Text(), "Image", "moby/buildkit:v1"),
    option("load", driver.OptionKind_Boolean(), "Load", "true"),
    option("count", driver.OptionKind_Integer(), "Count", "3"),
    option("memory", driver.OptionKind_Size(), "Memory", "1g"),
    option("patience", driver.OptionKind_Duration(), "Patience", "90s"),
    option("pull", driver.OptionKind_Choice(["always", "never"]), "Pull", "always"),
    option("env", driver.OptionKind_Table(), "Environment"),
    option("token", driver.OptionKind_Integer(), "Token", secret=True),
    option("host", driver.OptionKind_Text(), "Host", required=True),
    option("wrong", driver.OptionKind_Size(), "Its default is no size", "much"),
]


def reader(*options: tuple[str, str]) -> Reader:
    config = driver.Config("", "", list(options), [], [], [], [])
    return Reader(config, DECLARED)


class Options(unittest.TestCase):
    def read(self, read: Reader) -> list[object]:
        return [
            read.text("image"),
            read.boolean("load"),
            read.integer("count"),
            read.size("memory"),
            read.duration("patience"),
            read.choice("pull"),
        ]

    defaults = ["moby/buildkit:v1", True, 3, 1 << 30, 90 * SECOND, "always"]

    def test_what_is_not_given_is_the_declared_default(self) -> None:
        read = reader()
        self.assertEqual(self.read(read), self.defaults)
        self.assertEqual((read.integer("token"), read.text("host"), read.table("env")), (None, None, []))
        self.assertEqual(read.issues, [])

    def test_what_is_given_counts(self) -> None:
        read = reader(
            ("image", "x"),
            ("load", "0"),
            ("count", "-1"),
            ("memory", "0"),
            ("patience", "1ms"),
            ("pull", "never"),
        )
        self.assertEqual(self.read(read), ["x", False, -1, 0, MILLISECOND, "never"])

    def test_every_fault_is_an_issue_at_its_option(self) -> None:
        names = ["load", "count", "memory", "patience", "pull"]
        read = reader(*((name, "banana") for name in names))
        self.assertEqual(self.read(read), self.defaults)
        self.assertEqual([issue.subject for issue in read.issues], names)
        for issue in read.issues:
            self.assertIn("'banana' is n", issue.message)

    def test_a_text_goes_through_a_parser(self) -> None:
        read = reader(("image", "Moby/X:"))
        parse = iechor_driver.iechor_values.image_reference
        self.assertEqual(read.text("image", parse), "moby/buildkit:v1")
        self.assertIn("is not an image reference", read.issues[0].message)

    def test_a_secret_is_in_no_message(self) -> None:
        read = reader(("token", "hunter2"))
        read.integer("token")
        self.assertNotIn("hunter2", read.issues[0].message)

    def test_a_table_has_each_key_once(self) -> None:
        read = reader(("env.A", "1"), ("env.B", "2"), ("environment", "x"), ("env.A", "3"), ("env.", "4"))
        self.assertEqual(read.table("env"), [("B", "2"), ("A", "3")])
        self.assertEqual([issue.subject for issue in read.issues], ["env."])

    def test_mistakes_of_the_author_say_so(self) -> None:
        for read, words in [
            (lambda: reader().text("imgae"), "imgae is read, but not declared"),
            (lambda: reader().table("imgae"), "imgae is read, but not declared"),
            (lambda: reader().size("load"), "read as OptionKind_Size, but declared as OptionKind_Boolean"),
            (lambda: reader(("wrong", "1g")).size("wrong"), "the default of the option wrong is wrong"),
        ]:
            with self.assertRaisesRegex(LookupError, words):
                read()

    def test_open_is_refused_with_every_error(self) -> None:
        read = reader(("memory", "x"))
        read.size("memory")
        read.warn("load", "fine")
        read.refuse(None, "no flags")
        with self.assertRaises(Err) as raised:
            read.check()
        self.assertEqual(
            raised.exception.value,
            types.Error_InvalidArgument(
                "option host: it must be given; "
                "option memory: 'x' is not a size (for example 512m or 2g); no flags"
            ),
        )
        reader(("host", "x")).check()


class Host:
    """A host on virtual time, whose BuildKit fails as `failures` say, and then answers."""

    def __init__(self, *failures: types.Error | None, left: int | None = None):
        self.failures = list(failures)
        self.left = left
        self.now = 0
        self.tries = 0

    def sleep(self, span: int) -> None:
        self.now += span

    def remaining(self) -> int | None:
        return None if self.left is None else self.left - self.now

    def workers(self) -> list[str]:
        self.tries += 1
        failure = self.failures.pop(0) if len(self.failures) > 1 else self.failures[0]
        if failure is not None:
            raise Err(failure)
        return ["a worker"]

    def wait(self, within: int, check_alive: MagicMock | None = None) -> None:
        client = MagicMock()
        client.open.return_value.workers = self.workers
        clock = MagicMock(now=lambda: self.now, sleep=self.sleep, remaining=self.remaining)
        with patch.multiple(iechor_driver, Client=client, clock=clock):
            iechor_driver.wait_for_buildkit(within, MagicMock(), check_alive or MagicMock())


class Waiting(unittest.TestCase):
    def test_it_ends_when_buildkit_answers(self) -> None:
        host = Host(types.Error_NotRunning(), types.Error_Unavailable("soon"), None)
        host.wait(SECOND)
        self.assertEqual((host.tries, host.now), (3, 60 * MILLISECOND))

    def test_an_answer_that_stays_ends_it_at_once(self) -> None:
        for error in [
            types.Error_Cancelled(),
            types.Error_Timeout(),
            types.Error_Denied(types.Denial("transport.tcp", "no")),
            types.Error_InvalidArgument("no"),
            types.Error_Unsupported("no"),
            types.Error_Other("no"),
        ]:
            host = Host(error)
            with self.subTest(error=error), self.assertRaises(Err) as raised:
                host.wait(SECOND)
            self.assertEqual((raised.exception.value, host.tries), (error, 1))

    def test_it_gives_up_in_time(self) -> None:
        for left, latest in [(None, 1500 * MILLISECOND), (200 * MILLISECOND, 200 * MILLISECOND)]:
            host = Host(types.Error_Unavailable("refused"), left=left)
            with self.subTest(left=left), self.assertRaises(Err) as raised:
                host.wait(SECOND)
            self.assertEqual(raised.exception.value, types.Error_Unavailable("BuildKit does not answer: refused"))
            self.assertLessEqual(host.now, latest)

    def test_an_end_of_what_it_waits_for_ends_it(self) -> None:
        ended = Err(types.Error_Unavailable("ended"))
        host = Host(types.Error_NotRunning())
        with self.assertRaises(Err) as raised:
            host.wait(SECOND, MagicMock(side_effect=ended))
        self.assertEqual((raised.exception, host.tries), (ended, 1))


class Errors(unittest.TestCase):
    def test_missing_is_ignored_and_nothing_else(self) -> None:
        missing = types.Error_NotFound(types.ObjectRef(types.ObjectKind.CONTAINER, "x"))
        iechor_driver.ignore_missing(MagicMock(side_effect=Err(missing)))
        with self.assertRaises(Err):
            iechor_driver.ignore_missing(MagicMock(side_effect=Err(types.Error_NotRunning())))

    def test_words(self) -> None:
        for error, words in [
            (types.Error_NotFound(types.ObjectRef(types.ObjectKind.VOLUME, "x")), "no such volume: x"),
            (types.Error_AlreadyExists(types.ObjectRef(types.ObjectKind.OTHER, "x")), "object x exists already"),
            (types.Error_Engine(types.EngineFailure(500, "broken")), "broken"),
            (types.Error_Other("odd"), "odd"),
        ]:
            self.assertEqual(iechor_driver.words(error), words)


class Printing(unittest.TestCase):
    def test_a_line_is_a_record(self) -> None:
        with patch.object(iechor_driver.log, "write") as write:
            with contextlib.redirect_stdout(iechor_driver._Log()):
                print("one", 2)
                print("three\n\nfour", end="")
                self.assertEqual([call.args[1] for call in write.call_args_list], ["one 2", "three"])
                print(flush=True)
                print("five", end="", flush=True)
        self.assertEqual([call.args[1] for call in write.call_args_list], ["one 2", "three", "four", "five"])


if __name__ == "__main__":
    unittest.main()
