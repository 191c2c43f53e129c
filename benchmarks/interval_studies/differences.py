"""The intervals of differences between two sets of images that share what they were measured with.

Features are Gaussian in 8 dimensions: real N(0, I), one set N(0.3, 1.2² I), the other N(0.35, 1.25² I). "shared reference":
both are measured against the same real images, drawn anew in every repeat. "paired": the noise of image i of one set makes up
half of the variance of image i of the other, as with common prompts or seeds. "as if independent": the influence is not stored,
so what is shared is counted twice. Shares are drawn with the reference kept, and with it drawn anew. "by prompt": 4 of each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

from genbench.comparison.difference import difference
from genbench.estimate import Estimate, mean_estimate
from genbench.evaluation.result import Images, MetricResult, Reference, Result, Timing
from genbench.metrics import fid, inception_score, kid, prdc
from genbench.metrics.base import FeatureSet
from interval_studies.harness import Draw, Row, gaussian, repeat

DIM = 8
SHIFTS, SCALES = (0.3, 0.35), (1.2, 1.25)
Compute = Callable[[Tensor, Tensor], Estimate]  # (real, fake)


def result_of(estimates: Mapping[str, Estimate], *, names: Sequence[str] = (), digest: str = "sha256:reference") -> Result:
    """A result that holds these, with their influence: what `genbench.evaluate` makes of images."""
    made = [MetricResult.of(name, one, protocol=f"{name}/1", layer=None, extractor=None) for name, one in estimates.items()]
    counts = [one.n_real for one in estimates.values() if one.n_real is not None]
    result = Result(
        created="",
        subject=Images(name="images", kind="array"),
        reference=Reference(name="reference", kind="array", digest=digest, n=max(counts), made="images") if counts else None,
        metrics=made,
        env={},
        timing=Timing(wall_s=0, cpu_s=0, extract_s=0, metrics_s=0, images_extracted=0),
    )
    influence = {f"{name}/1 {name}": one.influence for name, one in estimates.items() if one.influence is not None}
    return result.with_influence(influence, names)


def estimate_of(base: Result, current: Result) -> Estimate:
    """The difference of the first metric, as an estimate."""
    found = difference(base, current, next(iter(base.by_protocol)))
    return Estimate(value=found.value, se=found.se, ci=found.interval(), n=found.current.n, better=found.better)


def pair_of_sets(n: int, generator: torch.Generator, *, paired: bool) -> tuple[Tensor, Tensor]:
    """Features (n, 8) of both sets."""
    noise = [gaussian(n, generator, dim=DIM) for _ in range(2)]
    if paired:
        noise[1] = (noise[0] + noise[1]) / 2**0.5
    one, other = (shift + scale * part for shift, scale, part in zip(SHIFTS, SCALES, noise, strict=True))
    return one, other


def against_a_reference(
    name: str, compute: Compute, n: int, *, paired: bool = False, known: bool = True, kept: Tensor | None = None
) -> Draw:
    """kept: the reference of all repeats; else each draws its own. known: whether the influence is stored."""
    names = [str(number) for number in range(n)] if paired else ()

    def draw(generator: torch.Generator) -> Estimate:
        real = gaussian(n, generator, dim=DIM) if kept is None else kept
        sets = pair_of_sets(n, generator, paired=paired)
        one, other = (result_of({name: compute(real, fake)}, names=names) for fake in sets)
        if not known:
            one.with_influence({})
            other.with_influence({})
        return estimate_of(one, other)

    return draw


def frechet_of(real: Tensor, fake: Tensor) -> Estimate:
    return fid.compute(real=FeatureSet(features=real), fake=FeatureSet(features=fake))["fd"]


def kernel_of(real: Tensor, fake: Tensor) -> Estimate:
    return kid.compute(real=real, fake=fake)["kd"]


def distances(n: int, repeats: int) -> Iterator[Row]:
    for name, compute in {"fd": frechet_of, "kd": kernel_of}.items():
        shared, paired = (against_a_reference(name, compute, n, paired=paired) for paired in (False, True))
        alone = against_a_reference(name, compute, n, known=False)
        yield from repeat(f"difference of {name}, shared reference", n, repeats, shared)
        yield from repeat(f"difference of {name}, shared reference, paired", n, repeats, paired)
        yield from repeat(f"difference of {name}, as if independent", n, repeats, alone, promised=False)


def neighbours(n: int, repeats: int) -> Iterator[Row]:
    start = torch.Generator().manual_seed(12345)
    kept = gaussian(n, start, dim=DIM)

    def compute(name: str) -> Compute:
        return lambda real, fake: prdc.compute(real=real, fake=fake)[name]

    for name in ("precision", "recall", "density", "coverage"):
        holds = against_a_reference(name, compute(name), n, kept=kept)
        moves = against_a_reference(name, compute(name), n)
        yield from repeat(f"difference of {name}, reference kept", n, repeats, holds)
        yield from repeat(f"difference of {name}, reference drawn", n, repeats, moves, promised=False)


def scores(n: int, repeats: int) -> Iterator[Row]:
    """Inception Score of independent sets, and of sets whose image i has the same class probabilities but for noise."""

    def study(*, paired: bool) -> Draw:
        def draw(generator: torch.Generator) -> Estimate:
            one, other = (2 * torch.randn(n, 10, generator=generator) for _ in range(2))
            other = 1.1 * (one + other) / 2**0.5 if paired else 1.1 * other
            names = [str(number) for number in range(n)] if paired else ()
            found = [inception_score.compute(fake=logits) for logits in (one, other)]
            return estimate_of(*(result_of(estimates, names=names) for estimates in found))

        return draw

    yield from repeat("difference of inception_score", n, repeats, study(paired=False))
    yield from repeat("difference of inception_score, paired", n, repeats, study(paired=True))


def means(n: int, repeats: int) -> Iterator[Row]:
    """Of one score per image: it is the noise of the image's name, with prompts that of the prompt, and its own."""

    def study(*, paired: bool, prompts: bool) -> Draw:
        clusters = torch.arange(n) // 4 if prompts else None

        def noise(generator: torch.Generator) -> Tensor:
            of_images = torch.randn(n, generator=generator)
            return of_images if clusters is None else of_images + torch.randn(n, generator=generator)[clusters]

        def draw(generator: torch.Generator) -> Estimate:
            one, other = noise(generator), noise(generator)
            common = (one, one if paired else other)
            made = [
                mean_estimate(part + torch.randn(n, generator=generator) + shift, better="higher", clusters=clusters)
                for part, shift in zip(common, (0.0, 0.1), strict=True)
            ]
            names = [str(number) for number in range(n)] if paired else ()
            return estimate_of(*(result_of({"score": estimate}, names=names) for estimate in made))

        return draw

    for prompts, title in ((False, "difference of a mean"), (True, "difference of a mean, by prompt")):
        yield from repeat(title, n, repeats, study(paired=False, prompts=prompts))
        yield from repeat(f"{title}, paired", n, repeats, study(paired=True, prompts=prompts))


STUDIES = (distances, neighbours, scores, means)
