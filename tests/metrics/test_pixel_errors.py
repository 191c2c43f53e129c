"""l1 and l2: units, exactness, and the norms they are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from genbench.metrics import l1, l2


def images(count: int = 4, size: int = 16, seed: int = 0) -> Tensor:
    return torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def absolute(x: Tensor, y: Tensor) -> Tensor:
    return l1.per_pair(x=x, y=y)["l1"]


def squared(x: Tensor, y: Tensor) -> Tensor:
    return l2.per_pair(x=x, y=y)["l2"]


def test_the_unit_is_the_whole_range() -> None:
    black = torch.zeros(1, 3, 4, 4, dtype=torch.uint8)
    assert float(absolute(black, black + 255)) == float(squared(black, black + 255)) == 1
    assert float(absolute(black, black + 51)) == 0.2
    assert float(squared(black, black + 51)) == pytest.approx(0.04, rel=1e-15)
    one = black.clone()
    one[0, 1, 2, 3] = 255
    assert float(absolute(black, one)) == float(squared(black, one)) == 1 / 48


def test_they_are_numpys() -> None:
    x, y = images(seed=0), images(seed=1)
    difference = (x.numpy().astype(float) - y.numpy()) / 255
    np.testing.assert_allclose(absolute(x, y).numpy(), np.abs(difference).mean((1, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(squared(x, y).numpy(), (difference**2).mean((1, 2, 3)), rtol=1e-12)


@pytest.mark.parametrize("error", [absolute, squared])
def test_zero_for_identical_images_symmetric_and_one_by_one(error: object) -> None:
    assert callable(error)
    x, y = images(seed=0), images(seed=1)
    assert error(x, x).tolist() == [0] * 4
    assert torch.equal(error(x, y), error(y, x))
    assert torch.equal(error(x, y), torch.cat([error(a[None], b[None]) for a, b in zip(x, y, strict=True)]))
    assert error(x, y).dtype == torch.float64


def test_the_sum_of_a_large_image_stays_exact() -> None:
    black = torch.zeros(1, 3, 1200, 1200, dtype=torch.uint8)  # the sum of squares is beyond 32 bits
    assert float(squared(black, black + 255)) == 1


def test_the_blurred_answer_is_the_best_one() -> None:
    """Of two plausible images, black and white, the mean has the least l2; what pixel errors are blind to."""
    black = torch.zeros(1, 3, 4, 4, dtype=torch.uint8)
    truths = torch.cat([black, black + 255])
    answers = {grey: torch.full_like(truths, grey) for grey in (0, 64, 127, 192, 255)}
    costs = {grey: float(squared(answer, truths).mean()) for grey, answer in answers.items()}
    assert min(costs, key=lambda grey: costs[grey]) == 127


@pytest.mark.parametrize("error", [absolute, squared])
def test_rises_with_the_dose(error: object) -> None:
    assert callable(error)
    x = images() // 2
    steps = torch.stack([error(x, x + levels) for levels in (0, 1, 5, 25, 125)])
    assert (steps.diff(dim=0) > 0).all()
