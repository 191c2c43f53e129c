"""Samples of a run, drawn again: the same model, seed, knobs and conditions give the same images."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, PositiveInt, ValidationError
from torch import Tensor

from genbench import catalog, images
from genbench.bench import measure
from genbench.bench.trained import open_run
from genbench.data.dataset import Dataset, open_dataset
from genbench.errors import DataError, first_mistake
from genbench.evaluation import environment
from genbench.evaluation.command import is_near
from genbench.evaluation.evaluate import evaluate
from genbench.evaluation.result import Result
from genbench.report.source import Source, config_of

BY_HAND = 1000  # samples of a run that says no number
METRICS = ("fd@tiny", "prdc@tiny")  # of a run that was never measured


class Drawing(BaseModel):
    """What of a run's config decides which samples are drawn."""

    model_config = ConfigDict(strict=True)
    data: str | None = None
    dataset: str | None = None
    image_size: PositiveInt | None = None
    num_images: PositiveInt | None = None
    threads: PositiveInt | None = None
    seed: int = 0
    knobs: dict[str, float] = {}


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """samples: (N, C, H, W) in [-1, 1]; points: whether they are of the plane; reference: what they are compared with."""

    samples: Tensor
    dataset: Dataset
    points: bool
    reference: Any

    @property
    def pixels(self) -> Tensor:
        """uint8 (N, C, H, W)."""
        return images.to_uint8(self.samples)

    def evaluate(self, device: str) -> Result:
        """What `genbench sweep` would measure, of samples that nobody measured yet."""
        return evaluate(self.pixels, ref=self.reference, metrics=METRICS, device=device, allow_small=True)


def draw(source: Source, *, data: str | None, device: str) -> Drawn:
    """The samples behind a run's numbers; of the held-out data of a suite, the data themselves.

    Raises what opening the run raises, such as DataError where its data are not there, or not near and not named by `data`.
    """
    assert source.folder is not None, "a run has a folder"
    config = source.config
    if data is None:  # a user who names the data trusts the run
        for recorded in (config, config_of(source.folder)):
            _check(recorded)
        _check_model(source.folder)
    if source.record is not None and source.record.family == "data":
        dataset = open_dataset(data or config["dataset"], image_size=config.get("image_size"))
        n = config.get("num_images") or len(dataset.test)
        samples = dataset.test.select(slice(0, n)).batch().x
        name, size = data or config["dataset"], config.get("image_size")
    else:
        samples, dataset, name, size = _sampled(source, source.folder, data, device)
    points = dataset.spec.is_points
    named = name in catalog.names("datasets") and size is None and not points
    reference = f"{name}/train" if named else dataset.train.images
    return Drawn(samples=samples.cpu(), dataset=dataset, points=points, reference=reference)


def _check(config: Mapping[str, Any]) -> None:
    """Refuse what a stranger's run must not ask for."""
    try:
        drawing = Drawing.model_validate(config)
    except ValidationError as error:
        what = f"the run's config is not one that `genbench run` writes: {first_mistake(error)}"
        raise DataError("E-RECORD", what, hint="run again, or leave pictures out with --no-pictures") from error
    place = drawing.data or drawing.dataset
    if place is not None and not is_near(place):
        what = f"the run was trained on {place}, which is no known data set and does not lie below this folder"
        raise DataError("E-NO-DATA", what, hint="say where the data are with --data")


def _check_model(folder: Path) -> None:
    try:
        name = str(json.loads((folder / "model.json").read_text())["model"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return  # opening it says what is wrong
    if name not in catalog.names("models"):
        hint = "name its data with --data if you trust the run"
        raise DataError("E-OUTSIDE", f"the model {name} is not one of genbench, and loading it runs its code", hint=hint)


def _sampled(source: Source, folder: Path, data: str | None, device: str) -> tuple[Tensor, Dataset, str, int | None]:
    run = open_run(folder, data=data, device=environment.choose_training_device(device))
    config = source.config
    measured = source.record is not None
    n = (config.get("num_images") or len(run.dataset.test)) if measured else BY_HAND
    with _threads(config.get("threads")):
        sampled = measure.sample(run.model, n, run.dataset.test, config.get("knobs", {}), seed=config.get("seed", 0))
    return sampled.samples, run.dataset, run.data, run.image_size


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """As many as the run had: their number decides the order of sums, and so the last bit of a pixel."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
