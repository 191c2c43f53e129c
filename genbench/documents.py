"""Documents from outside: read with a limit, checked as a whole, and refused with a sentence of what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from genbench.errors import DataError, first_mistake

Read = TypeVar("Read")


class Table(BaseModel):
    """What people write by hand: an unknown key is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def read_document(path: Path, parse: Callable[[bytes], Read], *, kind: str, most: int, code: str, hint: str) -> Read:
    """What `parse` makes of the bytes of a file.

    kind: what the file should be, such as "genbench.result/1"; most: bytes of one. Raises DataError with `code` and `hint` for
    a larger file, and for one that cannot be read or that `parse` refuses with any error that a document can cause.
    """
    try:
        if (size := path.stat().st_size) > most:
            raise DataError(code, f"{path} has {size:,} bytes, and a {kind} has at most {most:,}", hint=hint)
        return parse(path.read_bytes())
    except ValidationError as error:
        raise DataError(code, f"{path} is no {kind}: {first_mistake(error)}", hint=hint) from error
    except (OSError, ValueError, TypeError, AttributeError, LookupError, RecursionError) as error:
        raise DataError(code, f"{path} is no {kind}: {error}", hint=hint) from error
