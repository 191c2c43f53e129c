"""RefCLIPScore: the harmonic mean of CLIPScore and of how near the caption is to the nearest of its reference captions.

Source: Hessel et al. 2021, https://arxiv.org/abs/2104.08718, section 3: of CLIP-S(c, v) and of max(max over r of cos(c, r), 0),
which is not multiplied by 2.5, with "A photo depicts " before every caption and reference as in the published code.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from genbench.errors import DataError, UsageError
from genbench.estimate import Estimate, mean_estimate
from genbench.metrics.base import Metric
from genbench.metrics.clip_score import HESSEL, Embed, cosines, same, unit_texts


def compute(
    *,
    images: Tensor,
    captions: Sequence[str],
    embed: Embed,
    references: Sequence[Sequence[str]] | None = None,
    scale: float = 2.5,
    prefix: str = "A photo depicts ",
) -> dict[str, Estimate]:
    """{"ref_clip_score": Estimate} of (N, D) features of pictures, N captions and their N lists of references.

    embed, scale, prefix: as of CLIPScore. A pair of which either part is 0 counts 0.
    Raises DataError where captions have no reference, and what CLIPScore raises.
    """
    references = _checked(captions, references)
    to_image = scale * cosines(images, captions, embed=embed, prefix=prefix, metric="ref_clip_score").clamp_min(0)
    to_reference = _nearest(captions, references, embed=embed, prefix=prefix, like=images).clamp_min(0)
    both = to_image + to_reference
    values = 2 * to_image * to_reference / torch.where(both > 0, both, 1.0)
    return {"ref_clip_score": mean_estimate(values, better="higher", clusters=same(captions))}


def _checked(captions: Sequence[str], references: Sequence[Sequence[str]] | None) -> Sequence[Sequence[str]]:
    hint = 'a captions file gives them in a column or a list "references"; clip_score needs none'
    if references is None:
        raise DataError(
            "E-REFERENCES", "ref_clip_score compares captions with reference captions, and none are given", hint=hint
        )
    if len(references) != len(captions):
        raise UsageError("E-CAPTIONS", f"ref_clip_score got {len(captions)} captions and references for {len(references)}")
    without = [caption for caption, some in zip(captions, references, strict=True) if not some]
    if without:
        message = f"{len(without)} of {len(captions)} captions have no reference; the first is {without[0]!r}"
        raise DataError("E-REFERENCES", message, hint=hint)
    return references


def _nearest(
    captions: Sequence[str], references: Sequence[Sequence[str]], *, embed: Embed, prefix: str, like: Tensor
) -> Tensor:
    """(N,) float64: the largest cosine of each caption with its references. Each different text is embedded once."""
    texts = sorted({*captions, *(reference for some in references for reference in some)})
    places = {text: place for place, text in enumerate(texts)}
    features = unit_texts([prefix + text for text in texts], embed, like=like).cpu()
    pairs = zip(captions, references, strict=True)
    nearest = [features[[places[reference] for reference in some]] @ features[places[caption]] for caption, some in pairs]
    return torch.stack([found.max() for found in nearest])


metric = Metric(
    compute=compute,
    takes="text",
    reports={"ref_clip_score": "higher"},
    extractor="clip",
    protocols={"hessel": {"scale": HESSEL["scale"], "prefix": HESSEL["prefix"]}},
    min_n=100,
    error_bar="error of a mean over prompts: pictures of one prompt are one group",
    summary="Harmonic mean of CLIPScore and of the caption's largest cosine with its reference captions",
    sees="pictures that do not show what the caption names, captions that say other things than the references",
    blind="counts, places and which object has which attribute; quality and variety beyond that",
    source="Hessel et al. 2021, https://arxiv.org/abs/2104.08718",
)
