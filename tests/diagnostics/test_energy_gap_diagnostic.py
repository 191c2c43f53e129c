"""Energies that are known: |x|² of points, of which samples are too far out or too far in."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from known_subjects import PLANE, applies, continuous, measured, subject_of
from torch import Tensor

from genbench.batch import Condition, DataSpec
from genbench.models.base import GenerativeModel
from genbench.models.energy.ebm import EBM
from genbench.models.linear.gaussian import Gaussian
from genbench.models.stages import Stage
from genbench.seeding import Noise


class Bowl(GenerativeModel):
    """Energy |x|²; samples N(0, scale² I)."""

    title, paper = "Bowl", "no paper, https://example.org"

    def __init__(self, spec: DataSpec, *, scale: float) -> None:
        super().__init__(spec)
        self.scale = scale

    def stages(self) -> list[Stage]:
        return []

    def sample(self, noise: Noise, condition: Condition, **knobs: float) -> Tensor:
        return self.scale * noise.normal(*self.spec.shape)

    def energy(self, x: Tensor) -> Tensor:
        return x.square().flatten(1).sum(1)


def points(n: int = 1000, scale: float = 0.5, seed: int = 0) -> Tensor:
    return scale * torch.randn(n, 2, generator=torch.Generator().manual_seed(seed))


def test_the_gap_is_known_and_changes_sign_where_samples_fit() -> None:
    """E = |x|²: 2 · 0.25 for real points, 2 scale² for samples, 2 / 3 for uniform noise."""
    gaps = []
    for scale in (0.1, 0.5, 1.0):
        found = measured("energy_gap", subject_of(Bowl(PLANE, scale=scale), test=continuous(points())))
        gap, contrast = found["energy_gap"], found["energy_contrast"]
        assert gap.se is not None
        assert float(gap) == pytest.approx(0.5 - 2 * scale**2, abs=4 * gap.se)
        assert float(contrast) == pytest.approx(2 / 3 - 0.5, abs=0.07)
        assert gap.details["relative"] == pytest.approx(float(gap) / float(contrast))
        gaps.append(float(gap))
    assert gaps[0] > gaps[1] > gaps[2]
    assert gaps[0] > 0 > gaps[2]


@pytest.mark.parametrize("depth", [0.0, 0.5, 2.0])
def test_wells_at_the_training_points_show(depth: float) -> None:
    known, new = points(200), points(200, seed=1)

    def with_wells(x: Tensor) -> Tensor:
        near = torch.cdist(x.flatten(1), known).amin(1) < 1e-6
        return x.square().flatten(1).sum(1) - depth * near

    model = Bowl(PLANE, scale=0.5)
    model.energy: Callable[[Tensor], Tensor] = with_wells  # type: ignore[method-assign, misc]
    found = measured("energy_gap", subject_of(model, train=continuous(known), test=continuous(new)))["energy_memory"]
    assert float(found) == pytest.approx(depth, abs=0.2)


def test_energies_without_end_leave_no_value() -> None:
    model = Bowl(PLANE, scale=0.5)
    model.energy = lambda x: x.flatten(1).sum(1) / 0  # type: ignore[method-assign]
    found = measured("energy_gap", subject_of(model, test=continuous(points(20))))
    assert all(estimate.value is None and estimate.reason for estimate in found.values())


def test_it_is_for_models_with_an_energy() -> None:
    assert applies("energy_gap", EBM(PLANE, channels=4, chains=8))
    assert not applies("energy_gap", Gaussian(PLANE))
