"""A suite: one TOML file that states what is compared, and only what differs from the defaults.

version = 1                      # raised when the rules change; tables never mix versions
title = "Every family on the digits"
dataset = "digits"
metrics = ["fd@tiny", "kd@tiny"] # the first one chooses the best checkpoint
num_images = 599                 # by default as many as the test split holds
seeds = [0, 1, 2]
threads = 1
budget.seconds = 30

[[entries]]
model = "vae"                    # a name of `genbench list models`, or "package.module:Object"
label = "VAE, categorical"       # by default the model's title
args.decoder = "categorical"     # of the model's constructor
recipe.lr = 1e-3                 # instead of the model's own
knobs.temperature = 0.9          # of sampling
budget.seconds = 60              # instead of the suite's
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from genbench import catalog, files
from genbench.errors import DataError, GenbenchError, UsageError
from genbench.training.budget import Budget

VERSION = 1
Scalar = bool | int | float | str | list[int] | list[float]


# What must agree for runs to stand in one table.
SHARED = ("version", "dataset", "image_size", "metrics", "num_images", "num_scored")


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BudgetTable(_Table):
    """Exactly one of the three; see `genbench.training.budget.Budget`."""

    seconds: float | None = None
    steps: int | None = None
    images: int | None = None

    def budget(self) -> Budget:
        return Budget(seconds=self.seconds, steps=self.steps, images=self.images)


class Entry(_Table):
    """One system: what to build and what to change about it."""

    model: str
    label: str | None = None
    args: dict[str, Scalar] = {}
    recipe: dict[str, Scalar] = {}
    knobs: dict[str, float] = {}
    budget: BudgetTable | None = None

    @property
    def name(self) -> str:
        """How its folder and its messages call it."""
        plain = re.sub(r"[^a-z0-9]+", "-", (self.label or self.model).lower()).strip("-")
        return plain or "entry"


class Suite(_Table):
    """See the example above. num_scored: test images whose likelihood is computed."""

    version: int
    title: str
    dataset: str
    metrics: list[str] = Field(min_length=1)
    image_size: int | None = None
    num_images: int | None = Field(default=None, ge=2)
    num_scored: int = Field(default=1000, ge=2)
    seeds: list[int] = Field(default=[0], min_length=1)
    threads: int = Field(default=1, ge=1)
    budget: BudgetTable
    entries: list[Entry] = Field(min_length=1)

    @field_validator("seeds")
    @classmethod
    def _different(cls, seeds: list[int]) -> list[int]:
        if len(set(seeds)) < len(seeds):
            raise ValueError("every seed once")
        return seeds

    def shared(self) -> dict[str, Any]:
        """What all of its runs have in common, by the names of SHARED; of a path no more than its last part."""
        dataset = Path(self.dataset).name if Path(self.dataset).is_absolute() else self.dataset
        return {name: getattr(self, name) for name in SHARED} | {"dataset": dataset}

    def budget_of(self, entry: Entry) -> Budget:
        return (entry.budget or self.budget).budget()


def shipped() -> list[str]:
    """Names of the suites that travel with genbench."""
    return sorted(path.stem for path in files.package_data("benchmarks").glob("*.toml"))


def find_suite(name_or_path: str | Path) -> Path:
    """The file of a suite: a path, or the name of one that travels with genbench. Raises an error with suggestions."""
    path = Path(name_or_path).expanduser()
    if path.is_file():
        return path
    inside = files.package_data("benchmarks") / Path(name_or_path).name
    inside = inside if inside.suffix == ".toml" else inside.with_name(f"{inside.name}.toml")
    if inside.is_file():
        return inside
    if path.suffix == ".toml" or path.parent != Path("."):
        hint = f"suites that come with genbench: {', '.join(shipped())}"
        raise DataError("E-NO-PATH", f"no such suite: {name_or_path}", hint=hint)
    raise catalog.unknown("suites", str(name_or_path), shipped())


def load_suite(path: Path) -> Suite:
    """The suite in a TOML file. Raises UsageError that lists every key or value that cannot be right."""
    try:
        table = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError("E-SUITE", f"{path.name} is no TOML: {error}", hint="see docs/suites.md for an example") from error
    if isinstance(table, dict) and table.get("version", VERSION) != VERSION:
        what = f"{path.name} has version {table['version']}, this genbench runs version {VERSION}"
        raise UsageError("E-SUITE", what, hint="update genbench, or the suite")
    try:
        return Suite.model_validate(table)
    except ValidationError as error:
        raise mistakes(path.name, [_sentence(mistake) for mistake in error.errors()]) from error


def mistakes(name: str, found: list[str]) -> GenbenchError:
    """One error that lists all that is wrong with a suite."""
    listed = "".join(f"\n  - {mistake}" for mistake in found)
    count = "one mistake" if len(found) == 1 else f"{len(found)} mistakes"
    return UsageError("E-SUITE", f"{name} has {count}; nothing was trained:{listed}", hint="correct them and run it again")


def _sentence(mistake: Any) -> str:
    place = ".".join(str(part) for part in mistake["loc"])
    if mistake["type"] == "extra_forbidden":
        key = str(mistake["loc"][-1])
        parent = mistake["loc"][-2] if len(mistake["loc"]) > 1 else None
        table = BudgetTable if parent == "budget" else Entry if mistake["loc"][0] == "entries" else Suite
        return f"unknown key {place!r}; {catalog.unknown('keys', key, table.model_fields).hint}"
    return f"{place}: {mistake['msg'].lower()}"
