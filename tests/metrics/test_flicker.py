"""Flicker: loops over frames, frames frozen, repeated, shuffled and shaken in doses, and videos played backwards."""

from __future__ import annotations

import math
from functools import cache

import pytest
import torch
from scipy.fft import dct
from torch import Tensor

from genbench.catalog import find
from genbench.errors import DataError, IncomparableError, UsageError
from genbench.estimate import Estimate
from genbench.metrics import flicker


@cache
def shapes(split: str) -> Tensor:
    """uint8 (1,000 or so, 3, 8, 16, 16): objects that move straight and evenly."""
    return find("datasets", "shapes")().examples(split, "video").images[:1000]


def measure(fake: Tensor, real: Tensor | None = None) -> dict[str, Estimate]:
    return flicker.compute(real=shapes("train")[:150] if real is None else real, fake=fake)


def values(fake: Tensor, real: Tensor | None = None) -> tuple[float, float]:
    measured = measure(fake, real)
    return float(measured["flicker"]), float(measured["temporal_frequency"])


def in_random_order(videos: Tensor, share: float) -> Tensor:
    """That share of the videos with their frames shuffled, each in an order of its own."""
    chance = torch.Generator().manual_seed(3)
    order = torch.rand(len(videos), videos.shape[2], generator=chance).argsort(1)
    order[round(share * len(videos)) :] = torch.arange(videos.shape[2])
    return videos.gather(2, order[:, None, :, None, None].expand_as(videos))


def random_videos(n: int, frames: int = 6, seed: int = 0) -> Tensor:
    return torch.randint(0, 256, (n, 2, frames, 4, 5), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def test_changes_are_those_of_a_loop() -> None:
    videos = random_videos(3)
    for video, change in zip(videos.double(), flicker.frame_changes(videos), strict=True):
        steps = [float((video[:, t] - video[:, t - 1]).abs().mean()) for t in range(1, 6)]
        assert float(change) == pytest.approx(sum(steps) / 5, rel=1e-12)


@pytest.mark.parametrize("frames", [3, 6, 7])
def test_power_is_that_of_scipys_cosine_transform(frames: int) -> None:
    videos = random_videos(3, frames)
    expected = (dct(videos.double().numpy(), axis=2, norm="ortho") ** 2).mean(axis=(1, 3, 4))[:, 1:]
    power = flicker.temporal_power(videos)
    torch.testing.assert_close(power, torch.from_numpy(expected))
    spread = videos.double().var(dim=2, unbiased=False).mean((1, 2, 3))
    torch.testing.assert_close(power.sum(1) / frames, spread)


@pytest.mark.parametrize(("frames", "first"), [(3, 2), (4, 2), (5, 3), (8, 4)])
def test_high_frequencies_are_half_of_the_frames_and_more(frames: int, first: int) -> None:
    real, fake = random_videos(30, frames, 0), random_videos(30, frames, 1).sort(dim=2).values

    def share(videos: Tensor) -> float:
        power = (dct(videos.double().numpy(), axis=2, norm="ortho") ** 2).sum(axis=(0, 1, 3, 4))
        return float(power[first:].sum() / power[1:].sum())

    assert values(fake, real)[1] == pytest.approx(math.log2(share(fake) / share(real)), rel=1e-9)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    real, fake = random_videos(20), random_videos(17, seed=1)
    whole = values(fake, real)
    monkeypatch.setattr(flicker, "BLOCK", 700)
    assert values(fake, real) == pytest.approx(whole, rel=1e-12, abs=1e-15)


def test_real_videos_are_as_real_ones() -> None:
    real = shapes("train")[:150]
    assert values(real, real) == (0.0, 0.0)
    for estimate in measure(shapes("test")[:300], shapes("train")[:300]).values():
        assert estimate.ci is not None
        assert estimate.se is not None
        assert abs(float(estimate)) < 3 * estimate.se


def test_frames_in_random_order_raise_both_dose_by_dose() -> None:
    doses = [values(in_random_order(shapes("test")[:150], share)) for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
    for one in zip(*doses, strict=True):
        assert list(one) == sorted(one)
        assert one[-1] > one[0] + 0.5


def test_flickering_brightness_raises_both_dose_by_dose() -> None:
    videos = shapes("test")[:150]
    lamp = torch.randn(150, 1, 8, 1, 1, generator=torch.Generator().manual_seed(0))
    doses = [values((videos + sigma * lamp).round().clamp(0, 255).to(torch.uint8)) for sigma in (0.0, 2.0, 5.0, 10.0)]
    for one in zip(*doses, strict=True):
        assert list(one) == sorted(one)


def test_frozen_videos_are_minus_one_and_frozen_doses_lie_between() -> None:
    videos = shapes("test")[:200]
    doses = []
    for share in (0.0, 0.3, 0.6, 1.0):
        some = videos.clone()
        some[: round(200 * share)] = some[: round(200 * share), :, :1]
        doses.append(measure(some))
    found = [float(dose["flicker"]) for dose in doses]
    assert found == sorted(found, reverse=True)
    assert found[-1] == -1.0
    frozen = doses[-1]["temporal_frequency"]
    assert frozen.value is None
    assert "generated videos have no temporal power" in (frozen.reason or "")


def test_even_brightening_has_no_high_frequency() -> None:
    """Of three frames that brighten evenly, the second coefficient is 0 but for rounding."""
    ramp = torch.tensor([10, 27, 44], dtype=torch.uint8)[None, None, :, None, None].repeat(4, 2, 1, 4, 5)
    assert float(measure(ramp, ramp)["flicker"]) == 0.0
    assert measure(ramp, random_videos(4, 3))["temporal_frequency"].value is None


def test_slower_videos_lower_it() -> None:
    videos = shapes("test")[:150]
    slow = videos[:, :, :4].repeat_interleave(2, dim=2)
    assert values(slow)[0] < -0.3


def test_order_mirrors_and_the_direction_of_time_do_not_move_it() -> None:
    videos = shapes("test")[:100]
    shuffled = videos[torch.randperm(100, generator=torch.Generator().manual_seed(0))]
    for same in (videos.flip(2), videos.flip(-1), 255 - videos, shuffled):
        assert values(same) == pytest.approx(values(videos), rel=1e-9)


def test_real_videos_that_stand_still_have_no_value() -> None:
    still = torch.zeros(5, 2, 6, 4, 5, dtype=torch.uint8)
    for estimate in measure(random_videos(5), still).values():
        assert estimate.value is None
        assert "real videos" in (estimate.reason or "")


@pytest.mark.parametrize("name", ["flicker", "temporal_frequency"])
def test_influence_is_the_effect_of_leaving_a_video_out(name: str) -> None:
    real, fake = shapes("train")[:250], in_random_order(shapes("test")[:200], 0.3)
    estimate = measure(fake, real)[name]
    assert estimate.influence is not None
    assert estimate.influence.real is not None
    for i in (0, 50, 199):
        effect = (float(estimate) - float(measure(fake[torch.arange(200) != i], real)[name])) * 199
        assert float(estimate.influence.fake[i]) == pytest.approx(effect, rel=0.05, abs=0.02)
    effect = (float(estimate) - float(measure(fake, real[1:])[name])) * 249
    assert float(estimate.influence.real[0]) == pytest.approx(effect, rel=0.05, abs=0.02)
    assert abs(float(estimate.influence.fake.mean())) < 1e-12
    variance = float(estimate.influence.fake.var()) / 200 + float(estimate.influence.real.var()) / 250
    assert estimate.se == pytest.approx(math.sqrt(variance))


def test_reports_what_it_says() -> None:
    found = measure(shapes("test")[:20])
    assert {name: estimate.better for name, estimate in found.items()} == dict(flicker.metric.reports)


def test_what_is_no_set_of_videos_is_refused() -> None:
    videos = random_videos(4)
    with pytest.raises(UsageError, match=r"fake videos as uint8 \(N, C, T, H, W\), not uint8 \(4, 2, 6, 4\)"):
        measure(videos[..., 0], videos)
    with pytest.raises(UsageError, match=r"real videos as uint8 .* not float32"):
        measure(videos, videos.float())
    with pytest.raises(DataError, match="at least 2 fake videos, got 1"):
        measure(videos[:1], videos)
    with pytest.raises(DataError, match="3 frames of a video, and the real ones have 2"):
        measure(videos[:, :, :2], videos[:, :, :2])
    with pytest.raises(IncomparableError, match=r"real videos are \(2, 6, 4, 5\) and fake ones \(2, 5, 4, 5\)"):
        measure(videos[:, :, :5], videos)
