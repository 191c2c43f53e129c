"""Features on disk, found by content: the images, how they were decoded, and the network that saw them.

A folder per set of images and extractor holds one file per layer and chunk of images. A file is written in one step, so
whatever is there is whole: a run that was killed goes on at the first chunk that is missing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from genbench import files
from genbench.errors import SetupError
from genbench.gaussian import Moments, factorize, moments

CHUNK = 256  # images per file: seconds of work with a large network on a CPU, and two megabytes


@dataclass(frozen=True)
class Chunk:
    """features (B, D) float32 of the images that could be decoded; `skipped` maps positions in the source to reasons."""

    features: Tensor
    skipped: Mapping[int, str]


class FeatureStore:
    """The features of one set of images through one extractor, under the cache's root."""

    def __init__(self, key: Mapping[str, object]) -> None:
        self.key = json.dumps(key, sort_keys=True)
        self.folder = files.cache_root() / "features" / hashlib.sha256(self.key.encode()).hexdigest()[:32]

    def _path(self, layer: str, chunk: int) -> Path:
        return self.folder / f"{layer}-{chunk:06d}.safetensors"

    def has(self, layer: str, chunk: int) -> bool:
        return self._path(layer, chunk).is_file()

    def read(self, layer: str, chunk: int) -> Chunk:
        """Raises SetupError for a file that is damaged, which only something outside genbench can have done."""
        path = self._path(layer, chunk)
        try:
            with safe_open(path, "pt") as file:
                skipped = json.loads(file.metadata()["skipped"])
                return Chunk(file.get_tensor("features"), {int(position): reason for position, reason in skipped.items()})
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            hint = "remove the file, or the whole cache with `genbench cache clear`, and repeat the command"
            raise SetupError("E-CACHE", f"the cached features {path.name} cannot be read: {error}", hint=hint) from error

    def write(self, layer: str, chunk: int, content: Chunk) -> None:
        """Raises SetupError E-WRITE where the disk is full or the folder read-only."""
        metadata = {"skipped": json.dumps(dict(content.skipped)), "key": self.key}
        with files.atomic_path(self._path(layer, chunk)) as temporary:
            save_file({"features": content.features.contiguous()}, temporary, metadata=metadata)

    def reference_moments(self, layer: str, features: Tensor) -> Moments:
        """Moments with the factor that every Fréchet distance against this set needs, computed once."""
        path = self.folder / f"{layer}-moments.safetensors"
        if path.is_file():
            with safe_open(path, "pt") as file:
                mean, cov, factor = (file.get_tensor(name) for name in ("mean", "cov", "factor"))
            return Moments(n=len(features), mean=mean, cov=cov, stored_factor=factor)
        plain = moments(features)
        result = Moments(n=plain.n, mean=plain.mean, cov=plain.cov, stored_factor=factorize(plain.cov))
        tensors = {"mean": result.mean, "cov": result.cov, "factor": result.factor.contiguous()}
        try:
            with files.atomic_path(path) as temporary:
                save_file(tensors, temporary)
        except SetupError:
            pass  # a cache that cannot be written costs time, not the result; extraction has warned already
        return result


def finite(features: Tensor) -> Tensor:
    """For each row whether all its numbers are finite: (N, D) -> (N,) bool."""
    return torch.isfinite(features).all(1)
