"""What of a caption is in the picture, counted: shapes, colours, size and relation of one or two objects.

Source: genbench's own, on the dataset `shapes`, whose pictures are read back into words by a program that makes no mistakes
on drawn scenes. What is counted follows Ghosh et al. 2023, GenEval, https://arxiv.org/abs/2310.11513: whether everything that
the caption asks is there, and each kind of attribute by itself.

Objects of a picture are matched with those of the caption so that most shapes and colours agree; where both ways agree in as
many, the larger object is the one named first, as in the dataset. What the reader cannot tell counts as wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Protocol

import torch
from torch import Tensor

from genbench.errors import DataError, UsageError
from genbench.estimate import Estimate, clustered_share_interval, mean_estimate, wilson_interval
from genbench.metrics.base import Metric

OPPOSITE = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}


class Object(Protocol):
    """An object in words; None for what cannot be told."""

    @property
    def shape(self) -> str | None: ...
    @property
    def colour(self) -> str | None: ...
    @property
    def size(self) -> str | None: ...


class Scene(Protocol):
    """Objects, the main one first, and where that is, seen from the other: a key of OPPOSITE, or None."""

    @property
    def objects(self) -> Sequence[Object]: ...
    @property
    def relation(self) -> str | None: ...


def compute(*, shown: Sequence[Scene], asked: Sequence[Scene]) -> dict[str, Estimate]:
    """Shares of pictures, in [0, 1], of N descriptions of what is shown and what the captions ask, in the same order.

    shape_accuracy, colour_accuracy: the shapes, or the colours, are those asked, wherever they are. size_accuracy: of captions
    of one object, which tell its size. relation_accuracy: of captions of two. caption_accuracy: all of it on the right objects.
    binding_errors: of captions of two objects that differ in shape and in colour: the shapes and the colours are those asked,
    but the colours are on the wrong objects; such a picture loses nothing else than its caption_accuracy.
    Raises UsageError where the two are not as many, DataError for none.
    """
    if len(shown) != len(asked):
        raise UsageError("E-CAPTIONS", f"attribute_accuracy got {len(shown)} pictures and {len(asked)} captions")
    if not shown:
        raise DataError("E-FEW", "attribute_accuracy needs at least 1 picture", hint="give more images")
    pairs = list(zip(shown, asked, strict=True))
    everything = range(len(pairs))
    alone = [place for place in everything if len(asked[place].objects) == 1]
    related = [place for place in everything if asked[place].relation is not None]
    bindable = [place for place in everything if _can_be_bound_wrongly(asked[place])]
    answers = {
        "shape_accuracy": (everything, _same_shapes),
        "colour_accuracy": (everything, _same_colours),
        "size_accuracy": (alone, _same_size),
        "relation_accuracy": (related, _same_relation),
        "caption_accuracy": (everything, _all_as_asked),
        "binding_errors": (bindable, _wrongly_bound),
    }
    groups = _groups(asked)
    return {
        name: _share([asks(*pairs[place]) for place in places], groups[torch.tensor(list(places), dtype=torch.int64)], name)
        for name, (places, asks) in answers.items()
    }


def _same_shapes(shown: Scene, asked: Scene) -> bool:
    return Counter(seen.shape for seen in shown.objects) == Counter(seen.shape for seen in asked.objects)


def _same_colours(shown: Scene, asked: Scene) -> bool:
    return Counter(seen.colour for seen in shown.objects) == Counter(seen.colour for seen in asked.objects)


def _same_size(shown: Scene, asked: Scene) -> bool:
    return [seen.size for seen in shown.objects] == [seen.size for seen in asked.objects]


def _same_relation(shown: Scene, asked: Scene) -> bool:
    return len(shown.objects) == len(asked.objects) and _as_asked(shown, asked)[1] == asked.relation


def _all_as_asked(shown: Scene, asked: Scene) -> bool:
    objects, relation = _as_asked(shown, asked)
    bound = [_what(seen) for seen in objects] == [_what(seen) for seen in asked.objects]
    return bound and relation == asked.relation and (len(objects) != 1 or _same_size(shown, asked))


def _wrongly_bound(shown: Scene, asked: Scene) -> bool:
    bound = Counter(map(_what, shown.objects)) == Counter(map(_what, asked.objects))
    return _same_shapes(shown, asked) and _same_colours(shown, asked) and not bound


def _can_be_bound_wrongly(asked: Scene) -> bool:
    """Whether exchanging the colours would be an error of binding and nothing else."""
    return len(asked.objects) == 2 and all(
        len(set(words)) == 2 for words in zip(*(_what(seen) for seen in asked.objects), strict=True)
    )


def _what(seen: Object) -> tuple[str | None, str | None]:
    return seen.shape, seen.colour


def _as_asked(shown: Scene, asked: Scene) -> tuple[Sequence[Object], str | None]:
    """The objects of `shown` in the order of the caption's, and the relation of the first to the second."""
    if len(shown.objects) != 2 or len(asked.objects) != 2:
        return shown.objects, shown.relation
    exchanged = shown.objects[::-1]
    if _agreement(exchanged, asked.objects) > _agreement(shown.objects, asked.objects):
        return exchanged, OPPOSITE.get(shown.relation or "")
    return shown.objects, shown.relation


def _agreement(shown: Sequence[Object], asked: Sequence[Object]) -> int:
    pairs = zip(shown, asked, strict=True)
    return sum(mine == theirs for seen, wanted in pairs for mine, theirs in zip(_what(seen), _what(wanted), strict=True))


def _groups(asked: Sequence[Scene]) -> Tensor:
    """(N,) int64, equal where the same is asked."""
    keys: list[Hashable] = [
        (tuple((seen.shape, seen.colour, seen.size) for seen in scene.objects), scene.relation) for scene in asked
    ]
    places = {key: place for place, key in enumerate(dict.fromkeys(keys))}
    return torch.tensor([places[key] for key in keys], dtype=torch.int64)


def _share(answers: Sequence[bool], groups: Tensor, name: str) -> Estimate:
    """The share of yes. Wilson's interval: binomial where no prompt is asked twice, else from the spread between prompts."""
    better = metric.reports[name]
    if not answers:
        return Estimate(value=None, n=0, better=better, reason="no caption asks for it")
    estimate = mean_estimate(torch.tensor(answers, dtype=torch.float64), better=better, clusters=groups)
    share, distinct = float(estimate), len(groups.unique())
    if estimate.se is None:
        return estimate
    binomial = (share * (1 - share) / len(answers)) ** 0.5
    if distinct == len(answers):
        return replace(estimate, se=binomial, ci=wilson_interval(share, distinct), method="binomial")
    se = max(estimate.se, binomial)  # few prompts may agree by chance, but no better than independent answers do
    return replace(estimate, se=se, ci=clustered_share_interval(share, se, distinct))


metric = Metric(
    compute=compute,
    takes="descriptions",
    reports={
        "shape_accuracy": "higher",
        "colour_accuracy": "higher",
        "size_accuracy": "higher",
        "relation_accuracy": "higher",
        "caption_accuracy": "higher",
        "binding_errors": "lower",
    },
    extractor=None,
    min_n=100,
    error_bar=(
        "Wilson's interval for a share; where captions repeat, by the spread between captions and Student's t for their number"
    ),
    summary="Share of pictures with the shapes, colours, size and relation of their caption, and with colours on wrong objects",
    sees="every word of a caption that the picture does not follow, and colours that change places",
    blind="quality and variety beyond what captions say; pictures outside of shapes",
    source="genbench, after Ghosh et al. 2023, https://arxiv.org/abs/2310.11513",
)
