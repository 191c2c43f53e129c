"""VQ-VAE: codes, a prior that is trained on them and sampled from, and a bound of the likelihood."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Normal

from genbench import images
from genbench.batch import Batch, DataSpec, Examples
from genbench.models.base import Encodes, Quantizes, Scores
from genbench.models.vq.vq_vae import COMMITMENT, VQVAE
from genbench.seeding import Noise

SPEC = DataSpec(channels=1, height=8, width=8, levels=17)


def model(spec: DataSpec = SPEC) -> VQVAE:
    torch.manual_seed(0)
    made = VQVAE(spec, **VQVAE.tiny)
    made.stages()[0].prepare(batch(spec, 32))  # type: ignore[misc]
    return made.eval()


def batch(spec: DataSpec = SPEC, size: int = 6) -> Batch:
    generator = torch.Generator().manual_seed(1)
    return Batch(x=images.from_levels(torch.randint(spec.levels, (size, *spec.shape), generator=generator), spec.levels))


def test_samples_come_from_the_prior_and_not_from_codes_at_random() -> None:
    """A prior that has learned that all codes are 3 gives the image of code 3 everywhere."""
    made = model()
    constant = made.decode(torch.full((4, *made.grid), 3))
    assert not torch.allclose(made.generate(4), constant)
    head = made.prior.heads[0]
    head[-1].bias.data[3] = 1e4  # type: ignore[index, union-attr]
    torch.testing.assert_close(made.generate(4), constant)


@pytest.mark.parametrize(("size", "grid"), [(8, (4, 4)), (16, (8, 8)), (28, (7, 7)), (32, (8, 8))])
def test_decoding_codes_gives_an_image(size: int, grid: tuple[int, int]) -> None:
    spec = DataSpec(channels=3, height=size, width=size)
    made = model(spec)
    codes = made.encode(batch(spec, 2).x)
    assert codes.shape == (2, *grid)
    assert codes.dtype == torch.int64
    image = made.decode(codes)
    assert image.shape == (2, 3, size, size)
    assert image.abs().max() <= 1
    assert made.evaluations() == math.prod(grid)


def test_the_second_stage_learns_codes_and_nothing_else() -> None:
    made = model()
    tokenizer, variance, prior = made.stages()
    assert [stage.name for stage in (tokenizer, variance, prior)] == ["tokenizer", "variance", "prior"]
    assert prior.view is not None
    codes = prior.view(batch())
    assert torch.equal(codes.x[:, 0], made.encode(batch().x))
    loss = prior.phases[0].loss(codes, 0.0)["loss"]
    torch.testing.assert_close(loss, -made.prior.log_prob(codes.x).mean() / 16)
    loss.backward()
    assert all(parameter.grad is None for parameter in made.decoder.parameters())


def test_the_loss_is_error_plus_commitment_and_reaches_the_encoder_through_the_codes() -> None:
    made = model()
    losses = made.stages()[0].phases[0].loss(batch(), 0.0)
    error = (made.decoder(made.quantizer.lookup(made.encode(batch().x))) - batch().x).square().mean()
    torch.testing.assert_close(losses["reconstruction"], error.detach())
    torch.testing.assert_close(losses["loss"], error + COMMITMENT * losses["commitment"])
    codes = made.quantizer(made.encoder(batch().x))
    reconstruction = (made.decoder(codes.values) - batch().x).square().mean()
    gradient = torch.autograd.grad(reconstruction, made.encoder[0].weight)[0]
    assert gradient.abs().sum() > 0


def test_the_codebook_moves_after_a_step_only() -> None:
    made = model()
    phase = made.stages()[0].phases[0]
    before = made.quantizer.codebook.clone()
    phase.loss(batch(), 0.0)
    assert torch.equal(made.quantizer.codebook, before)
    assert phase.after is not None
    phase.after(batch())
    assert not torch.equal(made.quantizer.codebook, before)


def test_the_likelihood_is_the_decoders_and_the_priors() -> None:
    made = model()
    made.variance.fill_(0.3)
    log_prob = made.log_prob(batch(), Noise(0, range(6)))
    codes = made.encode(batch().x)
    x = images.dequantize(batch().x, 17, Noise(0, range(6)).uniform(1, 8, 8))
    density = Normal(made.decode(codes), math.sqrt(0.3)).log_prob(x).sum((1, 2, 3))
    expected = density + 64 * math.log(2 / 17) + made.prior.log_prob(codes[:, None])
    torch.testing.assert_close(log_prob, expected)


def test_the_bound_is_below_the_probability() -> None:
    """On images of one value all of the model can be summed up: P(level) = sum over codes of prior(code) P(level | code)."""
    spec = DataSpec(channels=1, height=2, width=2, levels=3)
    made = model(spec).requires_grad_(False)
    made.variance.fill_(0.2)
    level = torch.cartesian_prod(*[torch.arange(3)] * 4).view(-1, 1, 2, 2)
    x = images.from_levels(level, 3)
    all_codes = torch.arange(16).view(16, 1, 1)
    decoder = Normal(made.decode(all_codes)[:, None], math.sqrt(0.2))
    low = level * 2 / 3 - 1
    inside = (decoder.cdf(low + 2 / 3) - decoder.cdf(low)).log().sum((2, 3, 4))
    exact = torch.logsumexp(inside + made.prior.log_prob(all_codes[:, None])[:, None], 0)
    bound = torch.stack([made.log_prob(Batch(x=x), Noise(seed, range(81))) for seed in range(50)]).mean(0)
    assert (bound < exact).all()
    assert float(exact.exp().sum()) < 1


def test_the_variance_is_the_likeliest() -> None:
    made = model().requires_grad_(False)
    fit = made.stages()[1].fit
    assert fit is not None
    examples = Examples(images=torch.randint(256, (200, 1, 8, 8), dtype=torch.uint8))
    list(fit(examples))
    held = float(made.variance)

    def mean(factor: float) -> float:
        made.variance.fill_(held * factor)
        return float(made.log_prob(examples.batch(), Noise(0, range(200))).mean())

    assert mean(1.0) > max(mean(0.9), mean(1.1))


def test_the_variance_is_that_of_all_examples_and_not_of_the_first() -> None:
    """Folders come class by class: here 3,000 black images, then as many of noise."""
    made = model().requires_grad_(False)
    fit = made.stages()[1].fit
    assert fit is not None
    black, noise = torch.zeros(3000, 1, 8, 8, dtype=torch.uint8), torch.randint(256, (3000, 1, 8, 8), dtype=torch.uint8)
    found = {}
    for name, stored in (("black", black), ("noise", noise), ("both", torch.cat([black, noise]))):
        list(fit(Examples(images=stored)))
        found[name] = float(made.variance)
    assert found["both"] == pytest.approx((found["black"] + found["noise"]) / 2, rel=0.02)
    assert found["black"] != pytest.approx(found["noise"], rel=0.1)


def test_the_codebook_is_part_of_the_phase_that_changes_it() -> None:
    """Several processes share the buffers of a phase's modules; others would drift apart."""
    made = model()
    assert made.quantizer in made.stages()[0].phases[0].modules


@pytest.mark.parametrize(("size", "message"), [(1, "points"), (9, "divide by 2, not 9x9"), (30, "divide by 4, not 30x30")])
def test_what_leaves_no_grid_of_codes_is_refused(size: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        VQVAE(DataSpec(channels=1, height=size, width=size))


def test_abilities() -> None:
    made = model()
    assert isinstance(made, Encodes)
    assert isinstance(made, Scores)
    assert isinstance(made, Quantizes)
    assert made.codes == 16
    assert made.encode(batch().x).max() < 16
    assert torch.equal(made.generate(3)[1:], made.generate(2, first=1))
