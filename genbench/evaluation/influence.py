"""How much each image pulls at each value, on disk beside a result: what paired comparisons and "which images hurt" need.

One safetensors file holds, per protocol and name ("fd@tiny/1 fd"), float32 numbers of both sides, and in its metadata the names
of the images that the rows belong to. Reading it needs numpy and no torch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from genbench import files
from genbench.errors import DataError
from genbench.estimate import LARGEST, Influence

if TYPE_CHECKING:
    from numpy.typing import NDArray

FILE = "influence.safetensors"
SIDES = ("fake", "real", "groups")


def save_influence(path: Path, influence: Mapping[str, Influence], names: Sequence[str]) -> None:
    """Write the file in one step; without any influence an older one is removed, lest it be taken for this result's."""
    if not influence:
        path.unlink(missing_ok=True)
        return
    from safetensors.numpy import save

    files.write_atomic(path, save(arrays(influence), metadata={"names": json.dumps(list(names))}))


def arrays(influence: Mapping[str, Influence]) -> dict[str, NDArray[Any]]:
    """What the file holds: float32 pulls and int32 groups by key and side, "fd@tiny/1 fd fake"."""
    import numpy as np

    found = {}
    for key, one in influence.items():
        for side in SIDES:
            if (values := getattr(one, side)) is not None:
                kind = np.int32 if side == "groups" else np.float32
                found[f"{key} {side}"] = np.ascontiguousarray(np.asarray(values), dtype=kind)
    return found


def load_influence(path: Path) -> tuple[dict[str, Influence], list[str]]:
    """Influence as float64 arrays, and the names of the generated images. Nothing where there is no file.

    Raises DataError for a file that is damaged, or holds what is no influence.
    """
    if not path.is_file():
        return {}, []
    from safetensors import SafetensorError, safe_open

    found: dict[str, dict[str, Any]] = {}
    try:
        with safe_open(path, "numpy") as file:
            names = from_json((file.metadata() or {}).get("names", "[]"))
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                raise ValueError("the names of its images are no list of names")
            for name in file.keys():  # noqa: SIM118  # not a mapping
                key, _, side = name.rpartition(" ")
                found.setdefault(key, {})[side] = _side(name, side, file.get_tensor(name))
        for key, sides in found.items():
            if "groups" in sides and len(sides["groups"]) != len(sides.get("fake", ())):
                raise ValueError(f"{key} has {len(sides['groups'])} groups of {len(sides.get('fake', ()))} images")
        return {key: Influence(**sides) for key, sides in found.items()}, names
    except (OSError, SafetensorError, TypeError, ValueError) as error:
        hint = "evaluate again, or remove the file: values stay, and comparisons are then not paired"
        raise DataError("E-INFLUENCE", f"{path} cannot be read: {error}", hint=hint) from error


def _side(name: str, side: str, values: NDArray[Any]) -> NDArray[Any]:
    """One array of the file, checked: groups are whole numbers from 0, pulls are finite numbers."""
    import numpy as np

    if values.ndim != 1 or not len(values):
        raise ValueError(f"{name} has the shape {values.shape}, not one number per image")
    if side == "groups":
        if values.dtype.kind not in "iu" or values.min() < 0:
            raise ValueError(f"{name} are no numbers of groups")
        return values
    numbers = values.astype(float)
    if values.dtype.kind != "f" or not (np.abs(numbers) <= LARGEST).all():
        raise ValueError(f"{name} holds what is no finite number")
    return numbers
