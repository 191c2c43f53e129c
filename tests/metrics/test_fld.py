"""FLD: a fit by automatic differentiation, a closed form, and copies, collapse and blur in graded doses."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from genbench.errors import DataError, IncomparableError
from genbench.estimate import Estimate
from genbench.metrics import fld


def sample(n: int, seed: int, dim: int = 8) -> Tensor:
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed))


def measure(real: Tensor, held_out: Tensor, fake: Tensor, **settings: object) -> Estimate:
    return fld.compute(real=real, held_out=held_out, fake=fake, **settings)["fld"]


def value(real: Tensor, held_out: Tensor, fake: Tensor) -> float:
    return float(measure(real, held_out, fake))


def by_autograd(real: Tensor, held_out: Tensor, fake: Tensor, steps: int = 50) -> float:
    """The published recipe, on full matrices in float64, with derivatives by torch's own differentiation."""
    mean, std = held_out.double().mean(0), held_out.double().std(0)
    train, test, made = ((side.double() - mean) / std for side in (real, held_out, fake))
    dim, squared = made.shape[1], torch.cdist(train, made) ** 2
    logs = ((squared.amin(0) + 1e-3) / dim).log().requires_grad_()
    middle = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([logs, middle], lr=0.5)

    def gaussians(distances: Tensor, log_variances: Tensor) -> Tensor:
        return -distances / log_variances.exp() / 2 - dim / 2 * (log_variances + math.log(2 * math.pi))

    for _ in range(steps):
        optimizer.zero_grad()
        of_middle = gaussians(0.81 * (train - train.mean(0)).square().sum(1), middle)
        parts = gaussians(squared, logs) - math.log(len(made))
        loss = -torch.logsumexp(torch.cat([parts, of_middle[:, None]], 1), 1).mean() / dim
        loss.backward()
        optimizer.step()
        logs.data.clamp_(-40, 20)
    density = torch.logsumexp(gaussians(torch.cdist(test, made) ** 2, logs.detach()), 1) - math.log(len(made))
    return -100 / dim * float(density.mean())


@pytest.mark.parametrize("scale", [0.7, 1.0, 1.5])
def test_equals_the_recipe_with_automatic_derivatives(scale: float) -> None:
    real, held_out, fake = sample(300, 0), sample(200, 1), sample(250, 2) * scale
    assert value(real, held_out, fake) == pytest.approx(by_autograd(real, held_out, fake), rel=1e-4)


@pytest.mark.parametrize("rows", [1, 7, 64])
def test_blocks_do_not_matter(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    real, held_out, fake = sample(60, 0), sample(50, 1), sample(40, 2)
    whole = value(real, held_out, fake)
    monkeypatch.setattr(fld, "ROWS", rows)
    monkeypatch.setattr(fld, "BLOCK", rows + 1)
    assert value(real, held_out, fake) == pytest.approx(whole, rel=1e-4)


def test_the_density_of_one_centre_has_a_closed_form() -> None:
    x, variance = sample(100, 0).double(), torch.tensor([2.5], dtype=torch.float64)
    scale = fld._Scale(x)
    normal = torch.distributions.MultivariateNormal(torch.zeros(8).double(), 2.5 * torch.eye(8).double())
    found = fld._log_density(x, x.mean(0, keepdim=True), variance.log(), scale)
    torch.testing.assert_close(found, normal.log_prob(scale(x)))


def test_no_images_score_below_the_entropy_of_the_distribution() -> None:
    """Of N(0, 1) it is log √(2πe) = 1.419 nats per feature. Centres at the mean are that density, and score it exactly."""
    real, held_out = sample(1000, 0), sample(1000, 1)
    assert value(real, held_out, sample(500, 2)) > 141.9 + 3
    assert value(real, held_out, 1e-3 * sample(50, 2)) == pytest.approx(141.9, abs=1)


def test_units_and_offsets_of_the_features_do_not_matter() -> None:
    real, held_out, fake = sample(200, 0), sample(200, 1), sample(200, 2)
    units = torch.tensor([1e-3, 1, 1, 10, 1, 1, 5, 1e3])
    moved = [side * units + 7 * units for side in (real, held_out, fake)]
    assert value(*moved) == pytest.approx(value(real, held_out, fake), rel=1e-4)


def test_features_that_never_vary_are_left_out() -> None:
    real, held_out, fake = sample(200, 0), sample(200, 1), sample(200, 2)
    with_constant = [torch.cat([side, torch.full((200, 2), 3.0)], 1) for side in (real, held_out, fake)]
    assert value(*with_constant) == pytest.approx(value(real, held_out, fake), rel=1e-9)


def test_the_same_every_time_and_in_any_order() -> None:
    real, held_out, fake = sample(300, 0), sample(200, 1), sample(250, 2)
    assert value(real, held_out, fake) == value(real, held_out, fake)
    generator = torch.Generator().manual_seed(5)
    shuffled = [side[torch.randperm(len(side), generator=generator)] for side in (real, held_out, fake)]
    assert value(*shuffled) == pytest.approx(value(real, held_out, fake), rel=1e-4)
    few = [float(measure(*sides, largest=150, seed=0)) for sides in ((real, held_out, fake), shuffled)]
    assert few[0] == pytest.approx(few[1], rel=1e-4)


def test_rises_with_the_share_of_copies() -> None:
    real, held_out, new = sample(400, 0, 16), sample(400, 1, 16), sample(400, 2, 16)
    values = [value(real, held_out, torch.cat([real[:dose], new[dose:]])) for dose in (0, 40, 100, 200, 300, 400)]
    assert values == sorted(values)
    assert values[3] > values[0] + 2
    assert values[-1] > 1e6  # copies alone explain nothing


def test_rises_with_noise_and_with_lost_modes() -> None:
    side = 6 * torch.nn.functional.one_hot(torch.arange(300) % 3, 8).float()
    real, held_out, new = sample(300, 0) + side, sample(300, 1) + side, sample(300, 2) + side
    noisy = [value(real, held_out, new + noise * sample(300, 3)) for noise in (0.0, 0.5, 1.0, 2.0)]
    assert noisy == sorted(noisy)
    modes = [value(real, held_out, new[torch.arange(300) % 3 < kept]) for kept in (3, 2, 1)]
    assert modes == sorted(modes)
    assert modes[-1] > modes[0] + 5


def test_the_error_bar_is_that_of_the_mean_over_held_out_images() -> None:
    real, held_out, fake = sample(300, 0), sample(400, 1), sample(300, 2)
    estimate = measure(real, held_out, fake)
    assert estimate.se is not None
    assert (estimate.n, estimate.n_real, estimate.method) == (300, 300, "mean")
    assert estimate.details["held_out"] == 400
    assert 0.1 < estimate.se < 3


def test_images_that_are_all_the_same() -> None:
    same = torch.ones(60, 8)
    with pytest.raises(DataError, match="all held-out images have the same features"):
        value(sample(60, 0), same, sample(60, 1))
    assert math.isfinite(value(sample(60, 0), sample(60, 1), same))
    assert math.isfinite(value(same, sample(60, 1), same))


def test_what_cannot_be_measured() -> None:
    with pytest.raises(DataError, match="at least 2 real images, got 1"):
        value(sample(20, 0), sample(1, 1), sample(20, 2))
    with pytest.raises(DataError, match="1 of 20 fake images"):
        value(sample(20, 0), sample(20, 1), sample(20, 2).index_fill_(0, torch.tensor(3), float("nan")))
    with pytest.raises(IncomparableError):
        value(sample(20, 0), sample(20, 1, dim=5), sample(20, 2))
