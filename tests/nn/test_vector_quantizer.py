"""The quantiser: nearest codes, the copied gradient, moving averages, and codes brought back to life."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.spatial.distance import cdist

from genbench.nn.vector_quantizer import DEAD_AFTER, DECAY, VectorQuantizer, perplexity, straight_through


def quantizer(codes: int = 5, dimensions: int = 3) -> VectorQuantizer:
    torch.manual_seed(0)
    return VectorQuantizer(codes, dimensions)


def test_the_nearest_code_in_every_cell() -> None:
    made = quantizer()
    z = torch.randn(2, 3, 4, 6)
    quantized = made(z)
    expected = cdist(z.permute(0, 2, 3, 1).reshape(-1, 3), made.codebook).argmin(1).reshape(2, 4, 6)
    assert (quantized.indices.numpy() == expected).all()
    torch.testing.assert_close(quantized.values, made.codebook[quantized.indices].permute(0, 3, 1, 2))
    assert torch.equal(made.nearest(made.lookup(quantized.indices)), quantized.indices)


def test_the_search_keeps_nothing_for_a_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    made, whole = quantizer(), torch.cdist
    seen: list[torch.Tensor] = []

    def distances(rows: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        seen.append(whole(rows, codes))
        return seen[-1]

    monkeypatch.setattr(torch, "cdist", distances)
    made.nearest(torch.randn(2, 3, 4, 4, requires_grad=True))
    assert [found.requires_grad for found in seen] == [False]


def test_the_gradient_of_what_follows_is_copied() -> None:
    made, z = quantizer(), torch.randn(2, 3, 4, 4, requires_grad=True)
    weights = torch.randn(2, 3, 4, 4)
    (made(z).values * weights).sum().backward()
    assert z.grad is not None
    assert torch.equal(z.grad, weights)
    x = torch.randn(4, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(lambda y: straight_through(y, y.round()), x)
    assert torch.equal(jacobian, torch.eye(4, dtype=torch.float64))


def test_commitment_pulls_the_encoder_to_its_code() -> None:
    made, z = quantizer(), torch.randn(2, 3, 4, 4, requires_grad=True)
    quantized = made(z)
    (gradient,) = torch.autograd.grad(quantized.commitment, z)
    torch.testing.assert_close(gradient, 2 * (z - made.lookup(quantized.indices)) / z.numel())


def test_without_an_update_nothing_changes() -> None:
    made = quantizer().train()
    before = {name: tensor.clone() for name, tensor in made.state_dict().items()}
    made(torch.randn(2, 3, 4, 4))
    assert all(torch.equal(tensor, before[name]) for name, tensor in made.state_dict().items())
    assert not list(made.parameters())


def test_one_update_by_hand() -> None:
    made = quantizer(2, 1)
    made.codebook.copy_(torch.tensor([[0.0], [10.0]]))
    made.update(torch.tensor([1.0, 2.0, 9.0]).view(1, 1, 1, 3))
    share = 1 - DECAY
    first = (DECAY * 0 + share * (1 + 2)) / (DECAY + share * 2)
    second = (DECAY * 10 + share * 9) / (DECAY + share)
    torch.testing.assert_close(made.codebook, torch.tensor([[first], [second]]))
    torch.testing.assert_close(made.counts, torch.tensor([DECAY + share * 2, DECAY + share]))


def test_codes_end_at_the_means_of_clusters() -> None:
    """With fixed encoder outputs the moving averages are k-means, and stop at the mean of what they stand for."""
    made = quantizer(2, 2)
    cluster = torch.randn(2, 50, 2) * 0.1 + torch.tensor([[[3.0, 0.0]], [[-3.0, 1.0]]])
    z = cluster.view(1, 100, 1, 2).permute(0, 3, 2, 1)
    made.initialize(z)
    for _ in range(1500):
        made.update(z)
    found = made.codebook[made.codebook[:, 0].argsort(descending=True)]
    torch.testing.assert_close(found, cluster.mean(1), atol=1e-4, rtol=0)


def test_a_code_that_nothing_chooses_comes_back() -> None:
    made = quantizer(3, 2)
    made.codebook.copy_(torch.tensor([[0.0, 0.0], [1.0, 1.0], [99.0, 99.0]]))
    z = torch.rand(4, 2, 3, 3)
    for _ in range(DEAD_AFTER - 1):
        made.update(z)
    torch.testing.assert_close(made.codebook[2], torch.tensor([99.0, 99.0]))
    assert int(made.idle[2]) == DEAD_AFTER - 1
    made.update(z)
    rows = z.permute(0, 2, 3, 1).reshape(-1, 2)
    assert (made.codebook[2] == rows).all(1).any()
    assert int(made.idle[2]) == 0


def test_codes_start_at_outputs_each_at_most_once() -> None:
    made = quantizer(4, 2)
    z = torch.randn(1, 2, 2, 3)
    made.initialize(z)
    rows = z.permute(0, 2, 3, 1).reshape(-1, 2)
    chosen = torch.cdist(made.codebook, rows).argmin(1)
    torch.testing.assert_close(made.codebook, rows[chosen])
    assert len(set(chosen.tolist())) == 4


@pytest.mark.parametrize(("indices", "expected"), [([0, 0, 0], 1.0), ([0, 1, 2, 3], 4.0), ([0, 0, 1, 1, 1, 1], None)])
def test_perplexity_is_the_exponential_of_the_entropy(indices: list[int], expected: float | None) -> None:
    if expected is None:
        expected = math.exp(-(math.log(1 / 3) / 3 + math.log(2 / 3) * 2 / 3))
    assert perplexity(torch.tensor(indices), 8) == pytest.approx(expected)
