"""From a suite to the jobs it consists of, with everything cheap checked before anything is trained."""

from __future__ import annotations

import dataclasses
import typing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter, ValidationError

from genbench import catalog
from genbench.bench.suite import Entry, Suite, mistakes
from genbench.data.dataset import Dataset, open_dataset
from genbench.errors import GenbenchError, UsageError
from genbench.evaluation.evaluator import TAKEN
from genbench.evaluation.request import parse_all
from genbench.metrics.base import Takes
from genbench.models.base import GenerativeModel
from genbench.models.stages import Recipe
from genbench.training.loop import Precision
from genbench.training.saved import build_model

# What a suite can give to metrics: samples, the training split and the test split, but no captions, pairs or classes.
IN_SUITES: tuple[Takes, ...] = (*TAKEN, "held_out", "own_pairs")


@dataclass(frozen=True)
class Job:
    """One entry under one seed, and the folder that keeps it."""

    suite: Suite
    entry: Entry
    seed: int
    folder: Path
    precision: Precision = "auto"
    compiled: bool = False

    @property
    def name(self) -> str:
        return f"{self.entry.label or self.entry.model}, seed {self.seed}"

    def build(self, dataset: Dataset) -> GenerativeModel:
        """The untrained model; the same weights whenever the same job builds it."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return build_model(self.entry.model, dataset.spec, self.entry.args)

    def recipe(self) -> Recipe:
        return changed_recipe(catalog.find("models", self.entry.model).recipe, self.entry.recipe)

    def config(self) -> dict[str, Any]:
        """Everything that decides the outcome, resolved; what `config.json` of the folder holds."""
        return {
            **self.suite.shared(),
            "threads": self.suite.threads,
            "budget": str(self.suite.budget_of(self.entry)),
            "model": self.entry.model,
            "args": self.entry.args,
            "recipe": dataclasses.asdict(self.recipe()),
            "knobs": self.entry.knobs,
            "precision": self.precision,
            "compiled": self.compiled,
            "seed": self.seed,
        }


def plan(suite: Suite, name: str, folder: Path, *, precision: Precision = "auto", compiled: bool = False) -> list[Job]:
    """All jobs of a suite, in order: every entry under the first seed, then under the second, ....

    Opens the data, resolves every metric and builds every model once. Raises UsageError that lists all mistakes.
    """
    found: list[str] = []

    def attempt(place: str, work: typing.Callable[[], object]) -> None:
        try:
            work()
        except GenbenchError as error:
            found.append(f"{place}: {error.message}" + (f" ({error.hint})" if error.hint else ""))

    attempt("metrics", lambda: _check_metrics(suite))
    labels = [entry.name for entry in suite.entries]
    for entry in suite.entries:
        place = f"entry {entry.label or entry.model!r}"
        if labels.count(entry.name) > 1:
            found.append(f"{place}: {labels.count(entry.name)} entries are called so (give each a label of its own)")
        attempt(place, lambda entry=entry: _check_entry(suite, entry))  # type: ignore[misc]
    if found:
        raise mistakes(name, list(dict.fromkeys(found)))
    return [
        Job(suite, entry, seed, folder / entry.name / f"seed{seed}", precision, compiled)
        for seed in suite.seeds
        for entry in suite.entries
    ]


def _check_metrics(suite: Suite) -> None:
    if not is_points(suite):
        requests = parse_all(suite.metrics, None, "fp32", given={"a reference", "held-out images"}, can_take=IN_SUITES)
        if requests[0].metric.takes not in TAKEN:
            hint = "put a distance to the reference first, such as fd@tiny"
            message = f"{requests[0].label} cannot choose the best checkpoint, as the first metric does"
            raise UsageError("E-FIRST", message, hint=hint)
        return
    for name in suite.metrics:
        takes = catalog.find("metrics", name).takes
        has_modes = hasattr(catalog.find("datasets", suite.dataset), "modes")
        if takes not in ("points", "distributions", "features") or (takes == "points" and not has_modes):
            hint = "points of the plane take fid and kid, computed on coordinates; ring and grid also mode_coverage"
            raise UsageError("E-POINTS", f"{name} cannot be measured on {suite.dataset}", hint=hint)


def is_points(suite: Suite) -> bool:
    """Whether the data are points of the plane, which have no features."""
    known = suite.dataset in catalog.names("datasets")
    return known and catalog.find("datasets", suite.dataset).size == (1, 1)


def dataset_for(suite: Suite, entry: Entry) -> Dataset:
    """The suite's data, as the entry's task needs them."""
    return _opened(suite.dataset, catalog.find("models", entry.model).task, suite.image_size)


@cache
def _opened(name: str, task: str, image_size: int | None) -> Dataset:
    return open_dataset(name, task=task, image_size=image_size)


def _check_entry(suite: Suite, entry: Entry) -> None:
    kind = catalog.find("models", entry.model)
    changed_recipe(kind.recipe, entry.recipe)
    for knob in entry.knobs:
        if knob not in kind.knobs:
            raise catalog.unknown(f"knobs of {entry.model}", knob, kind.knobs)
    suite.budget_of(entry)
    build_model(entry.model, dataset_for(suite, entry).spec, entry.args)


def changed_recipe(recipe: Recipe, changes: typing.Mapping[str, Any]) -> Recipe:
    """A model's recipe with some of it replaced. Raises UsageError for what a recipe has not."""
    known = {field.name for field in dataclasses.fields(Recipe)}
    for name in changes:
        if name not in known:
            raise catalog.unknown("keys of a recipe", name, known)
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in changes.items()}
    try:
        return TypeAdapter(Recipe).validate_python(dataclasses.asdict(recipe) | values)
    except ValidationError as error:
        wrong = error.errors()[0]
        what = f"recipe.{wrong['loc'][0]} = {changes.get(str(wrong['loc'][0]))!r}: {wrong['msg'].lower()}"
        raise UsageError("E-RECIPE", what, hint="see genbench.models.stages.Recipe") from error
