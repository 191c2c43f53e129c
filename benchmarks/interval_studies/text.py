"""The intervals of metrics of pictures and their captions.

A prompt lies at a random place of 24 dimensions, its picture at the same place with noise, more of it where the prompt is
hard. Every repeat draws prompts and pictures anew; 4 pictures of a prompt share how hard it is. With few prompts, each has n
divided by their number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from genbench.estimate import Estimate
from genbench.metrics import attribute_accuracy, clip_r_precision, clip_score, ref_clip_score
from interval_studies.harness import Draw, Row, repeat

DIM = 24


@dataclass(frozen=True)
class Texts:
    """Prompts "0", "1", ..., each with two references, "0/0" and "0/1", and where all of them lie."""

    places: Tensor
    references: Tensor

    def embed(self, texts: list[str]) -> Tensor:
        split = [text.partition("/") for text in texts]
        return torch.stack(
            [self.references[int(prompt), int(which)] if slash else self.places[int(prompt)] for prompt, slash, which in split]
        )


def drawn(n: int, per_prompt: int, generator: torch.Generator, *, hubs: float = 0.0) -> tuple[Tensor, list[str], Texts]:
    """Pictures, their captions and the texts. hubs: how unequally often prompts are mistaken for others."""
    count = n // per_prompt
    places = torch.randn(count, DIM, generator=generator)
    places[:, 0] += hubs * torch.rand(count, generator=generator)
    references = places[:, None] + torch.randn(count, 2, DIM, generator=generator)
    hardness = (1 + 1.5 * torch.rand(count, 1, generator=generator)).repeat_interleave(per_prompt, 0)
    images = places.repeat_interleave(per_prompt, 0) + hardness * torch.randn(count * per_prompt, DIM, generator=generator)
    images[:, 0] += hubs
    captions = [str(prompt) for prompt in range(count) for _ in range(per_prompt)]
    return images, captions, Texts(places, references)


def scores(n: int, repeats: int) -> Iterator[Row]:
    def study(per_prompt: int, protocol: str) -> Draw:
        def draw(generator: torch.Generator) -> Estimate:
            images, captions, texts = drawn(n, per_prompt, generator)
            settings = clip_score.metric.protocols[protocol] | {"prefix": ""}
            return clip_score.compute(images=images, captions=captions, embed=texts.embed, **settings)["clip_score"]

        return draw

    for per_prompt in (1, 4):
        for protocol in clip_score.metric.protocols:
            yield from repeat(f"clip_score:{protocol}, {per_prompt} per prompt", n, repeats, study(per_prompt, protocol))


def references(n: int, repeats: int) -> Iterator[Row]:
    def draw(generator: torch.Generator) -> Estimate:
        images, captions, texts = drawn(n, 4, generator)
        others = [[f"{caption}/0", f"{caption}/1"] for caption in captions]
        return ref_clip_score.compute(images=images, captions=captions, references=others, embed=texts.embed, prefix="")[
            "ref_clip_score"
        ]

    yield from repeat("ref_clip_score, 4 per prompt", n, repeats, draw)


def precision(n: int, repeats: int) -> Iterator[Row]:
    def study(per_prompt: int, hubs: float) -> Draw:
        def draw(generator: torch.Generator) -> Estimate:
            images, captions, texts = drawn(n, per_prompt, generator, hubs=hubs)
            return clip_r_precision.compute(images=images, captions=captions, embed=texts.embed)["clip_r_precision"]

        return draw

    few = 10
    yield from repeat(f"clip_r_precision, {few} prompts", n, repeats, study(n // few, 0.0))
    for per_prompt, hubs in ((1, 0.0), (4, 0.0), (1, 3.0)):
        name = f"clip_r_precision, {per_prompt} per prompt" + (", some captions attract" if hubs else "")
        yield from repeat(name, n, repeats, study(per_prompt, hubs))


@dataclass(frozen=True)
class Thing:
    shape: str
    colour: str
    size: str


@dataclass(frozen=True)
class Shown:
    objects: tuple[Thing, ...]
    relation: str | None = None


def attributes(n: int, repeats: int) -> Iterator[Row]:
    def study(per_prompt: int, right: float) -> Draw:
        def draw(generator: torch.Generator) -> Estimate:
            count = n // per_prompt
            asked = [Shown((Thing(str(number), "red", "large"),)) for number in range(count) for _ in range(per_prompt)]
            ease = 1 if per_prompt == 1 else (2 * torch.rand(count, generator=generator)).repeat_interleave(per_prompt)
            good = torch.rand(len(asked), generator=generator) < right * ease
            shown = [scene if fine else Shown(()) for scene, fine in zip(asked, good.tolist(), strict=True)]
            return attribute_accuracy.compute(shown=shown, asked=asked)["caption_accuracy"]

        return draw

    for per_prompt, right in ((1, 0.5), (4, 0.5), (1, 0.03)):
        yield from repeat(f"caption_accuracy near {right}, {per_prompt} per prompt", n, repeats, study(per_prompt, right))
    for prompts in (3, 5, 10):
        yield from repeat(f"caption_accuracy near 0.5, {prompts} prompts", n, repeats, study(n // prompts, 0.5))


STUDIES = (scores, references, precision, attributes)
