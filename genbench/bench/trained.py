"""A finished run opened again: its model, and the data it was trained on."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch

from genbench import catalog
from genbench.batch import DataSpec
from genbench.data.dataset import Dataset, open_dataset
from genbench.errors import DataError, UsageError
from genbench.models.base import GenerativeModel
from genbench.training.saved import load_model

NAMED = 10  # runs that an error lists at most


@dataclass(frozen=True, kw_only=True)
class TrainedRun:
    """name: of the model in the catalogue; data: the name or path of the dataset, which was resized to `image_size`."""

    name: str
    model: GenerativeModel
    data: str
    image_size: int | None
    dataset: Dataset


def open_run(run: Path, *, data: str | None, device: torch.device) -> TrainedRun:
    """A folder of `genbench train` or of one entry of `genbench run`, its model on `device`.

    data: a dataset in place of the one that the run names. Raises UsageError for a folder of several runs or a run that names
    no data, DataError for a folder without a model or data the model was not made for.
    """
    if not (run / "model.json").is_file():
        _refuse_several(run)
    model = load_model(run)
    name = json.loads((run / "model.json").read_text())["model"]
    recorded, image_size = _recorded(run)
    chosen = data or recorded
    if chosen is None:
        raise UsageError("E-NO-DATA", f"{run} does not say what it was trained on", hint="name the dataset with --data")
    if chosen != recorded:
        image_size = _size(model, chosen)
    dataset = _opened(chosen, model, image_size, asked=data is not None)
    _check_spec(model.spec, dataset)
    return TrainedRun(name=name, model=model.to(device), data=chosen, image_size=image_size, dataset=dataset)


def _refuse_several(run: Path) -> None:
    below = sorted(path.parent.relative_to(run).as_posix() for path in run.rglob("model.json")) if run.is_dir() else []
    runs = [name for name in below if Path(name).name != "best"]
    if runs:
        listed = ", ".join(runs[:NAMED]) + (", ..." if len(runs) > NAMED else "")
        what = f"{run} is no run but holds {len(runs)}" if len(runs) > 1 else f"{run} is no run but holds one"
        raise UsageError("E-RUNS", what, hint=f"name one of them: {listed}")


def _recorded(run: Path) -> tuple[str | None, int | None]:
    """Data and image size as `genbench train` or `genbench run` wrote them; a best checkpoint lies inside of its run."""
    for folder in (run, run.parent) if run.name == "best" else (run,):
        try:
            config: dict[str, Any] = json.loads((folder / "config.json").read_text())
        except (OSError, ValueError):
            continue
        return config.get("data", config.get("dataset")), config.get("image_size")
    return None, None


def _size(model: GenerativeModel, data: str) -> int | None:
    """The size to bring images to: that of the model, but where it is the data's own, or these are points."""
    size = catalog.find("datasets", data).size if data in catalog.names("datasets") else None
    return None if size in ((model.spec.height, model.spec.width), (1, 1)) else model.spec.height


def _opened(data: str, model: GenerativeModel, image_size: int | None, *, asked: bool) -> Dataset:
    try:
        return open_dataset(data, task=model.task, image_size=image_size)
    except (DataError, UsageError) as error:
        if asked:
            raise
        what = f"the run was trained on {data}, which cannot be opened here: {error.message}"
        raise DataError("E-NO-DATA", what, hint="say where the data are with --data") from error


def _check_spec(spec: DataSpec, dataset: Dataset) -> None:
    for field in fields(DataSpec):
        mine, theirs = getattr(spec, field.name), getattr(dataset.spec, field.name)
        if mine != theirs:
            what = f"the model was made for data with {field.name} = {mine}, and {dataset.name} has {theirs}"
            raise DataError("E-OTHER-DATA", what, hint="name the dataset that it was trained on with --data")
