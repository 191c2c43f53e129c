"""PixelCNN: an exact probability, samples that follow it, and completion."""

from __future__ import annotations

import itertools

import pytest
import torch

from genbench import images
from genbench.batch import Batch, Condition, DataSpec
from genbench.models.autoregressive.pixel_cnn import PixelCNN
from genbench.models.base import Restores, Scores
from genbench.seeding import Noise

BINARY = DataSpec(channels=1, height=2, width=2, levels=2)
GREY = DataSpec(channels=1, height=8, width=8, levels=17)


def model(spec: DataSpec) -> PixelCNN:
    """Untrained, but far from uniform."""
    torch.manual_seed(0)
    made = PixelCNN(spec, **PixelCNN.tiny)
    for head in made.stack.heads:
        torch.nn.init.normal_(head[-1].weight)  # type: ignore[union-attr]
    return made.eval().requires_grad_(False)


def all_binary_images() -> torch.Tensor:
    return images.from_levels(torch.tensor(list(itertools.product(range(2), repeat=4))).view(16, 1, 2, 2), 2)


def test_the_probabilities_of_all_images_sum_to_one() -> None:
    log_prob = model(BINARY).log_prob(Batch(x=all_binary_images()), Noise(0, range(16)))
    assert log_prob.std() > 0.1
    assert float(log_prob.exp().sum()) == pytest.approx(1, abs=1e-5)


def test_samples_come_as_often_as_their_probability_says() -> None:
    made, n = model(BINARY), 4000
    probability = made.log_prob(Batch(x=all_binary_images()), Noise(0, range(16))).exp()
    levels = images.to_levels(made.generate(n, batch_size=n), 2).flatten(1)
    counts = torch.bincount(levels @ torch.tensor([8, 4, 2, 1]), minlength=16)
    chi_squared = ((counts - n * probability).square() / (n * probability)).sum()
    assert float(chi_squared) < 37.7  # the 99.9 % quantile with 15 degrees of freedom
    wrong = ((counts - n / 16).square() / (n / 16)).sum()
    assert float(wrong) > 37.7


def test_a_lower_temperature_gives_likelier_images() -> None:
    made = model(GREY)
    cold, warm = (made.generate(64, knobs={"temperature": temperature}) for temperature in (0.5, 1.0))
    mean = [float(made.log_prob(Batch(x=x), Noise(0, range(64))).mean()) for x in (cold, warm)]
    assert mean[0] > mean[1] + 1


@pytest.mark.parametrize("mask_channels", [1, 3])
def test_completion_keeps_what_is_known(mask_channels: int) -> None:
    made = model(DataSpec(channels=3, height=4, width=4, levels=256))
    x = torch.rand(5, 3, 4, 4) * 2 - 1  # off the grid of levels: unchanged means unchanged
    known = torch.rand(5, mask_channels, 4, 4) < 0.5
    whole = made.restore(x, known, Noise(0, range(5)))
    known = known.expand_as(x)
    assert torch.equal(whole[known], x[known])
    assert not torch.equal(whole[~known], x[~known])
    assert torch.equal(made.restore(x[2:], known[2:], Noise(0, range(2, 5))), whole[2:])


def test_completion_follows_the_conditional_probability() -> None:
    """Of the images whose upper half is given, each comes as often as its share of their probability."""
    made, n = model(BINARY), 4000
    space = all_binary_images()
    probability = made.log_prob(Batch(x=space), Noise(0, range(16))).exp()[8:12]
    known = torch.tensor([True, False])[:, None].expand(2, 2)
    whole = made.restore(space[8].expand(n, 1, 2, 2), known.expand(n, 1, 2, 2), Noise(1, range(n)))
    lower = images.to_levels(whole, 2)[:, 0, 1] @ torch.tensor([2, 1])
    expected = n * probability / probability.sum()
    chi_squared = ((torch.bincount(lower, minlength=4) - expected).square() / expected).sum()
    assert float(chi_squared) < 16.3  # the 99.9 % quantile with 3 degrees of freedom


def test_a_sample_does_not_depend_on_its_batch() -> None:
    made = model(GREY)
    together = made.generate(6)
    apart = made.sample(Noise(0, [4]), Condition())
    assert torch.equal(together[4:5], apart)
    assert made.evaluations() == 64


def test_the_loss_is_the_likelihood_per_dimension() -> None:
    made = model(GREY)
    batch = Batch(x=images.from_levels(torch.randint(17, (6, 1, 8, 8)), 17))
    (phase,) = made.stages()[0].phases
    losses = phase.loss(batch, 0.0)
    expected = -made.log_prob(batch, Noise(0, range(6))).mean() / 64
    torch.testing.assert_close(losses["loss"], expected)
    assert float(losses["bits_per_dim"]) == pytest.approx(float(expected) / 0.6931472)


def test_abilities_and_refusal() -> None:
    made = model(GREY)
    assert isinstance(made, Scores)
    assert isinstance(made, Restores)
    with pytest.raises(ValueError, match="discrete levels"):
        PixelCNN(DataSpec(channels=2, height=1, width=1, levels=0))
