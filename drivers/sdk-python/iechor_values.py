"""Parsers of values, which take exactly what those of the crate `iechor-driver` take.

Each raises `ValueError` with one clause without the option's name: `Reader` puts the name before it.
"""

import re
from string import ascii_uppercase

# What a signed number of 64 bits holds; the contract and engines count in those.
_LARGEST = 2**63 - 1

_SIZE = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+) ?(?:([kmgtp])(?:i?b)?|b?)", re.ASCII | re.IGNORECASE)
_UNITS = {
    "ns": 1,
    "us": 1_000,
    # The micro sign, and the Greek letter that looks like it.
    "\u00b5s": 1_000,
    "\u03bcs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_SPAN = re.compile(rf"(?=\.?[0-9])([0-9]*)\.?([0-9]*)({'|'.join(_UNITS)})")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:]+\])(?::[0-9]+)?")
_PATH_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}")


def boolean(text: str) -> bool:
    """A truth value, as Go's `strconv.ParseBool` takes it."""
    if text in ("1", "t", "T", "true", "TRUE", "True"):
        return True
    if text in ("0", "f", "F", "false", "FALSE", "False"):
        return False
    raise ValueError(f"{text!r} is neither true nor false")


def integer(text: str) -> int:
    """A decimal whole number of 64 bits."""
    if re.fullmatch(r"[+-]?[0-9]+", text) and -_LARGEST - 1 <= int(text) <= _LARGEST:
        return int(text)
    raise ValueError(f"{text!r} is not a whole number (for example 100000)")


def size(text: str) -> int:
    """An amount of bytes in the manner of Docker: `512m`, `1.5 GiB`, `1073741824`."""
    match = _SIZE.fullmatch(text)
    # In floating point, as Docker and the crate count.
    amount = float(match[1]) * 1024.0 ** " kmgtp".index((match[2] or " ").lower()) if match else None
    if amount is None or amount > _LARGEST:
        raise ValueError(f"{text!r} is not a size (for example 512m or 2g)")
    return int(amount)


def duration(text: str) -> int:
    """A span of time in the grammar of Go's `time.ParseDuration`, in nanoseconds: `90s`, `1m30s`, `1.5h`."""
    rest = text.removeprefix("+")
    if rest == "0":
        return 0
    total, at = 0, 0
    while match := _SPAN.match(rest, at):
        whole, fraction, unit = match[1] or "0", match[2][:18] or "0", _UNITS[match[3]]
        total += int(whole) * unit + int(fraction) * unit // 10 ** len(fraction)
        at = match.end()
    if at == 0 or at < len(rest) or total > _LARGEST:
        raise ValueError(f"{text!r} is not a duration (for example 90s or 1m30s)")
    return total


def image_reference(text: str) -> str:
    """The reference of an image: `[HOST[:PORT]/]PATH[:TAG][@ALGORITHM:DIGEST]`, by the grammar of `distribution/reference`,
    which engines read references with."""

    def wrong(why: str) -> ValueError:
        return ValueError(f"{text!r} is not an image reference: {why} (for example moby/buildkit:v0.31.0)")

    name, at, digest = text.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        raise wrong("what follows @ is a digest, sha256: and 64 digits or letters from a to f")
    before, colon, tag = name.rpartition(":")
    # A colon before a slash is that of a port.
    if colon and "/" not in tag:
        name = before
        if not _TAG.fullmatch(tag):
            raise wrong("a tag has letters, digits, '_', '.' and '-', at most 128")
    host, slash, path = name.partition("/")
    # A registry rather than part of the path, as engines tell.
    if slash and (host == "localhost" or any(c in ".:" or c in ascii_uppercase for c in host)):
        if not _HOST.fullmatch(host):
            raise wrong("what precedes the first '/' is no HOST or HOST:PORT")
    else:
        path = name
    if len(path) > 255:
        raise wrong("a path has at most 255 characters")
    if not all(_PATH_COMPONENT.fullmatch(component) for component in path.split("/")):
        raise wrong("a path has lower-case letters and digits, and between them '.', '_', '__' or any number of '-'")
    return text
