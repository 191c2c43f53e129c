"""The energy-based model: Langevin dynamics with known ends, the contrast of energies, and the buffer of chains."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from genbench.batch import Batch, Condition, DataSpec
from genbench.models.base import HasEnergy, Scores
from genbench.models.energy import ebm
from genbench.models.energy.ebm import EBM, langevin_step
from genbench.seeding import Noise

SPEC = DataSpec(channels=1, height=8, width=8, levels=17)


def model(spec: DataSpec = SPEC) -> EBM:
    torch.manual_seed(0)
    return EBM(spec, **EBM.tiny).eval()


def batch(size: int = 8) -> Batch:
    return Batch(x=torch.rand(size, *SPEC.shape, generator=torch.Generator().manual_seed(1)) * 2 - 1)


def loss(made: EBM, real: Batch) -> dict[str, Tensor]:
    return dict(made.stages()[0].phases[0].loss(real, 0.0))


@pytest.mark.parametrize(("step_size", "spread"), [(0.02, 0.5), (0.3, 1.5)])
def test_langevin_dynamics_reaches_the_known_variance(step_size: float, spread: float) -> None:
    """For the energy x²/2s² the chain is x <- (1 - h/s²) x + sqrt(2h) n, whose variance is s² / (1 - h/2s²)."""
    generator = torch.Generator().manual_seed(0)
    x = torch.zeros(20_000)
    for _ in range(math.ceil(8 * spread**2 / step_size)):
        normal = torch.randn(x.shape, generator=generator)
        x = langevin_step(
            lambda x: x.square() / (2 * spread**2), x, normal, step_size=step_size, noise=math.sqrt(2 * step_size)
        )
    expected = spread**2 / (1 - step_size / (2 * spread**2))
    assert float(x.var()) == pytest.approx(expected, rel=0.04)
    assert abs(float(x.mean())) < 0.03 * spread


def test_a_step_descends_no_further_than_the_largest_gradient() -> None:
    x = torch.tensor([[-5.0], [0.001], [5.0]])
    moved = langevin_step(lambda x: x.square().sum(1), x, torch.zeros_like(x), step_size=2.0, noise=0.1, largest_gradient=0.01)
    torch.testing.assert_close(moved, torch.tensor([[-4.98], [-0.003], [4.98]]))


def test_the_gradient_of_the_loss_is_real_less_fake(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a linear energy w·x it is the difference of the means, plus what the squares of the energies add."""
    made, real = model(), batch()
    made.network = nn.Sequential(nn.Flatten(), nn.Linear(64, 1, bias=False))
    fake = torch.rand(8, 1, 8, 8)
    monkeypatch.setattr(made, "_continue_chains", lambda n: fake)
    monkeypatch.setattr(ebm, "REAL_NOISE", 0.0)
    weight = made.network[1].weight
    loss(made, real)["loss"].backward()
    x, y = real.x.flatten(1), fake.flatten(1)
    squares = sum(2 * (values @ weight[0])[:, None] * values for values in (x, y))
    expected = x.mean(0) - y.mean(0) + ebm.SMALL_ENERGIES * squares.mean(0)
    assert weight.grad is not None
    torch.testing.assert_close(weight.grad[0], expected.detach())


def test_training_pushes_chains_up_and_real_images_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ebm, "TRAINING_STEPS", 0)  # chains that stay where they are cannot follow
    made, real = model(), Batch(x=torch.full((32, *SPEC.shape), 0.5))
    optimizer = torch.optim.Adam(made.network.parameters(), lr=1e-2)
    for _ in range(5):
        optimizer.zero_grad()
        loss(made, real)["loss"].backward()
        optimizer.step()
    with torch.no_grad():
        assert made.energy(real.x).mean() < made.energy(made.chains).mean() - 0.1


def test_chains_descend() -> None:
    made = model()
    with torch.no_grad():
        before = made.energy(made.chains).mean()
        made._continue_chains(64)
        assert made.energy(made.chains).mean() < before


def test_an_update_moves_as_many_chains_as_the_batch_has_images() -> None:
    made = model()
    before = made.chains.clone()
    loss(made, batch())
    moved = (made.chains != before).flatten(1).any(1)
    assert int(moved.sum()) == 8
    assert made.chains.abs().max() <= 1
    assert "chains" in made.state_dict()


def test_chains_go_on_where_they_were_but_for_a_share(monkeypatch: pytest.MonkeyPatch) -> None:
    made = model()
    monkeypatch.setattr(ebm, "TRAINING_STEPS", 0)
    held = made.chains.clone()
    for fresh, kept in ((0.0, 64), (1.0, 0)):
        monkeypatch.setattr(ebm, "FRESH", fresh)
        made._continue_chains(64)
        assert int((made.chains == held).flatten(1).all(1).sum()) == kept


def test_a_batch_larger_than_the_buffer_takes_all_chains() -> None:
    assert torch.isfinite(loss(model(), batch(100))["loss"])


@pytest.mark.parametrize("spec", [SPEC, DataSpec(channels=2, height=1, width=1, levels=0)])
def test_sampling_leaves_no_gradient_and_needs_none(spec: DataSpec) -> None:
    made = model(spec)
    with torch.no_grad():
        x = made.sample(Noise(0, range(4)), Condition(), steps=3)
    made.sample(Noise(0, range(4)), Condition(), steps=3)
    assert not x.requires_grad
    assert all(parameter.grad is None for parameter in made.parameters())
    assert made.evaluations(steps=3) == 3


def test_samples_descend_from_noise_of_their_own() -> None:
    made = model()
    start = made.generate(4, knobs={"steps": 0})
    end = made.generate(4, knobs={"steps": 100})
    torch.testing.assert_close(start, 2 * Noise(0, range(4)).uniform(1, 8, 8) - 1)
    assert (made.energy(end) < made.energy(start)).all()
    made.chains.zero_()
    torch.testing.assert_close(made.generate(2, knobs={"steps": 100}, first=2), end[2:])


def test_abilities() -> None:
    made = model()
    assert isinstance(made, HasEnergy)
    assert not isinstance(made, Scores)  # the energy is a log probability but for an unknown constant
