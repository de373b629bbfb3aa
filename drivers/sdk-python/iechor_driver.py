"""What a driver in Python stands on beside the generated bindings: options, requests, steps and words."""

import re
import sys
from collections.abc import Callable
from types import TracebackType
from typing import TypeVar

from componentize_py_types import Err, Ok
from wit_world.exports.driver import CapabilityRequest, Config, Issue, OptionKind, OptionSpec, Severity
from wit_world.imports import log, types
from wit_world.imports.progress import Task

T = TypeVar("T")

# The contract counts time in nanoseconds.
MILLISECOND = 1_000_000
SECOND = 1_000 * MILLISECOND


def option(name: str, kind: OptionKind, help: str, default: str | None = None) -> OptionSpec:
    """Declares an option."""
    return OptionSpec(name, kind, help, default, required=False, secret=False, deprecated=None)


def request(name: str, reason: str, required: bool = True, scope: list[str] | None = None) -> CapabilityRequest:
    """Asks for a capability; the reason is shown to whoever grants it."""
    return CapabilityRequest(name, scope or [], required, reason)


class Reader:
    """Reads the options of a node; `issues` is everything that is wrong with them."""

    def __init__(self, config: Config):
        self.options = dict(config.options)
        self.issues: list[Issue] = []

    def text(self, name: str, default: str | None = None) -> str | None:
        """The value of an option as it was given."""
        return self.options.get(name, default)

    def boolean(self, name: str) -> bool:
        """Whether an option is true. The host has checked that it is a truth value."""
        return self.options.get(name) in ("1", "t", "T", "true", "TRUE", "True")

    def size(self, name: str) -> int | None:
        """An amount of bytes such as `512m`; `None` where it is not given, zero or wrong."""
        text = self.options.get(name)
        if text is None:
            return None
        match = re.fullmatch(r"(\d{1,15}(?:\.\d{1,9})?) ?([kmgt]?)(?:i?b)?", text.lower(), re.ASCII)
        amount = int(float(match[1]) * 1024 ** " kmgt".index(match[2] or " ")) if match else None
        if amount is None or amount >= 2**63:
            self.refuse(name, f"{text!r} is not a size (for example 512m or 2g)")
            return None
        return amount or None

    def table(self, name: str) -> list[tuple[str, str]]:
        """The pairs of a table such as `env.FOO=bar`."""
        prefix = f"{name}."
        pairs = [(key.removeprefix(prefix), value) for key, value in self.options.items() if key.startswith(prefix)]
        if any(not key for key, _ in pairs):
            self.refuse(prefix, f"expecting {prefix}NAME=VALUE")
        return pairs

    def refuse(self, name: str, message: str) -> None:
        """Records that an option is at fault."""
        self.issues.append(Issue(Severity.ERROR, name, message))

    def check(self) -> None:
        """Raises the first issue, where there is one: for `open`, which `validate` comes before."""
        for issue in self.issues:
            raise Err(types.Error_InvalidArgument(f"option {issue.subject}: {issue.message}"))


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


def is_final(error: types.Error) -> bool:
    """Whether trying again is of no use, because the operation is over or the host refused."""
    return isinstance(error, (types.Error_Cancelled, types.Error_Timeout, types.Error_Denied))


def words(error: types.Error) -> str:
    """An error in one line, for a person."""
    match error:
        case types.Error_NotFound(thing):
            return f"no such {thing.kind.name.lower()}: {thing.name}"
        case types.Error_AlreadyExists(thing):
            return f"{thing.kind.name.lower()} {thing.name} exists already"
        case types.Error_Denied(denial):
            return f"{denial.capability} is not granted: {denial.detail}"
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


class _Log:
    """Hands what Python prints to the host's log: a driver has no terminal."""

    def write(self, text: str) -> int:
        for line in filter(None, text.splitlines()):
            log.write(log.Level.DEBUG, line, [])
        return len(text)

    def flush(self) -> None:
        pass


def _explain(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Says where an unexpected exception comes from. Python's own way reads the sources, and there are no files."""
    print("Traceback (most recent call last):")
    while trace is not None:
        code = trace.tb_frame.f_code
        print(f'  File "{code.co_filename}", line {trace.tb_lineno}, in {code.co_name}')
        trace = trace.tb_next
    print(f"{kind.__name__}: {error}")


sys.stdout = sys.stderr = _Log()
sys.excepthook = _explain
