"""R-precision with CLIP: how often a picture's own caption is nearer to it than every one of 99 other captions.

Sources: Xu et al. 2018, AttnGAN, https://arxiv.org/abs/1711.10485, section 4, for the measure: the true caption among 99 drawn
ones, R = 1; Park et al. 2021, Benchmark for Compositional Text-to-Image Synthesis, for CLIP in place of a network trained on
the benchmark's own captions, which generators are trained to please.

The published number depends on which captions are drawn. Here is its mean over all draws, which needs no drawing: of M - 1
other captions, of which k are at least as near as the own one, 99 drawn ones hold none of the k with the probability

    C(M - 1 - k, 99) / C(M - 1, 99)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from genbench.errors import DataError
from genbench.estimate import Estimate, Influence, clustered_share_interval, mean_estimate
from genbench.metrics.base import Metric
from genbench.metrics.clip_score import Embed, check_captions, distinct_captions, unit, unit_texts

BLOCK = 1 << 22  # cosines in memory at a time


def compute(
    *,
    images: Tensor,
    captions: Sequence[str],
    embed: Embed,
    references: Sequence[Sequence[str]] | None = None,
    others: int = 99,
    prefix: str = "",
) -> dict[str, Estimate]:
    """{"clip_r_precision": Estimate}, in [0, 1], of (N, D) features of pictures and their N captions.

    embed, prefix: as of CLIPScore. references: not looked at. others: captions that the own one must beat, drawn among the M
    different captions of the set; with fewer than `others` + 1 of them all are taken. details: "captions" M and "others".
    By chance it is 1 / (others + 1). Raises DataError for fewer than 2 different captions, and what CLIPScore raises.

    The error is a jackknife over prompts: without one, its pictures are gone, and its caption no longer confuses others.
    """
    check_captions(images, captions, metric="clip_r_precision")
    distinct, own = distinct_captions(captions)
    if len(distinct) < 2:
        raise DataError(
            "E-FEW",
            "clip_r_precision needs pictures of at least 2 different captions",
            hint="give more prompts, not more pictures",
        )
    drawn = min(others, len(distinct) - 1)
    texts = unit_texts([prefix + caption for caption in distinct], embed, like=images)
    hits, confusion = _hits(images, texts, own.to(images.device), drawn)
    details = {"captions": float(len(distinct)), "others": float(drawn)}
    if len(distinct) == 2:
        reason = "without one of two captions nothing is left to confuse"
        return {
            "clip_r_precision": Estimate(
                value=float(hits.mean()), n=len(images), better="higher", reason=reason, details=details
            )
        }
    pictures = torch.bincount(own, minlength=len(distinct)).double()
    pull = hits - hits.mean() + ((confusion - confusion.mean()) / pictures)[own]
    value = float(hits.mean())
    estimate = mean_estimate(value + pull, better="higher", clusters=own)
    assert estimate.se is not None
    ci = clustered_share_interval(value, estimate.se, len(distinct))
    return {
        "clip_r_precision": replace(
            estimate, value=value, ci=ci, method="jackknife", details=details, influence=Influence(fake=pull, groups=own)
        )
    }


def _hits(images: Tensor, texts: Tensor, own: Tensor, drawn: int) -> tuple[Tensor, Tensor]:
    """(N,) the probability that the own caption is the nearest, and (M,) the sum of what each caption changes as another's.

    A caption that is exactly as near counts as nearer: what a network cannot tell apart it has not found.
    """
    hits, confusion = [], torch.zeros(len(texts), dtype=torch.float64, device=images.device)
    rows = max(1, BLOCK // len(texts))
    for some, places in zip(images.split(rows), own.split(rows), strict=True):
        cosines = unit(some) @ texts.T  # (B, M)
        beats = (cosines >= cosines.gather(1, places[:, None])).double()
        beats.scatter_(1, places[:, None], 0)
        k, pool = beats.sum(1), len(texts) - 1
        hit = _none_drawn(k, pool, drawn)
        fewer = min(drawn, pool - 1)  # one caption less to draw from: one of the k, or one of the rest
        without_nearer, without_other = _none_drawn((k - 1).clamp_min(0), pool - 1, fewer), _none_drawn(k, pool - 1, fewer)
        change = hit - without_other
        confusion += change.sum() - torch.zeros_like(confusion).index_add_(0, places, change)
        confusion += (without_other - without_nearer) @ beats
        hits.append(hit)
    return torch.cat(hits).cpu(), confusion.cpu()


def _none_drawn(k: Tensor, pool: int, drawn: int) -> Tensor:
    """The probability that none of k out of `pool` is among the `drawn`, elementwise: C(pool - k, drawn) / C(pool, drawn)."""
    if drawn == 0:
        return torch.ones_like(k)
    rest = (pool - k).clamp_min(drawn)
    whole = torch.full_like(k, pool)

    def log_choices(n: Tensor) -> Tensor:  # without the part that both share
        return torch.lgamma(n + 1) - torch.lgamma(n - drawn + 1)

    return torch.where(pool - k >= drawn, (log_choices(rest) - log_choices(whole)).exp(), 0.0)


metric = Metric(
    compute=compute,
    takes="text",
    reports={"clip_r_precision": "higher"},
    extractor="clip",
    protocols={"r100": {"others": 99, "prefix": ""}},
    min_n=100,
    error_bar=(
        "jackknife over prompts, as own captions and as those mistaken for others'; Wilson's interval with Student's t "
        "for their number"
    ),
    summary="How often a picture's own caption is nearest to it among 99 others of the set; 0.01 by chance",
    sees="pictures that fit another caption of the set better than their own",
    blind="what no other caption of the set differs in; quality and variety",
    source="Xu et al. 2018, https://arxiv.org/abs/1711.10485; with CLIP: Park et al. 2021",
)
