"""Reconstruction: the error of principal components is known, and noise that is planted adds its variance."""

from __future__ import annotations

import pytest
import torch
from known_subjects import DIGITS, PLANE, applies, continuous, digits, measured, subject_of
from sklearn.decomposition import PCA
from torch import Tensor

from genbench.models.diffusion.ddpm import DDPM
from genbench.models.linear.gaussian import Gaussian


def fitted(rank: int | None) -> Gaussian:
    model, (train, _) = Gaussian(DIGITS, rank=rank), digits()
    fit = model.stages()[0].fit
    assert fit is not None
    list(fit(train))
    return model


@pytest.mark.parametrize("rank", [2, 10])
def test_the_error_is_that_of_principal_components(rank: int) -> None:
    model, (train, test) = fitted(rank), digits()
    flat, known = test.batch().x.flatten(1).numpy(), train.batch().x.flatten(1).numpy()
    theirs = PCA(rank).fit(known)
    rebuilt = theirs.inverse_transform(theirs.transform(flat)).clip(-1, 1)
    found = measured("reconstruction", subject_of(model, train=train, test=test))
    assert float(found["reconstruction_error"]) == pytest.approx(float(((rebuilt - flat) ** 2).mean()), rel=1e-3)


def test_more_components_leave_less_error_and_all_of_them_none() -> None:
    train, test = digits()
    found = [measured("reconstruction", subject_of(fitted(rank), train=train, test=test)) for rank in (1, 4, 16, 40, None)]
    errors = [float(estimate["reconstruction_error"]) for estimate in found]
    ratios = [float(estimate["reconstruction_psnr"]) for estimate in found]
    assert errors == sorted(errors, reverse=True)
    assert ratios == sorted(ratios)
    assert errors[-1] == pytest.approx(0, abs=1e-9)
    assert ratios[-1] == pytest.approx(58.9, abs=0.05)


def test_planted_noise_adds_its_variance_and_shows_in_decibels() -> None:
    model, (train, test) = fitted(None), digits()
    decode = model.decode
    noise = torch.randn(64, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    noise = noise / noise.square().mean((1, 2, 3), keepdim=True).sqrt()
    for sigma in (0.02, 0.1, 0.5):

        def noisy(z: Tensor, sigma: float = sigma) -> Tensor:
            return decode(z) + sigma * noise[: len(z)]

        model.decode = noisy  # type: ignore[method-assign]
        found = measured("reconstruction", subject_of(model, train=train, test=test))
        assert float(found["reconstruction_error"]) == pytest.approx(sigma**2, rel=1e-3)
        assert float(found["reconstruction_psnr"]) == pytest.approx(10 * torch.tensor(4 / sigma**2).log10().item(), abs=0.1)


def test_a_code_that_knows_the_training_images_alone_has_a_gap() -> None:
    model, (train, test) = fitted(None), digits()
    known = {tuple(row.tolist()) for row in train.batch().x.flatten(1)}
    found = []
    for wrong in (0.0, 0.1, 0.3):

        def encode(x: Tensor, wrong: float = wrong) -> Tensor:
            foreign = torch.tensor([tuple(row.tolist()) not in known for row in x.flatten(1)], dtype=torch.float32)
            return torch.cat([x.flatten(1), wrong * foreign[:, None]], 1)

        model.encode = encode  # type: ignore[method-assign]
        model.decode = lambda z: z[:, :64].view(-1, 1, 8, 8) + z[:, 64, None, None, None]  # type: ignore[method-assign]
        found.append(float(measured("reconstruction", subject_of(model, train=train, test=test))["reconstruction_gap"]))
    assert found == pytest.approx([0, 0.01, 0.09], abs=0.004)  # a few test digits look like training ones


def test_points_have_no_decibels() -> None:
    model, points = Gaussian(PLANE), continuous(torch.randn(20, 2))
    found = measured("reconstruction", subject_of(model, test=points))
    assert found["reconstruction_psnr"].value is None
    assert float(found["reconstruction_error"]) < 1e-9
    assert not applies("reconstruction", DDPM(PLANE, channels=4))
