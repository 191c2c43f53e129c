"""Sharpness: real images are at zero, blur is below in graded doses and noise above."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from toy_generators import Drawing, Linear, grey, seeded, subject

from genbench.data.dataset import Dataset
from genbench.diagnostics.sharpness_gap import compute, diagnostic
from genbench.estimate import Estimate

SIZE = 16


@pytest.fixture(scope="module")
def data() -> Dataset:
    """Rough images: noise on a texture."""
    base = grey(300, SIZE)

    def rough(side: Tensor, seed: int) -> Tensor:
        noise = torch.randn(side.shape, generator=seeded(seed)) * 30
        return (side.float() * 0.6 + 50 + noise).clamp(0, 255).to(torch.uint8)

    train, test = (type(base.train)(images=rough(side.images, seed)) for seed, side in enumerate((base.train, base.test)))
    return Dataset(name="rough", spec=base.spec, train=train, validation=train, test=test)


def gap(data: Dataset, images: Tensor) -> Estimate:
    return compute(subject(Drawing(data.spec, images), data, n=len(images)))["sharpness_gap"]


def blurred(x: Tensor, sigma: float) -> Tensor:
    places = torch.arange(-4, 5).float()
    kernel = (-0.5 * (places / sigma) ** 2).exp()
    kernel = kernel / kernel.sum()
    rows = F.conv2d(F.pad(x, (4, 4, 0, 0), mode="reflect"), kernel.view(1, 1, 1, -1))
    return F.conv2d(F.pad(rows, (0, 0, 4, 4), mode="reflect"), kernel.view(1, 1, -1, 1))


def test_real_images_are_at_zero(data: Dataset) -> None:
    found = gap(data, data.train.batch().x)
    assert found.se is not None
    assert abs(float(found)) < 4 * found.se
    assert diagnostic.reports["sharpness_gap"].is_usual(float(found))


def test_the_more_blurred_the_lower(data: Dataset) -> None:
    x = data.train.batch().x
    found = [float(gap(data, x)), *(float(gap(data, blurred(x, sigma))) for sigma in (0.4, 0.7, 1.5))]
    assert found == sorted(found, reverse=True)
    assert not diagnostic.reports["sharpness_gap"].is_usual(found[-1])


def test_the_more_noise_the_higher(data: Dataset) -> None:
    x = data.train.batch().x
    noise = torch.randn(x.shape, generator=seeded(7))
    found = [float(gap(data, (x + dose * noise).clamp(-1, 1))) for dose in (0.0, 0.1, 0.3, 0.6)]
    assert found == sorted(found)
    assert not diagnostic.reports["sharpness_gap"].is_usual(found[-1])


def test_points_have_no_sharpness() -> None:
    assert not diagnostic.applies(Linear())
