"""Inverses that invert, and ones that are off by a known amount."""

from __future__ import annotations

import math

import pytest
import torch
from known_subjects import DIGITS, PLANE, applies, continuous, digits, measured, subject_of
from torch import Tensor

from genbench.batch import Condition
from genbench.models.flow.real_nvp import RealNVP
from genbench.models.linear.gaussian import Gaussian
from genbench.models.vae.vae import VAE


def flow() -> RealNVP:
    torch.manual_seed(0)
    return RealNVP(DIGITS, channels=4)


def test_flows_and_gaussians_invert_to_rounding() -> None:
    for model in (flow(), Gaussian(DIGITS)):
        found = measured("invertibility", subject_of(model, test=digits()[1], n=70))
        assert float(found["inversion_error"]) < 1e-4
        assert float(found["not_finite"]) == 0


@pytest.mark.parametrize("kind", ["flow", "gaussian"])
def test_an_inverse_that_is_off_is_off_by_as_much(kind: str) -> None:
    model = flow() if kind == "flow" else Gaussian(DIGITS)
    exact = model.from_latents
    errors = []
    for dose in (0.0, 1e-3, 0.1):

        def off(z: Tensor, condition: Condition, dose: float = dose) -> Tensor:
            x = exact(z, condition).clone()
            x[-1, 0, 2, 3] += dose  # one value of one image of each block
            return x

        model.from_latents = off  # type: ignore[method-assign]
        errors.append(float(measured("invertibility", subject_of(model, test=digits()[1], n=70))["inversion_error"]))
    assert errors[0] < 1e-4
    assert errors[1:] == pytest.approx([1e-3, 0.1], abs=1e-4)


def test_a_share_of_draws_that_explode_is_counted() -> None:
    model = Gaussian(DIGITS)
    exact = model.from_latents

    def exploding(z: Tensor, condition: Condition) -> Tensor:
        # 16 % of the draws explode, and the test images whose first latent is as large
        return exact(z, condition) / (z[:, :1, None, None] < 1)

    model.from_latents = exploding  # type: ignore[method-assign]
    found = measured("invertibility", subject_of(model, test=digits()[1], n=400))["not_finite"]
    ci = found.ci
    assert ci is not None
    expected = 0.5 * 0.1587 + 0.5 * float((model.to_latents(digits()[1].batch().x[:400])[0][:, 0] >= 1).double().mean())
    assert ci[0] - 0.02 < expected < ci[1] + 0.02


def test_images_that_do_not_come_back_leave_no_error_and_are_counted() -> None:
    model = flow()
    model.from_latents = lambda z, condition: z.view(-1, 1, 8, 8) / 0  # type: ignore[method-assign]
    found = measured("invertibility", subject_of(model, test=digits()[1], n=20))
    assert found["inversion_error"].value is None
    assert float(found["not_finite"]) == 1


@pytest.mark.parametrize("scale", [1.0, 0.1, 1e-3])
def test_the_determinant_is_that_of_the_whitening(scale: float) -> None:
    """Points of deviations 1 and `scale`: whitening stretches them by their product, in the logarithm a half of it a value."""
    x = torch.randn(4000, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, scale])
    model = Gaussian(PLANE)
    fit = model.stages()[0].fit
    assert fit is not None
    list(fit(continuous(x)))
    found = measured("invertibility", subject_of(model, test=continuous(x[:50])))["least_log_det"]
    assert float(found) == pytest.approx(-0.5 * math.log(scale), abs=0.03)


def test_it_needs_an_inverse() -> None:
    assert not applies("invertibility", VAE(DIGITS, latents=2, channels=4))
