"""RealNVP and what every flow runs."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from genbench import images
from genbench.batch import Batch, Condition, DataSpec, Examples
from genbench.models.flow.base import ActNorm, Squeeze, inverse_logit, logit
from genbench.models.flow.real_nvp import Coupling, RealNVP, _Last
from genbench.seeding import Noise
from genbench.training.budget import Budget
from genbench.training.loop import train

POINTS = DataSpec(channels=2, height=1, width=1, levels=0)


def grey(size: int, levels: int = 17, channels: int = 1) -> DataSpec:
    return DataSpec(channels=channels, height=size, width=size, levels=levels)


def flow_for(spec: DataSpec, *, scale: float = 0.05, **arguments: Any) -> RealNVP:
    """A flow with random weights everywhere: fresh from its constructor it is nearly the identity."""
    torch.manual_seed(0)
    flow = RealNVP(spec, **arguments)
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(scale * torch.randn_like(parameter))
    return flow.eval()


def drawn(spec: DataSpec, n: int) -> Tensor:
    """Random images on the grid of levels."""
    return images.from_levels(torch.randint(spec.levels, (n, *spec.shape)), spec.levels)


def log_abs_det(function: Any, x: Tensor) -> Tensor:
    jacobian = torch.func.jacrev(lambda flat: function(flat.view_as(x)).flatten())(x.flatten())
    return torch.linalg.slogdet(jacobian).logabsdet


@pytest.mark.parametrize(("channels", "size"), [(1, 8), (3, 8), (1, 16), (1, 28), (3, 32)])
def test_inverts(channels: int, size: int) -> None:
    flow = flow_for(grey(size, channels=channels), channels=8)
    y = torch.randn(2, channels, size, size)
    z, _ = flow.flow(y)
    assert z.shape == (2, flow.spec.dimensions)
    assert (z - y.flatten(1)).abs().max() > 0.1, "with random weights it is no identity"
    torch.testing.assert_close(flow.inverse(z), y, atol=1e-4, rtol=0)


@pytest.mark.parametrize("spec", [POINTS, grey(4), grey(8), grey(4, channels=3)], ids=lambda spec: str(spec.shape))
def test_log_determinant_is_that_of_the_jacobian(spec: DataSpec) -> None:
    flow = flow_for(spec, channels=8).double()
    y = torch.randn(1, *spec.shape, dtype=torch.float64)
    z, log_det = flow.flow(y)
    assert log_det.abs() > 0.01
    torch.testing.assert_close(log_det[0], log_abs_det(lambda value: flow.flow(value)[0], y))
    torch.testing.assert_close(-log_det[0], log_abs_det(flow.inverse, z))


def test_a_coupling_s_inverse_has_minus_the_sum_of_its_log_scales() -> None:
    """The sum of s is the log determinant from images to latents, not that of the generator."""
    torch.manual_seed(0)
    mask = torch.tensor([1.0, 0.0])[:, None, None].expand(2, 2, 2)
    coupling = Coupling(mask, torch.nn.Conv2d(2, 4, 1)).double()
    x = torch.randn(1, 2, 2, 2, dtype=torch.float64)
    s, _ = coupling._scale_and_shift(x)
    y, log_det = coupling(x)
    torch.testing.assert_close(log_det[0], s.sum())
    torch.testing.assert_close(log_abs_det(coupling.inverse, y), -s.sum())
    assert torch.equal(y[:, 0], x[:, 0])
    assert (s[:, 0] == 0).all()


def test_a_scale_stays_below_its_factor() -> None:
    torch.manual_seed(0)
    coupling = Coupling(torch.tensor([1.0, 0.0])[:, None, None].expand(2, 2, 2), torch.nn.Conv2d(2, 4, 1))
    torch.nn.init.constant_(coupling.factor, 0.5)
    s, _ = coupling._scale_and_shift(1e6 * torch.randn(4, 2, 2, 2))
    torch.testing.assert_close(s[:, 1].abs(), torch.full((4, 2, 2), 0.5))


@pytest.mark.parametrize("spec", [POINTS, grey(8)], ids=["points", "images"])
def test_autocast_rounds_neither_scales_nor_shifts(spec: DataSpec) -> None:
    """Where they come from the last layer's bias alone, they are the same numbers in both precisions."""
    flow = flow_for(spec, channels=8)
    lasts = [module for module in flow.modules() if isinstance(module, _Last)]
    assert len(lasts) == sum(isinstance(module, Coupling) for module in flow.modules())
    for last in lasts:
        assert isinstance(last.layer, torch.nn.Conv2d | torch.nn.Linear)
        torch.nn.init.zeros_(last.layer.weight)
    y = torch.randn(4, *spec.shape)
    expected = flow.flow(y)
    with torch.autocast("cpu", torch.bfloat16):
        found = flow.flow(y)
    torch.testing.assert_close(found, expected)


def test_density_of_points_integrates_to_one() -> None:
    flow = flow_for(POINTS, channels=16, scale=0.2)
    axis = torch.linspace(-15, 15, 251)
    grid = torch.cartesian_prod(axis, axis)[:, :, None, None]
    with torch.no_grad():
        mass = flow.log_density(grid).double().exp().sum() * (axis[1] - axis[0]) ** 2
    assert float(mass) == pytest.approx(1, abs=2e-3)


def test_probabilities_of_all_tiny_images_sum_to_the_mass_within_the_range() -> None:
    spec = grey(2, levels=2)
    flow = flow_for(spec, channels=8, scale=0.1)
    every = images.from_levels(torch.cartesian_prod(*[torch.arange(2)] * 4).view(-1, 1, 2, 2), 2)
    draws = 500
    with torch.no_grad():
        log_prob = flow.log_prob(Batch(x=every.repeat(draws, 1, 1, 1)), Noise(0, range(16 * draws)))
        probability = log_prob.double().exp().view(draws, 16).mean(0)
        samples = flow.from_latents(Noise(1, range(16 * draws)).normal(4), Condition())
    within = (samples.abs() <= 1).flatten(1).all(1)
    assert 0.3 < float(within.double().mean()) < 1
    assert float(probability.sum()) == pytest.approx(float(within.double().mean()), abs=0.03)
    kinds = (images.to_levels(images.quantize(samples[within], 2), 2).flatten(1) * torch.tensor([8, 4, 2, 1])).sum(1)
    frequency = torch.bincount(kinds, minlength=16) / len(samples)
    torch.testing.assert_close(frequency, probability.float(), atol=0.02, rtol=0)


def test_logit_and_its_determinant() -> None:
    x = (2 * torch.rand(1, 1, 2, 3, dtype=torch.float64) - 1).requires_grad_()
    y, log_det = logit(x)
    torch.testing.assert_close(inverse_logit(y), x)
    torch.testing.assert_close(log_det[0], log_abs_det(lambda value: logit(value)[0], x))
    edges, _ = logit(torch.tensor([-1.0, 0.0, 1.0]).view(3, 1, 1, 1))
    torch.testing.assert_close(edges.flatten(), torch.logit(torch.tensor([0.05, 0.5, 0.95])))


def test_density_is_that_of_torch_distributions() -> None:
    """Fresh from its constructor the flow only squeezes, so the density has a closed form."""
    spec = grey(8)
    d = torch.distributions
    rescale = d.AffineTransform(-1 / 0.9, 2 / 0.9)  # from (0, 1): p = 0.5 + 0.45 x
    expected = d.TransformedDistribution(d.Normal(0.0, 1.0), [d.SigmoidTransform(), rescale])
    x = 2 * torch.rand(3, 1, 8, 8) - 1
    log_density = RealNVP(spec, channels=8).log_density(x)
    # The squeezed channels are permuted by the flow, which changes no density.
    torch.testing.assert_close(log_density, expected.log_prob(x).flatten(1).sum(1), atol=1e-3, rtol=1e-4)


def test_temperature_scales_the_deviation() -> None:
    flow = RealNVP(POINTS, channels=8)
    cold = flow.generate(4000, knobs={"temperature": 0.25}, batch_size=4000)
    assert float(cold.std()) == pytest.approx(0.25, rel=0.03)  # not the root of 0.25
    torch.testing.assert_close(cold, 0.25 * flow.generate(4000, batch_size=4000))
    assert flow.generate(4, knobs={"temperature": 0.0}).abs().max() == 0


def test_activation_normalisation_is_fitted_layer_by_layer() -> None:
    flow = flow_for(grey(8, levels=0), channels=8)
    x = 3 * torch.randn(500, 1, 8, 8) + 5
    flow.prepare(Batch(x=x))
    seen: list[Tensor] = []
    layers = [layer for layer in flow.modules() if isinstance(layer, ActNorm)]
    for layer in layers:
        layer.register_forward_hook(lambda layer, inputs, output: seen.append(output[0]))
    flow.log_density(x)
    assert len(seen) == len(layers) > 5
    for out in seen:
        torch.testing.assert_close(out.mean((0, 2, 3)), torch.zeros(out.shape[1]), atol=1e-3, rtol=0)
        torch.testing.assert_close(out.std((0, 2, 3)), torch.ones(out.shape[1]), atol=1e-3, rtol=0)


def test_masks_are_checkerboards_and_rows_in_turn() -> None:
    flow = RealNVP(grey(28), channels=8)
    masks = [[layer.mask for layer in scale if isinstance(layer, Coupling)] for scale in flow.scales]
    assert [len(scale) for scale in masks] == [6, 6, 4]
    assert [tuple(scale[0].shape) for scale in masks] == [(1, 28, 28), (2, 14, 14), (4, 7, 7)]
    for scale in masks:
        board = scale[0]
        assert (board[:, 1:] != board[:, :-1]).all()
        assert (board[:, :, 1:] != board[:, :, :-1]).all()
        assert torch.equal(scale[1], 1 - board)
    top, bottom = masks[0][3][:, 0, 0], masks[0][4][:, 0, 0]
    assert torch.equal(top, torch.tensor([0.0, 0.0, 1.0, 1.0]))
    assert torch.equal(bottom, 1 - top)
    rows = torch.arange(2.0)[:, None].expand(2, 2)[None, None]
    assert torch.equal(Squeeze()(rows)[0].flatten(), top)


def test_half_is_factored_out_at_each_scale_but_the_last() -> None:
    flow = RealNVP(grey(28, channels=3), channels=8)
    assert [shape.numel() for shape in flow.latent_shapes] == [3 * 392, 3 * 196, 3 * 196]


def test_an_image_s_density_does_not_depend_on_its_batch() -> None:
    flow, x = flow_for(grey(8), channels=8).train(), drawn(grey(8), 6)
    torch.testing.assert_close(flow.log_density(x[2:3]), flow.log_density(x)[2:3], rtol=1e-5, atol=1e-3)


def test_samples_lie_on_the_grid_of_levels() -> None:
    x = flow_for(grey(8, levels=5), channels=8).generate(4)
    torch.testing.assert_close(images.from_levels(images.to_levels(x, 5), 5), x)


def test_reconstructs_images_on_the_grid() -> None:
    flow, x = flow_for(grey(8), channels=8), drawn(grey(8), 4)
    torch.testing.assert_close(flow.decode(flow.encode(x)), x)


def test_learns_a_correlated_gaussian() -> None:
    """The log likelihood comes near minus the entropy, which no model beats in the mean."""
    torch.manual_seed(0)
    factor = torch.tensor([[2.0, 0.0], [1.8, 0.6]])
    points = (torch.randn(4096, 2) @ factor.T + 3)[:, :, None, None]
    flow = RealNVP(POINTS, channels=16)
    train(flow, Examples(images=points), budget=Budget(steps=100))
    with torch.no_grad():
        found = float(flow.log_prob(Batch(x=points), Noise(0, range(len(points)))).mean())
    entropy = 1 + math.log(2 * math.pi) + math.log(2.0 * 0.6)
    assert -entropy - 0.1 < found < -entropy + 0.03
    samples = flow.sample(Noise(0, range(4096)), Condition()).flatten(1)
    torch.testing.assert_close(samples.T.cov().detach(), factor @ factor.T, atol=0.6, rtol=0)
