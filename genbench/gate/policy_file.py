"""Where the policy of a project is written: `genbench.toml`, or `[tool.genbench.check]` of pyproject.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from genbench import catalog
from genbench.errors import UsageError
from genbench.gate.policy import Gate, Policy

FILE = "genbench.toml"
PROJECT = "pyproject.toml"
HINT = "docs/check.md lists what a policy may say"


def find_policy() -> Policy:
    """The nearest policy from the working directory up to the root of the repository; the default without one."""
    start = Path.cwd()
    for folder in [start, *start.parents]:
        for path in (folder / FILE, folder / PROJECT):
            if path.is_file() and (found := _policy(path)) is not None:
                return found
        if (folder / ".git").exists():
            break
    return Policy()


def load_policy(path: str | Path) -> Policy:
    """The policy of that file. Raises UsageError that lists every mistake in it."""
    path = Path(path)
    if not path.is_file():
        raise UsageError("E-POLICY", f"no policy at {path}", hint=f"a policy is a {FILE}; {HINT}")
    found = _policy(path)
    if found is None:
        raise UsageError("E-POLICY", f"{path.name} has no table [tool.genbench.check]", hint=HINT)
    return found


def _policy(path: Path) -> Policy | None:
    """None for a pyproject.toml that says nothing about genbench."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError("E-POLICY", f"{path.name} cannot be read: {error}", hint=HINT) from error
    where = ["check"]
    if path.name == PROJECT:
        table, where = table.get("tool", {}).get("genbench"), ["tool", "genbench", "check"]
        if table is None:
            return None
    if not isinstance(table, dict):
        raise _mistakes(path, [f"{'.'.join(where[:-1])}: not a table"])
    found = [f"unknown key {'.'.join([*where[:-1], key])}; {_near(key, ['check'])}" for key in table if key != "check"]
    policy = None
    try:
        policy = Policy.model_validate(table.get("check", {}))
    except ValidationError as error:
        found += [_sentence(mistake, where) for mistake in error.errors()]
    if found or policy is None:
        raise _mistakes(path, found)
    return policy


def _mistakes(path: Path, found: Sequence[str]) -> UsageError:
    count = "one mistake" if len(found) == 1 else f"{len(found)} mistakes"
    return UsageError("E-POLICY", "".join([f"{path.name} has {count}:", *(f"\n  - {mistake}" for mistake in found)]), hint=HINT)


def _sentence(mistake: Any, where: Sequence[str]) -> str:
    place = ".".join(map(str, [*where, *mistake["loc"]]))
    if mistake["type"] == "extra_forbidden":
        model: type[BaseModel] = Gate if "gate" in mistake["loc"] else Policy
        return f"unknown key {place}; {_near(str(mistake['loc'][-1]), model.model_fields)}"
    message = mistake["msg"].removeprefix("Value error, ").removeprefix("Input ")
    given = "" if isinstance(mistake["input"], dict) else f", not {mistake['input']!r}"
    return f"{place}: {message}{given}"


def _near(key: str, known: Any) -> str:
    return catalog.unknown("keys", key, known).hint
