"""Flicker: how much generated videos change from frame to frame, and how fast, against real ones.

    flicker            = mean |x_t - x_{t-1}| of fake / the same of real - 1
    temporal_frequency = log2 (share of temporal power at high frequencies of fake / the same of real)

Temporal power is that of each pixel's cosine transform along time without its mean; frequencies k = 1 .. T-1 are half cycles
per video, and those of T/2 or more are high. The cosine transform takes a video to go on in reverse where it ends, so
that steady movement leaks little into high frequencies; a video played backwards has the same power.

A frozen video has flicker -1, frames in random order raise both. Neither looks at what moves: camera pans and cuts are changes.
The mean absolute difference of neighbouring frames is what VBench calls temporal flickering, there of still scenes and without
a reference: Huang et al. 2023, https://arxiv.org/abs/2311.17982.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from genbench.errors import DataError, IncomparableError, UsageError
from genbench.estimate import Estimate, Influence, normal_interval
from genbench.metrics._checks import Side
from genbench.metrics.base import Metric

BLOCK = 2**22  # values of videos that are in memory in float64 at a time
ROUNDING = 1e-20  # share of power that float64 leaves where there is none
LEAST_FRAMES = 3  # of two frames all temporal power is at one frequency


def compute(*, real: Tensor, fake: Tensor) -> dict[str, Estimate]:
    """{"flicker", "temporal_frequency"} of uint8 videos (M, C, T, H, W) and (N, C, T, H, W).

    No value, and a reason, where real videos stand still, and for the frequency where either side does.
    Raises UsageError for what is no set of videos, IncomparableError for videos of different sizes or lengths, DataError for
    fewer than 2 videos or 3 frames.
    """
    _check(real, side="real")
    _check(fake, side="fake")
    if real.shape[1:] != fake.shape[1:]:
        sentence = f"real videos are {tuple(real.shape[1:])} and fake ones {tuple(fake.shape[1:])} (C, T, H, W)"
        raise IncomparableError("E-SHAPE", sentence, hint="bring both sides to the same size and the same number of frames")
    return {
        "flicker": _excess(real=frame_changes(real), fake=frame_changes(fake)),
        "temporal_frequency": _ratio_of_shares(real=temporal_power(real), fake=temporal_power(fake)),
    }


def frame_changes(videos: Tensor) -> Tensor:
    """Mean |x_t - x_{t-1}| of each video in levels: uint8 (N, C, T, H, W) -> (N,) float64."""
    return torch.cat([block.diff(dim=2).abs().flatten(1).mean(1) for block in _blocks(videos)])


def temporal_power(videos: Tensor) -> Tensor:
    """uint8 (N, C, T, H, W) -> (N, T-1) float64: mean squared cosine coefficients k = 1 .. T-1 along time, in levels².

    The transform is orthonormal (DCT-II): a video's powers sum to T times the mean variance of a pixel in time.
    """
    frames = videos.shape[2]
    k, t = torch.arange(1, frames, dtype=torch.float64)[:, None], torch.arange(frames, dtype=torch.float64)
    cosines = math.sqrt(2 / frames) * torch.cos(math.pi / frames * (t + 0.5) * k).to(videos.device)  # (T-1, T)

    def power(block: Tensor) -> Tensor:
        moved = block - block[:, :, :1]  # only the mean changes, and videos that stand still are exactly 0
        return torch.einsum("kt,ncthw->nkchw", cosines, moved).square().mean((2, 3, 4))

    return torch.cat([power(block) for block in _blocks(videos)])


def _blocks(videos: Tensor) -> Iterator[Tensor]:
    for block in videos.split(max(1, BLOCK // videos[0].numel())):
        yield block.double()


def _check(videos: Tensor, *, side: Side) -> None:
    if videos.ndim != 5 or videos.dtype != torch.uint8:
        got = f"{videos.dtype} {tuple(videos.shape)}".removeprefix("torch.")
        raise UsageError("E-SHAPE", f"flicker takes {side} videos as uint8 (N, C, T, H, W), not {got}")
    if len(videos) < 2:
        raise DataError("E-FEW", f"flicker needs at least 2 {side} videos, got {len(videos)}", hint="give more videos")
    if videos.shape[2] < LEAST_FRAMES:
        raise DataError("E-FEW", f"flicker needs {LEAST_FRAMES} frames of a video, and the {side} ones have {videos.shape[2]}")


def _excess(*, real: Tensor, fake: Tensor) -> Estimate:
    """mean(fake) / mean(real) - 1 of positive numbers per video, with the delta method's error."""
    if not real.any():
        return _nothing(real, fake, "the real videos stand still, so there is no change to compare with")
    ratio = float(fake.mean() / real.mean())
    pull_fake, pull_real = (fake - fake.mean()) / real.mean(), -ratio * (real / real.mean() - 1)
    return _estimate(ratio - 1, pull_real=pull_real, pull_fake=pull_fake)


def _ratio_of_shares(*, real: Tensor, fake: Tensor) -> Estimate:
    """log2 of the share of power at high frequencies in `fake` (N, T-1) over that in `real` (M, T-1)."""
    high = math.ceil((real.shape[1] + 1) / 2) - 1  # column of the first k >= T/2
    shares, pulls = [], []
    for name, power in (("real", real), ("generated", fake)):
        fast, whole = power[:, high:].sum(1), power.sum(1)
        if fast.mean() <= ROUNDING * whole.mean():
            return _nothing(real, fake, f"the {name} videos have no temporal power at high frequencies")
        shares.append(float(fast.mean() / whole.mean()))
        pulls.append((fast / fast.mean() - whole / whole.mean()) / math.log(2))
    return _estimate(math.log2(shares[1] / shares[0]), pull_real=-pulls[0], pull_fake=pulls[1])


def _estimate(value: float, *, pull_real: Tensor, pull_fake: Tensor) -> Estimate:
    se = math.sqrt(float(pull_real.var()) / len(pull_real) + float(pull_fake.var()) / len(pull_fake))
    return Estimate(
        value=value,
        se=se,
        ci=normal_interval(value, se),
        method="influence",
        n=len(pull_fake),
        n_real=len(pull_real),
        better="zero",
        influence=Influence(fake=pull_fake, real=pull_real),
    )


def _nothing(real: Tensor, fake: Tensor, reason: str) -> Estimate:
    return Estimate(value=None, n=len(fake), n_real=len(real), better="zero", reason=reason)


metric = Metric(
    compute=compute,
    takes="videos",
    reports={"flicker": "zero", "temporal_frequency": "zero"},
    extractor=None,
    min_n=100,
    error_bar="Delta method for ratios of means over videos, both sides.",
    summary="Excess of change from frame to frame over that of real videos, and how much of it is at high temporal frequencies",
    sees="flicker and frames out of order (positive), frozen or slowed videos (negative)",
    blind="what the videos show, whether movement is plausible, the direction of time",
    source="Huang et al. 2023, https://arxiv.org/abs/2311.17982",
)
