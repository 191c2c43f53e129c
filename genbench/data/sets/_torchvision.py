"""Datasets that torchvision downloads, checks and reads, kept under the data root in torchvision's own layout."""

from __future__ import annotations

import abc
import contextlib
import sys
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from genbench import files
from genbench.data.arrays import ArraySource
from genbench.data.base import ImageSource, Policy
from genbench.data.sets.base import NamedDataset
from genbench.errors import SetupError


class TorchvisionDataset(NamedDataset):
    """`stored`: what lies under the data root once it is there, relative to it."""

    stored: ClassVar[str]

    @abc.abstractmethod
    def open(self, root: Path, split: str, *, download: bool) -> Any:
        """torchvision's dataset; RuntimeError where files are missing and `download` is false."""

    def images(self, split: str) -> ImageSource:
        data = np.asarray(self._opened(split).data)
        return ArraySource(data[..., None] if data.ndim == 3 else data, Policy(), name=f"{self.name()}/{split}", kind="dataset")

    def labels(self, split: str) -> NDArray[np.int64] | None:
        dataset = self._opened(split)
        labels = dataset.labels if hasattr(dataset, "labels") else dataset.targets
        return np.asarray(labels, dtype=np.int64)

    def _opened(self, split: str) -> Any:
        root = files.data_root()
        try:
            return self.open(root, split, download=False)
        except RuntimeError:  # not there, or not whole
            return self._downloaded(root, split)

    def _downloaded(self, root: Path, split: str) -> Any:
        hint = f"put {self.stored} into the data root {root} (from {self.homepage}), or name another with --data-root"
        if files.offline():
            raise SetupError("E-OFFLINE", f"{self.name()} is not in the data root, and downloads are off", hint=hint)
        try:
            root.mkdir(parents=True, exist_ok=True)
            # stdout is for results
            with FileLock(root / f".{self.name()}.lock"), contextlib.redirect_stdout(sys.stderr):
                return self.open(root, split, download=True)
        except (OSError, RuntimeError, EOFError, ImportError) as error:
            reason = str(error).strip() or type(error).__name__
            raise SetupError("E-DOWNLOAD", f"{self.name()} could not be downloaded: {reason}", hint=hint) from error
