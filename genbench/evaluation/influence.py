"""How much each image pulls at each value, on disk beside a result: what paired comparisons and "which images hurt" need.

One safetensors file holds, per protocol and name ("fd@tiny/1 fd"), float32 numbers of both sides, and in its metadata the names
of the images that the rows belong to. Reading it needs numpy and no torch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from genbench import files
from genbench.errors import DataError
from genbench.estimate import Influence

FILE = "influence.safetensors"
SIDES = ("fake", "real", "groups")


def save_influence(path: Path, influence: Mapping[str, Influence], names: Sequence[str]) -> None:
    """Write the file in one step; without any influence an older one is removed, lest it be taken for this result's."""
    if not influence:
        path.unlink(missing_ok=True)
        return
    import numpy as np
    from safetensors.numpy import save

    arrays = {}
    for key, found in influence.items():
        for side in SIDES:
            if (values := getattr(found, side)) is not None:
                kind = np.int32 if side == "groups" else np.float32
                arrays[f"{key} {side}"] = np.ascontiguousarray(np.asarray(values), dtype=kind)
    files.write_atomic(path, save(arrays, metadata={"names": json.dumps(list(names))}))


def load_influence(path: Path) -> tuple[dict[str, Influence], list[str]]:
    """Influence as float64 arrays, and the names of the generated images. Nothing where there is no file.

    Raises DataError for a file that is damaged.
    """
    if not path.is_file():
        return {}, []
    from safetensors import SafetensorError, safe_open

    found: dict[str, dict[str, Any]] = {}
    try:
        with safe_open(path, "numpy") as file:
            names = json.loads((file.metadata() or {}).get("names", "[]"))
            for name in file.keys():  # noqa: SIM118  # not a mapping
                key, _, side = name.rpartition(" ")
                values = file.get_tensor(name)
                found.setdefault(key, {})[side] = values if side == "groups" else values.astype(float)
        return {key: Influence(**sides) for key, sides in found.items()}, names
    except (OSError, SafetensorError, TypeError, ValueError) as error:
        hint = "evaluate again, or remove the file: values stay, and comparisons are then not paired"
        raise DataError("E-INFLUENCE", f"{path} cannot be read: {error}", hint=hint) from error
