"""Usage and dead codes: counts that are known, leaving out by hand, and a codebook in which one vector takes over."""

from __future__ import annotations

import math

import pytest
import torch
from known_subjects import DIGITS, applies, digits, measured, subject_of
from torch import Tensor

from genbench.diagnostics.codebook import dead_codes, usage
from genbench.models.vae.vae import VAE
from genbench.models.vq.vq_vae import VQVAE


def counts(n: int = 60, codes: int = 12) -> Tensor:
    """A few common codes and some rare ones, 8 to an image."""
    generator = torch.Generator().manual_seed(0)
    shares = 0.5 ** torch.arange(codes, dtype=torch.float64)
    drawn = torch.multinomial(shares.expand(n, -1), 8, replacement=True, generator=generator)
    return torch.stack([row.bincount(minlength=codes) for row in drawn]).double()


def test_equal_use_is_one_and_a_single_code_is_one_over_their_number() -> None:
    assert float(usage(torch.ones(5, 16, dtype=torch.float64))) == pytest.approx(1)
    single = torch.zeros(5, 16, dtype=torch.float64)
    single[:, 3] = 4
    assert float(usage(single)) == pytest.approx(1 / 16)
    assert usage(single).details == {"perplexity": pytest.approx(1), "codes": 16}
    assert float(dead_codes(single)) == pytest.approx(15 / 16)
    assert float(dead_codes(torch.ones(5, 16, dtype=torch.float64))) == 0


def test_usage_is_the_perplexity_written_out() -> None:
    made = counts()
    shares = (made.sum(0) / made.sum()).tolist()
    expected = math.exp(-sum(p * math.log(p) for p in shares if p > 0)) / 12
    assert float(usage(made)) == pytest.approx(expected)


def test_the_influence_on_usage_is_that_of_leaving_an_image_out() -> None:
    made = counts(400)
    influence = usage(made).influence
    assert influence is not None
    left_out = torch.tensor([float(usage(torch.cat([made[:i], made[i + 1 :]]))) for i in range(40)], dtype=torch.float64)
    torch.testing.assert_close((float(usage(made)) - left_out) * 399, influence.fake[:40], rtol=0.05, atol=0.02)


def test_dead_codes_have_the_jackknife_written_out() -> None:
    made = counts()
    n, value = len(made), float(dead_codes(made))
    left_out = torch.tensor([float((torch.cat([made[:i], made[i + 1 :]]).sum(0) == 0).double().mean()) for i in range(n)])
    left_out = left_out.double()
    found = dead_codes(made)
    assert found.se == pytest.approx(math.sqrt((n - 1) / n * float((left_out - left_out.mean()).square().sum())))
    assert found.bias_corrected == pytest.approx(max(0, value - (n - 1) * (float(left_out.mean()) - value)), abs=1e-6)


def test_a_vector_that_takes_over_shows_in_both() -> None:
    """The first code is copied over more and more others; the nearest of equal vectors is the first."""
    torch.manual_seed(0)
    model, (_, test) = VQVAE(DIGITS, channels=8, codes=16, layers=2), digits()
    encoded = model.encoder(test.batch(slice(0, 200)).x).detach().movedim(1, -1).flatten(0, 2)
    model.quantizer.codebook.copy_(encoded[torch.randperm(len(encoded))[:16]])
    used, dead = [], []
    for copies in (0, 4, 8, 12, 15):
        model.quantizer.codebook[16 - copies :] = model.quantizer.codebook[0]
        found = measured("codebook", subject_of(model, test=test, n=200))
        used.append(float(found["codebook_usage"]))
        dead.append(float(found["dead_codes"]))
    assert used == sorted(used, reverse=True)
    assert dead == sorted(dead)
    assert used[0] > 0.4
    assert used[-1] == pytest.approx(1 / 16)
    assert dead[-1] == pytest.approx(15 / 16)


def test_a_model_without_codes_is_left_out() -> None:
    assert not applies("codebook", VAE(DIGITS, latents=2, channels=4))
