"""Subjects whose numbers are known: models with what a test plants, on images that it gives."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from genbench import catalog
from genbench.batch import DataSpec, Examples
from genbench.data.dataset import Dataset
from genbench.diagnostics.base import Diagnostic, Subject
from genbench.estimate import Estimate
from genbench.models.base import GenerativeModel


def measured(name: str, subject: Subject) -> dict[str, Estimate]:
    """What the diagnostic of that name says of the subject; it must apply."""
    diagnostic: Diagnostic = catalog.find("diagnostics", name)
    assert diagnostic.applies(subject.model)
    return dict(diagnostic.compute(subject))


def applies(name: str, model: GenerativeModel) -> bool:
    return bool(catalog.find("diagnostics", name).applies(model))


def subject_of(model: GenerativeModel, *, test: Examples, train: Examples | None = None, **settings: Any) -> Subject:
    """n is all of the test examples unless told otherwise."""
    train = test if train is None else train
    data = Dataset(name="known", spec=model.spec, train=train, validation=test, test=test)
    return Subject(model=model, data=data, **{"n": len(test), **settings})


def continuous(x: Tensor) -> Examples:
    """Float (N, C, H, W) or points (N, 2) as examples of continuous data."""
    return Examples(images=x[:, :, None, None] if x.ndim == 2 else x)


def random_images(spec: DataSpec, n: int, seed: int = 0) -> Examples:
    """Smooth random images on the grid of levels, with labels and sources where the spec has some."""
    generator = torch.Generator().manual_seed(seed)
    shape = (n, spec.channels, spec.height // 4, spec.width // 4)
    coarse = torch.nn.functional.interpolate(torch.rand(shape, generator=generator), scale_factor=4, mode="bilinear")
    stored = ((coarse * (spec.levels - 1)).round() * (255 / (spec.levels - 1))).round().to(torch.uint8)
    labels = torch.arange(n) % spec.classes if spec.classes else None
    return Examples(images=stored, labels=labels, sources=255 - stored if spec.source_channels else None)


def digits() -> tuple[Examples, Examples]:
    """1,200 grey 8x8 digits and 500 others, all on 17 levels."""
    from sklearn.datasets import load_digits

    grey = torch.from_numpy(load_digits().images * 255 / 16).round().to(torch.uint8)[:, None]
    return Examples(images=grey[:1200]), Examples(images=grey[1200:1700])


DIGITS = DataSpec(channels=1, height=8, width=8, levels=17)
PLANE = DataSpec(channels=2, height=1, width=1, levels=0)
