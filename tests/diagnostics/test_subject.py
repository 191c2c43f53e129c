"""What all diagnostics share: streams of chance, samples, and estimates from numbers of images."""

from __future__ import annotations

import pytest
import torch
from known_subjects import random_images, subject_of
from scipy.stats import ttest_1samp, ttest_ind
from toy_generators import Linear, points, subject

from genbench.batch import DataSpec
from genbench.diagnostics._estimates import finite_difference, finite_mean, finite_share, ratio_of_means, share_of
from genbench.models.gan.conditional_gan import ConditionalGAN


def normal(n: int, seed: int) -> torch.Tensor:
    return torch.randn(n, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_a_row_has_its_stream_whatever_rows_are_asked_for_with_it() -> None:
    whole = subject(Linear(), points())
    every = whole.noise(10, "a/b").normal(3)
    assert torch.equal(whole.noise(slice(4, 7), "a/b").normal(3), every[4:7])


def test_purposes_and_seeds_never_share_a_stream() -> None:
    seeds = [*range(4), 41, 1_000, 2_000, 41_000]
    purposes = ["energy_gap/uniform", "video_flicker/order", "likelihood_gap/train", "likelihood_gap/test"]
    drawn = [subject(Linear(), points(), seed=seed).noise(2, purpose).normal(2) for seed in seeds for purpose in purposes]
    rows = torch.cat(drawn)
    assert len(rows.unique(dim=0)) == len(rows)


def test_samples_with_knobs_are_those_of_the_same_noise_and_condition() -> None:
    torch.manual_seed(0)
    spec = DataSpec(channels=1, height=8, width=8, classes=3)
    whole = subject_of(ConditionalGAN(spec, channels=4, latent=4), test=random_images(spec, 7))
    torch.testing.assert_close(whole.sample(4), whole.samples[:4])
    knob = next(iter(whole.model.knobs))
    torch.testing.assert_close(whole.sample(4, **{knob: whole.model.knobs[knob].default}), whole.samples[:4])
    assert not torch.equal(whole.sample(4, **{knob: whole.model.knobs[knob].sweep[0]}), whole.samples[:4])


def test_intervals_are_student_s() -> None:
    one, other = normal(30, 0), normal(30, 1)
    mean, difference = finite_mean(one, better="lower"), finite_difference(one, other)
    assert mean.ci == pytest.approx(tuple(ttest_1samp(one.numpy(), 0).confidence_interval()))
    welch = tuple(ttest_ind(one.numpy(), other.numpy(), equal_var=False).confidence_interval())
    assert difference.ci is not None
    assert difference.ci == pytest.approx(welch, abs=0.03)
    assert difference.ci[0] <= welch[0] < welch[1] <= difference.ci[1], "never narrower than Welch's"


def test_a_ratio_to_ones_is_a_mean() -> None:
    one = normal(30, 0).exp()
    ratio, mean = ratio_of_means(one, torch.ones(30), better="lower", nothing=""), finite_mean(one, better="lower")
    assert (ratio.value, ratio.se) == pytest.approx((mean.value, mean.se))
    assert ratio.ci == pytest.approx(mean.ci)


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_a_share_of_what_is_not_finite_has_no_value(broken: float) -> None:
    values = torch.tensor([1.0, 7.0, broken])
    found = finite_share(values, lambda x: x > 6, better="lower")
    assert found.value is None
    assert found.reason == "for 1 of 3 images the number is not finite"
    assert finite_share(values[:2], lambda x: x > 6, better="lower") == share_of(values[:2] > 6, better="lower")
