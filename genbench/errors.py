"""Errors that teach: what was given, what is needed, what to do. Each carries a code to search for and an exit status.

    GenbenchError              exit
    ├── UsageError                2   a flag, a name or a configuration that cannot be right
    ├── IncomparableError         3   two numbers or files that were not made the same way
    ├── DataError                 5   images, arrays or statistics that cannot be used as they are
    └── SetupError                6   offline, a missing extra, a full disk, weights that are not what they claim

Exit 1 is a regression and 4 an inconclusive check under `--strict`; 70 is a bug in genbench and 130 an interruption.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from pydantic import ValidationError

MOST_LISTED = 10


class GenbenchError(Exception):
    """`code` such as "E-EMPTY", one sentence `message` of what is wrong, `hint` of what to do about it."""

    exit_code: ClassVar[int] = 70

    def __init__(self, code: str, message: str, *, hint: str = "") -> None:
        super().__init__(code, message, hint)
        self.code, self.message, self.hint = code, message, hint

    def __str__(self) -> str:
        return f"error[{self.code}]: {self.message}" + (f"\n  hint: {self.hint}" if self.hint else "")

    def __reduce__(self) -> tuple[object, ...]:  # worker processes send errors back by pickle
        return _rebuild, (type(self), self.code, self.message, self.hint)


def _rebuild(kind: type[GenbenchError], code: str, message: str, hint: str) -> GenbenchError:
    return kind(code, message, hint=hint)


class UsageError(GenbenchError):
    """A flag, a name or a configuration that cannot be right."""

    exit_code = 2


class IncomparableError(GenbenchError):
    """Numbers or statistics that were made under different protocols; the message names the field that differs."""

    exit_code = 3


class DataError(GenbenchError):
    """Images, arrays or statistics that cannot be used as they are."""

    exit_code = 5


class SetupError(GenbenchError):
    """The machine lacks something: network, an optional package, disk space, trusted weights."""

    exit_code = 6


@dataclass(frozen=True)
class Warned:
    """Something a reader of the number should know; stored in the result. `code` such as "W-DUPLICATES"."""

    code: str
    text: str


def first_mistake(error: ValidationError, whole: str = "document") -> str:
    """ "metrics.0.level: Input should be less than 1": where a document is first wrong, and how; `whole`: what it is called."""
    first = error.errors(include_url=False)[0]
    where = ".".join(map(str, first["loc"])) or whole
    return f"{where}: {first['msg'].removeprefix('Value error, ')}"


def listed(things: Sequence[object]) -> str:
    """ "a, b, c": of many the first, and that there are more."""
    return ", ".join(map(str, things[:MOST_LISTED])) + (", ..." if len(things) > MOST_LISTED else "")


def missing_extra(package: str, extra: str) -> SetupError:
    """The error for an optional package that is not installed."""
    return SetupError(
        "E-EXTRA", f"this needs the package {package}, which is not installed", hint=f'pip install "genbench[{extra}]"'
    )
