"""What a driver in Python stands on beside the generated bindings: options, requests, steps, waiting and words."""

import sys
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, TypeVar

import iechor_values
from componentize_py_types import Err, Ok
from wit_world.exports import driver
from wit_world.imports import clock, log, types
from wit_world.imports.buildkit_session import Client
from wit_world.imports.progress import Task
from wit_world.imports.transport import Connection

T = TypeVar("T")

# The contract counts time in nanoseconds.
MILLISECOND = 1_000_000
SECOND = 1_000 * MILLISECOND

# The first try is made at once; waits double up to the longest.
_FIRST_WAIT, _LONGEST_WAIT = 20 * MILLISECOND, 500 * MILLISECOND
# Asking again makes no difference: the operation is over, or the answer is one that stays.
_FINAL = (
    types.Error_Cancelled,
    types.Error_Timeout,
    types.Error_Denied,
    types.Error_InvalidArgument,
    types.Error_Unsupported,
    types.Error_Other,
)


def option(
    name: str,
    kind: driver.OptionKind,
    help: str,
    default: str | None = None,
    *,
    required: bool = False,
    secret: bool = False,
    deprecated: str | None = None,
) -> driver.OptionSpec:
    """Declares an option; `default` is what `Reader` takes where it is not given, and what help shows."""
    return driver.OptionSpec(name, kind, help, default, required, secret, deprecated)


def request(name: str, reason: str, required: bool = True, scope: list[str] | None = None) -> driver.CapabilityRequest:
    """Asks for a capability; the reason is shown to whoever grants it."""
    return driver.CapabilityRequest(name, scope or [], required, reason)


class Reader:
    """Reads the options of a node as they are declared; `issues` is everything that is wrong with them.

    Each method gives the value of one option: the one that the user gave, else the declared default, else `None`.
    A value that is wrong becomes an issue, and reading goes on: one run finds every fault. To read an option that is
    not declared, or not of that kind, is a mistake of the driver's author, and raises `LookupError`.
    """

    def __init__(self, config: driver.Config, declared: Iterable[driver.OptionSpec]):
        self.issues: list[driver.Issue] = []
        self._declared = {spec.name: spec for spec in declared}
        self._given: dict[str, str] = {}
        for name, value in config.options:
            # Of several the last one counts, value and place.
            self._given.pop(name, None)
            self._given[name] = value

    def text(self, name: str, parse: Callable[[str], Any] = str) -> Any:
        """Any text, or what `parse` makes of it: a parser such as those of `iechor_values`."""
        return self._read(name, driver.OptionKind_Text, parse)

    def boolean(self, name: str) -> bool:
        """Whether an option is true; one that is not given and has no default is not."""
        return bool(self._read(name, driver.OptionKind_Boolean, iechor_values.boolean))

    def integer(self, name: str) -> int | None:
        """A whole number."""
        return self._read(name, driver.OptionKind_Integer, iechor_values.integer)

    def size(self, name: str) -> int | None:
        """An amount of bytes, given as `512m`."""
        return self._read(name, driver.OptionKind_Size, iechor_values.size)

    def duration(self, name: str) -> int | None:
        """A span of time in nanoseconds, given as `1m30s`."""
        return self._read(name, driver.OptionKind_Duration, iechor_values.duration)

    def choice(self, name: str) -> str | None:
        """One of the words that the option is declared with."""

        def parse(text: str) -> str:
            words = self._spec(name, driver.OptionKind_Choice).kind.value
            if text not in words:
                raise ValueError(f"{text!r} is none of: {', '.join(words)}")
            return text

        return self._read(name, driver.OptionKind_Choice, parse)

    def file(self, name: str) -> str | None:
        """A file of the user's machine: a name that `transport.Tls` takes, since the file stays with the host."""
        return self._read(name, driver.OptionKind_File, str)

    def table(self, name: str) -> list[tuple[str, str]]:
        """The pairs of a table, given as `env.FOO=bar`."""
        self._spec(name, driver.OptionKind_Table)
        prefix = f"{name}."
        if prefix in self._given:
            self.refuse(prefix, f"expecting {prefix}NAME=VALUE")
        found = [(key.removeprefix(prefix), value) for key, value in self._given.items() if key.startswith(prefix)]
        return [(key, value) for key, value in found if key]

    def is_given(self, name: str) -> bool:
        """Whether the user gave the option, rightly or wrongly."""
        return name in self._given

    def refuse(self, name: str | None, message: str) -> None:
        """Records that an option is at fault, or with `None` something else, such as the flags of buildkitd."""
        self.issues.append(driver.Issue(driver.Severity.ERROR, name, message))

    def warn(self, name: str | None, message: str) -> None:
        """Records something that does not keep the node from working."""
        self.issues.append(driver.Issue(driver.Severity.WARNING, name, message))

    def check(self) -> None:
        """Raises everything that is wrong, if anything is: for `open`, before which nobody need ask `validate`."""
        missing = [spec.name for spec in self._declared.values() if spec.required and not self.is_given(spec.name)]
        faults = [f"option {name}: it must be given" for name in missing]
        for issue in self.issues:
            if issue.severity == driver.Severity.ERROR:
                faults.append(f"option {issue.subject}: {issue.message}" if issue.subject else issue.message)
        if faults:
            raise Err(types.Error_InvalidArgument("; ".join(faults)))

    def _spec(self, name: str, kind: type[driver.OptionKind]) -> driver.OptionSpec:
        spec = self._declared.get(name)
        if spec is None:
            raise LookupError(f"option {name} is read, but not declared")
        if not isinstance(spec.kind, kind):
            raise LookupError(f"option {name} is read as {kind.__name__}, but declared as {type(spec.kind).__name__}")
        return spec

    def _read(self, name: str, kind: type[driver.OptionKind], parse: Callable[[str], T]) -> T | None:
        spec = self._spec(name, kind)
        try:
            default = None if spec.default is None else parse(spec.default)
        except ValueError as error:
            raise LookupError(f"the default of the option {name} is wrong: {error}") from error
        if name not in self._given:
            return default
        try:
            return parse(self._given[name])
        except ValueError as error:
            self.refuse(name, "its value (not shown) is wrong" if spec.secret else str(error))
            return default


def step(name: str, work: Callable[[Task], T]) -> T:
    """Runs `work` as a step that the user sees, with its outcome."""
    task = Task(name)
    try:
        result = work(task)
    except Err as error:
        Task.finish(task, Err(words(error.value)))
        raise
    Task.finish(task, Ok(None))
    return result


def wait_for_buildkit(within: int, dial: Callable[[], Connection], check_alive: Callable[[], None]) -> None:
    """Tries until BuildKit answers on a connection of `dial` and has a worker, for at most `within` nanoseconds and no
    longer than the operation may take; then raises that it is unavailable. After each try that fails it calls
    `check_alive`, whose error ends the waiting at once, as does one after which asking again makes no difference.
    """
    begun = clock.now()
    wait = _FIRST_WAIT
    while True:
        try:
            if Client.open(dial()).workers():
                return
            reason = "it has no worker"
        except Err as error:
            if isinstance(error.value, _FINAL):
                raise
            reason = words(error.value)
        check_alive()
        left = clock.remaining()
        if clock.now() - begun >= within or (left is not None and left <= wait):
            raise Err(types.Error_Unavailable(f"BuildKit does not answer: {reason}"))
        clock.sleep(wait)
        wait = min(2 * wait, _LONGEST_WAIT)


def ignore_missing(work: Callable[[], object]) -> None:
    """Runs `work`, which removes or stops something that may be gone already."""
    try:
        work()
    except Err as error:
        if not isinstance(error.value, types.Error_NotFound):
            raise


def words(error: types.Error) -> str:
    """An error in one line, for a person."""
    match error:
        case types.Error_NotFound(thing):
            return f"no such {_kind(thing)}: {thing.name}"
        case types.Error_AlreadyExists(thing):
            return f"{_kind(thing)} {thing.name} exists already"
        case types.Error_Denied(denial):
            return f"{denial.capability} is denied: {denial.detail}"
        case types.Error_Engine(failure):
            return failure.message
        case types.Error_NotRunning():
            return "the builder is not running"
        case types.Error_Timeout():
            return "out of time"
        case types.Error_Cancelled():
            return "cancelled"
        case _:
            return error.value


def _kind(thing: types.ObjectRef) -> str:
    return "object" if thing.kind == types.ObjectKind.OTHER else thing.kind.name.lower()


class _Log:
    """Hands what Python prints to the host's log, a record a line: a driver has no terminal."""

    def __init__(self) -> None:
        self._line = ""

    def write(self, text: str) -> int:
        # `print` writes each of its arguments by itself.
        *lines, self._line = (self._line + text).split("\n")
        for line in filter(None, lines):
            log.write(log.Level.DEBUG, line, [])
        return len(text)

    def flush(self) -> None:
        if self._line:
            self.write("\n")


def _explain(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Says where an unexpected exception comes from. Python's own way reads the sources, and there are no files."""
    print("Traceback (most recent call last):")
    while trace is not None:
        code = trace.tb_frame.f_code
        print(f'  File "{code.co_filename}", line {trace.tb_lineno}, in {code.co_name}')
        trace = trace.tb_next
    print(f"{kind.__name__}: {error}")


# In the component; not where the tests of a driver run.
if sys.platform == "wasi":
    sys.stdout = sys.stderr = _Log()
    sys.excepthook = _explain
