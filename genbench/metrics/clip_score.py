"""CLIPScore: the cosine between a picture's and its caption's features, averaged over the pictures.

Source: Hessel et al. 2021, https://arxiv.org/abs/2104.08718, equation of section 3: CLIP-S = w max(cos, 0) with w = 2.5, on
ViT-B/32 and with "A photo depicts " before every caption. Others print 100 cos, without these words and on other networks, so
the scale is part of the protocol: `x100` is 100 max(mean of cos, 0) without a prefix. On the variant `l14` that is what
torchmetrics prints by default; on `b32`, what it prints when it is told to take ViT-B/32.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from genbench.errors import DataError, IncomparableError, UsageError
from genbench.estimate import Estimate, mean_estimate
from genbench.metrics._checks import check_rows
from genbench.metrics.base import Metric

Embed = Callable[[list[str]], Tensor]
HESSEL = {"scale": 2.5, "floor": "pair", "prefix": "A photo depicts "}


def compute(
    *,
    images: Tensor,
    captions: Sequence[str],
    embed: Embed,
    references: Sequence[Sequence[str]] | None = None,
    scale: float = 2.5,
    floor: Literal["pair", "mean", "none"] = "pair",
    prefix: str = "A photo depicts ",
) -> dict[str, Estimate]:
    """{"clip_score": Estimate} of (N, D) features of pictures and their N captions; at most `scale`.

    embed: T strings -> (T, D) in the space of `images`. references: not looked at. floor: what negative cosines count: "pair",
    nothing; "mean", as they are, but their mean is at least 0, as torchmetrics has it; "none", as they are. prefix: put before
    every caption. A picture or a caption whose features are all 0 has cosine 0 with everything.
    Raises UsageError where captions are not as many as pictures, DataError for numbers that are not finite.
    """
    values = scale * cosines(images, captions, embed=embed, prefix=prefix, metric="clip_score")
    estimate = mean_estimate(values.clamp_min(0) if floor == "pair" else values, better="higher", clusters=same(captions))
    return {"clip_score": _at_least_0(estimate) if floor == "mean" else estimate}


def cosines(images: Tensor, captions: Sequence[str], *, embed: Embed, prefix: str, metric: str) -> Tensor:
    """(N,) float64: of every picture with its caption. Each different caption is embedded once."""
    check_captions(images, captions, metric=metric)
    distinct, place = distinct_captions(captions)
    texts = unit_texts([prefix + caption for caption in distinct], embed, like=images)
    own = zip(images.split(1024), place.to(images.device).split(1024), strict=True)
    return torch.cat([(unit(rows) * texts[places]).sum(1) for rows, places in own]).cpu()


def unit(features: Tensor) -> Tensor:
    """(B, D) rows in float64 of length 1; rows of zeros stay."""
    return F.normalize(features.double(), dim=1)


def unit_texts(texts: list[str], embed: Embed, *, like: Tensor) -> Tensor:
    """(T, D) float64 of length 1. Raises where the texts are not finite or do not lie in the space of the pictures `like`."""
    features = embed(texts).to(like.device)
    if features.shape != (len(texts), like.shape[1]):
        raise IncomparableError(
            "E-WIDTH",
            f"the pictures have {like.shape[1]} features each, and {len(texts)} texts have {tuple(features.shape)}",
            hint="take the features of pictures and texts from one network",
        )
    bad = (~features.isfinite().all(1)).nonzero().flatten()
    if len(bad):
        raise DataError("E-NON-FINITE", f"{len(bad)} texts have features that are not finite; the first is {texts[bad[0]]!r}")
    return unit(features)


def distinct_captions(captions: Sequence[str]) -> tuple[list[str], Tensor]:
    """The different captions in alphabetical order, and (N,) int64: which of them each is."""
    distinct = sorted(set(captions))
    places = {caption: place for place, caption in enumerate(distinct)}
    return distinct, torch.tensor([places[caption] for caption in captions], dtype=torch.int64)


def same(captions: Sequence[str]) -> Tensor:
    """(N,) int64, equal for equal captions: pictures of one prompt are not independent of each other."""
    return distinct_captions(captions)[1]


def check_captions(images: Tensor, captions: Sequence[str], *, metric: str) -> None:
    """Raise unless there are usable features of at least two pictures, and a caption for each."""
    check_rows(images, side="fake", metric=metric)
    if len(captions) != len(images):
        raise UsageError("E-CAPTIONS", f"{metric} got {len(images)} pictures and {len(captions)} captions")


def _at_least_0(estimate: Estimate) -> Estimate:
    """The estimate of max(mean, 0)."""
    return replace(
        estimate,
        value=max(float(estimate), 0.0),
        ci=None if estimate.ci is None else (max(estimate.ci[0], 0.0), max(estimate.ci[1], 0.0)),
    )


metric = Metric(
    compute=compute,
    takes="text",
    reports={"clip_score": "higher"},
    extractor="clip",
    protocols={
        "hessel": HESSEL,
        "x100": {"scale": 100.0, "floor": "mean", "prefix": ""},
        "raw": {"scale": 1.0, "floor": "none", "prefix": ""},
    },
    min_n=100,
    error_bar="error of a mean over prompts: pictures of one prompt are one group",
    summary="Cosine between the CLIP features of a picture and of its caption, times 2.5, 100 or 1 by protocol",
    sees="pictures that do not show what the caption names",
    blind="counts, places and which object has which attribute; quality and variety beyond that",
    source="Hessel et al. 2021, https://arxiv.org/abs/2104.08718",
)
