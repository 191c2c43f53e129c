"""The autoencoder: a linear one reaches the principal components' error, and its codes need the fitted Gaussian."""

from __future__ import annotations

import pytest
import torch
from sklearn.decomposition import PCA
from torch import Tensor

from genbench.batch import Batch, Condition, DataSpec, Examples
from genbench.models.vae.autoencoder import Autoencoder
from genbench.seeding import Noise

SPEC = DataSpec(channels=1, height=2, width=3, levels=0)


def correlated(n: int = 256) -> Tensor:
    """Float32 (n, 1, 2, 3) whose principal components have variances 4, 2, 1, 0.2, 0.1, 0.05, around a mean."""
    generator = torch.Generator().manual_seed(0)
    axes = torch.linalg.qr(torch.randn(6, 6, generator=generator)).Q
    scales = torch.tensor([4, 2, 1, 0.2, 0.1, 0.05]).sqrt()
    return (torch.randn(n, 6, generator=generator) * scales @ axes + 0.5).view(n, 1, 2, 3)


def trained(model: Autoencoder, x: Tensor, steps: int) -> Autoencoder:
    """Both stages, on all examples at once."""
    codec, codes = model.stages()
    (phase,) = codec.phases
    optimizer = torch.optim.Adam([p for module in phase.modules for p in module.parameters()], lr=0.03)
    for step in range(steps):
        optimizer.zero_grad()
        phase.loss(Batch(x=x), step / steps)["loss"].backward()
        optimizer.step()
    assert codes.fit is not None
    list(codes.fit(Examples(images=x)))
    return model


@pytest.fixture(scope="module")
def linear() -> Autoencoder:
    torch.manual_seed(0)
    return trained(Autoencoder(SPEC, latents=3, network="linear"), correlated(), 300)


def test_a_linear_one_reaches_the_error_of_pca_and_not_less(linear: Autoencoder) -> None:
    x = correlated()
    flat = x.flatten(1).numpy()
    theirs = PCA(3).fit(flat)
    best = ((theirs.inverse_transform(theirs.transform(flat)) - flat) ** 2).mean()
    error = float((linear.decode(linear.encode(x)) - x).detach().square().mean())
    assert best * (1 - 1e-4) < error < best * 1.01


def test_a_linear_one_spans_the_principal_subspace(linear: Autoencoder) -> None:
    components = torch.from_numpy(PCA(3).fit(correlated().flatten(1).numpy()).components_)
    columns = torch.stack([linear.decode(z) - linear.decode(0 * z) for z in torch.eye(3).unsqueeze(1)]).reshape(3, 6).detach()
    cosines = torch.linalg.svdvals(torch.linalg.qr(columns.T).Q.T @ components.T)
    assert cosines.min() > 0.99


def test_fitted_codes_have_the_moments_of_the_training_images_codes(linear: Autoencoder) -> None:
    codes = linear.encode(correlated()).detach()
    torch.testing.assert_close(linear.code_mean, codes.mean(0), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(linear.code_factor @ linear.code_factor.T, codes.T.cov(correction=0), atol=1e-4, rtol=1e-4)


def test_samples_have_the_data_s_moments_from_fitted_codes_and_not_from_standard_normal_ones(linear: Autoencoder) -> None:
    """The hole problem in the one case where it is exact: the decoder is linear, so moments of codes are all that counts."""
    reconstructed = linear.decode(linear.encode(correlated())).flatten(1).detach()

    def gap(fitted: float) -> float:
        samples = linear.sample(Noise(0, range(2000)), Condition(), fitted=fitted).flatten(1).detach()
        return float((samples.mean(0) - reconstructed.mean(0)).norm() + (samples.T.cov() - reconstructed.T.cov()).norm())

    assert gap(1.0) < 0.5
    assert gap(0.0) > 5 * gap(1.0)


def test_the_code_is_a_bottleneck() -> None:
    model = Autoencoder(DataSpec(channels=1, height=16, width=16), latents=5, channels=4)
    x = torch.zeros(2, 1, 16, 16)
    assert model.encode(x).shape == (2, 5)
    assert model.decode(model.encode(x)).shape == x.shape


def test_identical_examples_leave_finite_samples() -> None:
    model = Autoencoder(SPEC, latents=2, channels=2)
    trained(model, torch.ones(4, 1, 2, 3), 1)
    samples = model.generate(3)
    torch.testing.assert_close(samples, samples[:1].expand(3, -1, -1, -1))  # codes without spread
