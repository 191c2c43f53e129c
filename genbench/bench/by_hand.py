"""One step of a suite by hand: train one model into a folder, and write its samples as files."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from genbench import catalog, images
from genbench.bench.config import check_config
from genbench.bench.jobs import changed_recipe
from genbench.bench.measure import condition_of
from genbench.data.dataset import open_dataset
from genbench.data.memory import examples_on
from genbench.errors import UsageError
from genbench.evaluation import environment
from genbench.files import atomic_path, sha256
from genbench.models.base import GenerativeModel
from genbench.training.budget import Budget
from genbench.training.loop import train
from genbench.training.processes import joined, own_device
from genbench.training.saved import build_model, load_model, save_model
from genbench.training.state import Trained


def train_by_hand(
    name: str,
    data: str,
    folder: Path,
    *,
    budget: Budget,
    changes: Mapping[str, Mapping[str, Any]],
    seed: int,
    image_size: int | None,
    device: str,
    **settings: Any,
) -> Trained:
    """Train the model `name` on `data` and save it in `folder`.

    changes: {"args": {...}, "recipe": {...}}, differences from the model's constructor and recipe.
    """
    kind = catalog.find("models", name)
    unknown = [key for key in changes if key not in ("args", "recipe")]
    if unknown:
        raise catalog.unknown("settings", unknown[0], ["args", "recipe"])
    recipe = changed_recipe(kind.recipe, changes.get("recipe", {}))
    args = dict(changes.get("args", {}))
    dataset = open_dataset(data, task=kind.task, image_size=image_size)
    chosen = own_device(environment.choose_training_device(device))
    torch.manual_seed(seed)
    model = build_model(name, dataset.spec, args)
    examples = examples_on(dataset.train, chosen)
    facts = {"args": args, "data": data, "image_size": image_size}
    with joined(chosen) as processes:
        if processes.leads:
            recorded = {"model": name, **facts, "recipe": dataclasses.asdict(recipe), "budget": str(budget), "seed": seed}
            check_config(folder, json.loads(json.dumps(recorded)))
        settings |= {"recipe": recipe, "seed": seed, "folder": folder, "device": chosen, "facts": {"args": args}}
        trained = train(model, examples, budget=budget, **settings)
        if processes.leads:
            save_model(folder, model, name=name, args=args)
    return trained


def sample_by_hand(
    run: Path,
    folder: Path,
    n: int,
    *,
    changes: Mapping[str, Mapping[str, Any]],
    data: str | None,
    seed: int,
    batch_size: int,
    device: str,
    progress: Callable[[str, int, int], None],
) -> int:
    """Write samples 0..n-1 as PNG files; those that are there already stay. Returns how many were written.

    changes: {"knobs": {...}}, differences from the model's own.
    """
    from PIL import Image

    unknown = [key for key in changes if key != "knobs"]
    if unknown:
        raise catalog.unknown("settings", unknown[0], ["knobs"])
    knobs = changes.get("knobs", {})
    model = load_model(run).to(environment.choose_training_device(device))
    if model.spec.is_points:
        hint = "from Python: genbench.load_model(RUN).generate(1000)"
        raise UsageError("E-POINTS", f"{run} models points of the plane, which are no images", hint=hint)
    for knob, value in knobs.items():
        if knob not in model.knobs:
            raise catalog.unknown(f"knobs of {model.title}", knob, model.knobs)
        if not isinstance(value, (int, float)):
            raise UsageError("E-KNOB", f"knobs.{knob} = {value!r} is no number", hint=model.knobs[knob].effect)
    condition = None
    if data is not None:
        condition = condition_of(model, n, open_dataset(data, task=model.task, image_size=_resized(model, data)).test)
    elif model.conditional and model.task != "class":
        what = f"{model.title} makes images from a condition ({model.task})"
        raise UsageError("E-CONDITION", what, hint="name a dataset to take the conditions from with --data")
    origin = {"model": sha256(run / "model.safetensors"), "seed": seed, "knobs": dict(knobs), "data": data}
    check_config(folder, origin, name="samples.json")
    missing = [index for index in range(n) if not _path(folder, index).is_file()]
    for start in range(0, len(missing), batch_size):
        chosen = missing[start : start + batch_size]
        for first, last in _runs(chosen):
            rows = slice(first, last + 1)
            drawn = model.generate(
                last + 1 - first,
                seed=seed,
                first=first,
                condition=None if condition is None else condition.select(rows),
                knobs=knobs,
                batch_size=batch_size,
            )
            for index, image in zip(range(first, last + 1), images.to_uint8(drawn), strict=True):
                pixels = image.permute(1, 2, 0).numpy()
                with atomic_path(_path(folder, index)) as temporary:
                    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(temporary, format="PNG")
        progress("sampling", start + len(chosen), len(missing))
    return len(missing)


def _resized(model: GenerativeModel, data: str) -> int | None:
    """The size to bring conditions to: that of the model, but where it is the data's own."""
    known = data in catalog.names("datasets") and catalog.find("datasets", data).size == (model.spec.height, model.spec.width)
    return None if known else model.spec.height


def _path(folder: Path, index: int) -> Path:
    return folder / f"{index:06d}.png"


def _runs(indices: list[int]) -> list[tuple[int, int]]:
    """Consecutive stretches of ascending numbers: [1, 2, 5] -> [(1, 2), (5, 5)]."""
    found: list[tuple[int, int]] = []
    for index in indices:
        if found and index == found[-1][1] + 1:
            found[-1] = (found[-1][0], index)
        else:
            found.append((index, index))
    return found
