"""Reference statistics in a file: moments with their factor, a sample of features, and what they were made from.

Ours are safetensors with one JSON document in the header. Peers' `.npz` files with `mu` and `sigma` (pytorch-fid, ADM, EDM)
are read too; they do not say which network, which resizing or how many images they come from.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from genbench import files, seeding
from genbench.errors import DataError, IncomparableError
from genbench.evaluation.result import Extractor, Images
from genbench.features.base import Identity
from genbench.gaussian import Moments
from genbench.metrics.base import FeatureSet

SCHEMA = "genbench.statistics/1"


class Header(BaseModel):
    """What the statistics were made from: the images, the extractor, and the command to make them again."""

    schema_: str = SCHEMA
    images: Images
    extractor: Extractor
    layer: str
    n_features: int
    command: list[str]
    genbench: str


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """A feature set with its origin. `header` is None for a peer's file."""

    path: Path
    header: Header | None
    features: FeatureSet

    @property
    def identity(self) -> Identity | None:
        """The extractor's identity, None where the file does not say."""
        return None if self.header is None else Identity(**self.header.extractor.model_dump())

    def check(self, identity: Identity, layer: str, dim: int) -> None:
        """Raises IncomparableError naming the field in which these statistics and an extractor differ."""
        if self.header is None or self.identity is None:
            found = len(self.features.gaussian.mean)
            if found != dim:
                self._refuse(f"dimensions: {found} in the file / {dim} from {identity.extractor}.{layer}")
            return
        difference = self.identity.difference(identity)
        if difference or self.header.layer != layer:
            self._refuse(f"{difference or f'layer: {self.header.layer} / {layer}'} (file / asked)")

    def _refuse(self, difference: str) -> None:
        raise IncomparableError(
            "E-INCOMPARABLE",
            f"the statistics {self.path.name} were made differently: {difference}",
            hint="ask for what the file holds, or build new ones with `genbench stats build`",
        )


def save(path: Path, header: Header, features: Tensor, whole: Moments) -> None:
    """Write moments, factor and the sample of features in one step."""
    tensors = {"mean": whole.mean, "cov": whole.cov, "factor": whole.factor, "features": features}
    with files.atomic_path(path) as temporary:
        save_file(
            {name: tensor.contiguous() for name, tensor in tensors.items()},
            temporary,
            metadata={"genbench": header.model_dump_json()},
        )


def subsample(features: Tensor, count: int) -> Tensor:
    """`count` rows drawn without replacement, in their order, the same ones on every machine."""
    if len(features) <= count:
        return features
    rows = seeding.generator(0, "statistics/subsample").choice(len(features), count, replace=False)
    return features[torch.from_numpy(np.sort(rows))]


def is_statistics(path: Path) -> bool:
    """Whether a file holds statistics and not images: ours, or an npz with `mu` and `sigma`."""
    if path.suffix == ".safetensors":
        return True
    if path.suffix != ".npz" or not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return {"mu.npy", "sigma.npy"} <= set(archive.namelist())


def load(path: Path) -> Statistics:
    """Read a statistics file. Raises DataError for one that is damaged or holds something else."""
    return _load_npz(path) if path.suffix == ".npz" else _load_safetensors(path)


def _load_safetensors(path: Path) -> Statistics:
    try:
        with safe_open(path, "pt") as file:
            header = Header.model_validate_json((file.metadata() or {})["genbench"])
            tensors = {name: file.get_tensor(name) for name in ("mean", "cov", "factor", "features")}
    except (OSError, SafetensorError, KeyError, ValidationError) as error:
        hint = "`genbench stats build` makes such files"
        raise DataError("E-STATISTICS", f"{path.name} holds no reference statistics of genbench: {error}", hint=hint) from error
    if header.schema_ != SCHEMA:
        raise DataError("E-STATISTICS", f"{path.name} is {header.schema_}; this version reads {SCHEMA}", hint="update genbench")
    moments = Moments(n=header.images.n, mean=tensors["mean"], cov=tensors["cov"], stored_factor=tensors["factor"])
    features = tensors["features"] if len(tensors["features"]) else None
    return Statistics(path=path, header=header, features=FeatureSet(features=features, moments=moments))


def _load_npz(path: Path) -> Statistics:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            mean, cov = (_matrix(arrays, name) for name in ("mu", "sigma"))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DataError("E-STATISTICS", f"{path.name} cannot be read as mu and sigma: {error}") from error
    mean = mean.flatten()
    if cov.shape != (len(mean), len(mean)):
        raise DataError("E-STATISTICS", f"{path.name}: mu {tuple(mean.shape)} and sigma {tuple(cov.shape)} do not fit")
    if not (torch.isfinite(mean).all() and torch.isfinite(cov).all()):
        raise DataError("E-STATISTICS", f"{path.name} holds numbers that are not finite", hint="make the file again")
    symmetric = (cov + cov.T) / 2
    return Statistics(path=path, header=None, features=FeatureSet(moments=Moments(n=None, mean=mean, cov=symmetric)))


def _matrix(arrays: Mapping[str, Any], name: str) -> Tensor:
    return torch.from_numpy(np.asarray(arrays[name], dtype=np.float64))
