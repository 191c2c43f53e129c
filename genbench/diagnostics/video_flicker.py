"""Whether generated videos change from frame to frame as much as real ones: flicker, frames out of order, frozen videos."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor

from genbench import images
from genbench.diagnostics.base import Diagnostic, Reading, Subject
from genbench.estimate import Estimate
from genbench.metrics import flicker
from genbench.models.base import GenerativeModel


def has_frames(model: GenerativeModel) -> bool:
    """Whether its samples are videos of enough frames."""
    return model.spec.frames >= flicker.LEAST_FRAMES


def compute(subject: Subject) -> Mapping[str, Estimate]:
    """Samples against test videos; details["shuffled"] is what test videos themselves have with frames in random order."""
    real, fake = images.to_uint8(subject.real.x).cpu(), images.to_uint8(subject.samples).cpu()
    shuffled = flicker.compute(real=real, fake=_shuffled(real, subject))
    return {
        name: replace(estimate, details={} if shuffled[name].value is None else {"shuffled": float(shuffled[name])})
        for name, estimate in flicker.compute(real=real, fake=fake).items()
    }


def _shuffled(videos: Tensor, subject: Subject) -> Tensor:
    """(N, C, T, H, W) -> the same with each video's frames in an order of its own."""
    order = subject.noise(len(videos), "video_flicker/order").uniform(videos.shape[2]).cpu().argsort(1)
    return videos.gather(2, order[:, None, :, None, None].expand_as(videos))


diagnostic = Diagnostic(
    applies=has_frames,
    compute=compute,
    reports={
        "flicker": Reading(
            meaning="Excess of the mean change from one frame to the next over that of test videos; -1 is a frozen video.",
            usual=(-0.2, 0.2),
            advice="Above: let the network see neighbouring frames, by attention or convolutions along time, and share noise "
            "between frames. Below: the videos hardly move; look at the weight of the first frame and at the training clips.",
        ),
        "temporal_frequency": Reading(
            meaning="log2 of the share of temporal power at high frequencies over the same share of test videos.",
            usual=(-0.5, 0.5),
            advice="Above: frames jitter or come out of order; check the embedding of time. Below: movement is smoothed away.",
        ),
    },
    quick=True,
    source="Huang et al. 2023, https://arxiv.org/abs/2311.17982",
)
