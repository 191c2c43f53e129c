"""A trained model in a folder: model.safetensors holds its weights, model.json what builds it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from genbench import catalog
from genbench.batch import DataSpec
from genbench.errors import DataError, UsageError
from genbench.files import atomic_path, write_atomic
from genbench.models.base import GenerativeModel

SCHEMA = "genbench.model/1"


def build_model(name: str, spec: DataSpec, args: Mapping[str, Any]) -> GenerativeModel:
    """The untrained model `name` of the catalogue ("package.module:Object" from outside) for such data.

    Raises UsageError for an unknown name or argument, and where the model cannot be built for the data.
    """
    kind = catalog.find("models", name)
    known = _keywords(kind)
    for argument in args:
        if argument not in known:
            raise catalog.unknown(f"arguments of {name}", argument, known)
    try:
        return kind(spec, **args)
    except (TypeError, ValueError, KeyError) as error:
        raise UsageError("E-MODEL", f"{name} cannot be built: {error}", hint="check its args against the data") from error


def save_model(folder: Path, model: GenerativeModel, *, name: str, args: Mapping[str, Any]) -> None:
    """Write both files; model.json comes last, so a folder with it is whole."""
    with atomic_path(folder / "model.safetensors") as temporary:
        save_file({key: tensor.cpu().contiguous().clone() for key, tensor in model.state_dict().items()}, temporary)
    facts = {"schema": SCHEMA, "model": name, "args": dict(args), "spec": dataclasses.asdict(model.spec)}
    write_atomic(folder / "model.json", json.dumps(facts, indent=1))


def load_model(folder: str | Path) -> GenerativeModel:
    """The model in a run's folder, on the CPU, ready to `generate`. Raises DataError where there is none."""
    folder = Path(folder)
    if not (folder / "model.json").is_file():
        raise _no_model(folder)
    try:
        facts = json.loads((folder / "model.json").read_text())
        weights = load_file(folder / "model.safetensors")
    except (OSError, ValueError, SafetensorError) as error:
        raise DataError("E-NO-MODEL", f"the model in {folder} cannot be read: {error}", hint="train it again") from error
    if facts["schema"] != SCHEMA:
        raise DataError("E-SCHEMA", f"{folder} holds a {facts['schema']}; this version reads {SCHEMA}", hint="update genbench")
    model = build_model(facts["model"], DataSpec(**facts["spec"]), facts["args"])
    model.load_state_dict(weights)
    return model.eval()


def _keywords(kind: type[GenerativeModel]) -> list[str]:
    import inspect

    parameters = inspect.signature(kind).parameters.values()
    return [parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]


def _no_model(folder: Path) -> DataError:
    if (folder / "config.json").is_file():
        hint = "repeat the command that began it, and it goes on where it stopped"
        return DataError("E-NO-MODEL", f"the training in {folder} is not finished", hint=hint)
    what = f"{folder} holds no trained model" if folder.is_dir() else f"no such folder: {folder}"
    return DataError("E-NO-MODEL", what, hint="name the folder of one run, which `genbench train -o` or `genbench run` wrote")
