"""The gated pixel stack: what depends on what, the sum of all probabilities, and drawing with remembered features."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from genbench.nn.gated_pixel_stack import GatedPixelStack, _gate

SHAPES = [(1, 5, 6), (3, 3, 4), (2, 1, 1)]


def stack(channels: int, *, values: int = 3, layers: int = 3) -> GatedPixelStack:
    torch.manual_seed(0)
    made = GatedPixelStack(values, channels=channels, width=6, layers=layers)
    return made.double().requires_grad_(False).eval()


def embed(made: GatedPixelStack, monkeypatch: pytest.MonkeyPatch, *shape: int) -> tuple[Tensor, Tensor]:
    """Random values, and their embedding as a leaf for gradients in place of the table."""
    values = torch.randint(made.values, (1, *shape))
    leaf = made._embed(values).requires_grad_()
    monkeypatch.setattr(made, "_embed", lambda _: leaf)
    return values, leaf


@pytest.mark.parametrize("shape", SHAPES)
def test_each_value_depends_on_all_before_it_and_on_none_after(
    shape: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    channels, height, width = shape
    made = stack(channels)
    values, leaf = embed(made, monkeypatch, *shape)
    logits = made(values)
    assert logits.shape == (1, 3, *shape)
    for c, y, x in itertools.product(range(channels), range(height), range(width)):
        (gradient,) = torch.autograd.grad(logits[0, :, c, y, x].square().sum(), leaf, retain_graph=True, allow_unused=True)
        gradient = torch.zeros_like(leaf) if gradient is None else gradient
        depends = gradient.view(channels, -1, height, width).abs().sum(1) > 0
        order = torch.arange(height * width * channels).view(height, width, channels).permute(2, 0, 1)
        assert torch.equal(depends, order < order[c, y, x])


def test_dilated_layers_leave_no_hole(monkeypatch: pytest.MonkeyPatch) -> None:
    """On 28 x 28 the last pixel but a corner sees everything within 14 pixels, also to the right above it."""
    made = stack(1, layers=6)
    values, leaf = embed(made, monkeypatch, 1, 28, 28)
    (gradient,) = torch.autograd.grad(made(values)[0, :, 0, 20, 14].square().sum(), leaf)
    depends = gradient[0].abs().sum(0) > 0
    assert depends[6:20, :].all()
    assert depends[20, :14].all()
    assert not depends[20, 14:].any()
    assert not depends[21:].any()


@pytest.mark.parametrize("shape", [(1, 2, 2), (2, 1, 2), (1, 3, 1)])
def test_the_probabilities_of_all_grids_sum_to_one(shape: tuple[int, int, int]) -> None:
    made = stack(shape[0])
    cells = torch.Size(shape).numel()
    grids = torch.tensor(list(itertools.product(range(3), repeat=cells))).view(-1, *shape)
    assert float(made.log_prob(grids).exp().sum()) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_drawing_inverts_the_distribution_that_a_whole_pass_gives(shape: tuple[int, int, int]) -> None:
    made = stack(shape[0], values=5)
    uniform = torch.rand(7, *shape, dtype=torch.float64)
    values = made.draw(uniform, temperature=0.5)
    upper = (made(values) / 0.5).softmax(1).cumsum(1).gather(1, values[:, None])[:, 0]
    lower = upper - (made(values) / 0.5).softmax(1).gather(1, values[:, None])[:, 0]
    assert (lower - 1e-6 <= uniform).all()
    assert (uniform <= upper + 1e-6).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_the_gate_keeps_small_signals(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    features = torch.cat([torch.randn(1, 4, 3, 3) * 1e-3, torch.randn(1, 4, 3, 3)], 1).to(dtype)
    signal, gate = features.double().chunk(2, 1)
    tolerance = {torch.bfloat16: 0.02, torch.float32: 1e-3, torch.float64: 1e-12}[dtype]
    torch.testing.assert_close(_gate(features).double(), signal.tanh() * gate.sigmoid(), rtol=tolerance, atol=1e-7)


def test_known_values_stay() -> None:
    made = stack(3)
    start = torch.randint(3, (4, 3, 5, 5))
    known = torch.rand(4, 3, 5, 5) < 0.5
    drawn = made.draw(torch.rand(4, 3, 5, 5, dtype=torch.float64), start=start, known=known)
    assert torch.equal(drawn[known], start[known])
    assert not torch.equal(drawn[~known], start[~known])


def test_the_start_at_frequencies() -> None:
    """With no weights in the head's last layer, the first probabilities are the shares of the values, one of each added."""
    made = stack(2)
    values = torch.tensor([[0, 2], [1, 2], [1, 2], [1, 2]]).view(4, 2, 1, 1)
    made.start_at_frequencies(values)
    for head in made.heads:
        head[-1].weight.zero_()  # type: ignore[index, union-attr]
    share = made(values).softmax(1)[0, :, :, 0, 0]
    torch.testing.assert_close(share, torch.tensor([[2, 1], [4, 1], [1, 5]]).double() / 7)


def test_ordered_values_begin_alike() -> None:
    near, far = [GatedPixelStack(256, ordered=True).embedding.weight[i] for i in (1, 200)]
    first = GatedPixelStack(256, ordered=True).embedding.weight[0]
    assert (near - first).norm() < 0.1 * (far - first).norm()
