"""Perceptual path length: closed forms of linear generators, cliffs of several heights, the protocol of trimming."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from toy_generators import Linear, Memory, grey, points, subject

from genbench.diagnostics._walks import slerp
from genbench.diagnostics.path_length import STEP, compute, diagnostic, squared_speeds, steady_mean
from genbench.errors import DataError
from genbench.seeding import Noise


def arc_speeds(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """(N,) squared speed |dz/dt|² of a direction that turns evenly and a length that grows evenly."""
    angle = torch.nn.functional.cosine_similarity(a, b, dim=1).acos()
    growth = b.norm(dim=1) - a.norm(dim=1)
    return growth.square() + (a.norm(dim=1) + t * growth).square() * angle.square()


def test_a_linear_generator_moves_as_fast_as_its_latent() -> None:
    matrix = torch.tensor([[2.0, 0.0], [0.0, 2.0]])
    whole = subject(Linear(matrix), points())
    found, chords = squared_speeds(whole)
    a, b = (whole.noise(200, f"path_length/{end}").normal(2).double() for end in ("start", "end"))
    t = whole.noise(200, "path_length/place").uniform().double() * (1 - STEP)
    torch.testing.assert_close(found, 4 * arc_speeds(a, b, t), rtol=0.02, atol=0.02)
    torch.testing.assert_close(chords, 4 * (a - b).square().sum(1), rtol=1e-5, atol=1e-5)


def test_scale_moves_the_path_length_and_not_the_ratio() -> None:
    ones = compute(subject(Linear(), points()))
    twos = compute(subject(Linear(2 * torch.eye(2)), points()))
    assert float(twos["path_length"]) == pytest.approx(4 * float(ones["path_length"]), rel=0.01)
    assert float(twos["path_length_ratio"]) == pytest.approx(float(ones["path_length_ratio"]), rel=0.01)


def test_the_steeper_the_cliff_the_longer_the_path() -> None:
    models = [Linear(cliff=3.0, steepness=steepness) for steepness in (1.0, 3.0, 10.0)]
    ratios = [float(compute(subject(model, points(), n=256))["path_length_ratio"]) for model in models]
    assert ratios == sorted(ratios)
    assert ratios[-1] > 1.5 * ratios[0]


def test_a_memory_of_images_has_a_longer_path_in_features() -> None:
    ratios = [float(compute(subject(Memory(sharpness), grey(), n=100))["path_length_ratio"]) for sharpness in (0.3, 2.0, 6.0)]
    assert ratios == sorted(ratios)
    assert ratios[-1] > 2 * ratios[0]


def test_one_image_for_every_latent_has_length_zero_and_no_ratio() -> None:
    found = compute(subject(Memory(0.0), grey(), n=32))
    assert float(found["path_length"]) == pytest.approx(0, abs=1e-3)
    assert found["path_length_ratio"].value is None


def test_trimming_is_that_of_the_peers() -> None:
    values = torch.randn(300, generator=torch.Generator().manual_seed(0)).double().exp()
    numbers = values.numpy()
    low, high = np.percentile(numbers, 1, method="lower"), np.percentile(numbers, 99, method="higher")
    kept = numbers[(numbers >= low) & (numbers <= high)]
    assert len(kept) < len(numbers)
    steady = steady_mean(values)
    assert float(steady.mean()) == pytest.approx(kept.mean())
    assert float(steady.std()) < float(values.std())


def test_the_interval_holds_what_other_seeds_find() -> None:
    means = [compute(subject(Linear(), points(), seed=seed))["path_length"] for seed in range(40)]
    truth = sum(map(float, means)) / len(means)
    covered = sum(estimate.ci[0] <= truth <= estimate.ci[1] for estimate in means if estimate.ci)
    assert covered >= 34


def test_the_arc_keeps_length_and_ends() -> None:
    a, b = (Noise(seed, range(50)).normal(64) for seed in (0, 1))
    a, b = a / a.norm(dim=1, keepdim=True), b / b.norm(dim=1, keepdim=True)
    torch.testing.assert_close(slerp(a, b, torch.zeros(50)), a)
    torch.testing.assert_close(slerp(a, b, torch.ones(50)), b)
    torch.testing.assert_close(slerp(a, b, torch.rand(50)).norm(dim=1), torch.ones(50))
    torch.testing.assert_close(slerp(a, a, torch.rand(50)), a)


def test_images_that_are_not_finite_are_an_error_with_a_sentence() -> None:
    with pytest.raises(DataError, match="not finite"):
        compute(subject(Linear(torch.full((2, 2), torch.nan)), points()))


def test_what_has_no_latents_is_left_alone() -> None:
    assert diagnostic.applies(Linear())
    assert not diagnostic.applies(torch.nn.Identity())  # type: ignore[arg-type]
