"""Pairs of images: each beside what it should be, matched by name, or two of one set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from genbench import seeding
from genbench.errors import DataError, Warned
from genbench.evaluation.collection import Collection
from genbench.evaluation.extract import Execution, forward
from genbench.evaluation.reference import views_of
from genbench.evaluation.request import Request
from genbench.features.base import FeatureExtractor

BATCH = 32  # pairs
WIDE_BATCH = 4  # where features grow with the image: LPIPS on VGG16 has 32 MB for one of 256x256
NAMED = 5  # missing images that an error names


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Image first_positions[i] of `first` beside image second_positions[i] of `second`."""

    first: Collection
    second: Collection
    first_positions: Sequence[int]
    second_positions: Sequence[int]

    def batches(self, execution: Execution, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """uint8 (B, 3, H, W) of either side; a pair of which one image had to be skipped is left out."""
        left = self.first.decoded(self.first_positions, execution, batch_size=size)
        right = self.second.decoded(self.second_positions, execution, batch_size=size)
        for number, (one, other) in enumerate(zip(left, right, strict=True)):
            x = dict(zip(one.indices, one.images, strict=True))
            y = dict(zip(other.indices, other.images, strict=True))
            part = slice(number * size, (number + 1) * size)
            positions = zip(self.first_positions[part], self.second_positions[part], strict=True)
            both = [(x[i], y[j]) for i, j in positions if i in x and j in y]
            if both:
                yield torch.stack([first for first, _ in both]), torch.stack([second for _, second in both])


def match(first: Collection, second: Collection) -> tuple[Pairs, list[Warned]]:
    """Pairs of equal names, or else of equal names but for the ending, so that a.jpg finds a.png.

    Raises DataError for images without a partner on either side, unless `policy.on_bad` is "skip", which leaves them out and
    says so; for names that occur twice; and for two sizes.
    """
    left, right = _by_name(first), _by_name(second)
    if not left.keys() & right.keys():
        left, right = _by_name(first, stem=True), _by_name(second, stem=True)
    common = [name for name in left if name in right]
    warnings = []
    if len(common) < max(len(left), len(right)):
        sides = (_missing(left, right, f"the paired images ({second.source.name})"), _missing(right, left, first.source.name))
        missing = "; ".join(filter(None, sides))
        if first.policy.on_bad == "fail" or not common:
            hint = (
                "pairs are matched by name; --on-bad skip measures those there are" if common else "pairs are matched by name"
            )
            raise DataError("E-UNPAIRED", missing, hint=hint)
        warnings.append(Warned("W-UNPAIRED", f"{len(common):,} pairs; {missing}"))
    if first.surveyed.size != second.surveyed.size:
        (h, w), (other_h, other_w) = first.surveyed.size, second.surveyed.size
        message = f"{first.source.name} has images of {w}x{h} and {second.source.name} of {other_w}x{other_h}"
        raise DataError("E-PAIR-SIZE", message, hint="bring both sides to one size")
    return Pairs(
        first=first,
        second=second,
        first_positions=[left[name] for name in common],
        second_positions=[right[name] for name in common],
    ), warnings


def own_pairs(collection: Collection, classes: Sequence[str] | None) -> Pairs:
    """Every image in at most one pair with another of its class (by position), so that pairs are independent.

    Who meets whom is drawn once and for all, and follows the images' contents: their order changes nothing.
    """
    hashes = collection.surveyed.hashes
    groups: dict[str, list[int]] = {}
    for position in sorted(collection.surveyed.usable, key=lambda position: hashes[position]):
        groups.setdefault(classes[position] if classes else "", []).append(position)
    first, second = [], []
    for name in sorted(groups):
        members = np.array(groups[name])
        order = seeding.generator(0, f"pairs/{name}").permutation(len(members))
        half = len(members) // 2
        first += members[order[:half]].tolist()
        second += members[order[half : 2 * half]].tolist()
    if not first:
        raise DataError("E-TOO-FEW", f"{collection.source.name} has no two images of one class", hint="generate more")
    return Pairs(first=collection, second=collection, first_positions=first, second_positions=second)


def measure_pairs(
    pairs: Pairs,
    requests: Sequence[Request],
    networks: Mapping[tuple[str, str], FeatureExtractor],
    execution: Execution,
) -> dict[str, dict[str, Tensor]]:
    """Protocol -> reported name -> (P,) float64, by one pass over the pairs for all of these metrics.

    Raises DataError where no pair can be decoded, and what the metrics raise, such as E-SIZE for images too small for a window.
    """
    found: dict[str, dict[str, list[Tensor]]] = {request.protocol: {} for request in requests}
    places = [request.place for request in requests if request.place is not None]
    views = views_of([(networks[place.extractor, place.input], place.layer) for place in places])
    done, total = 0, len(pairs.first_positions)
    wide = any(view.extractor.layers[layer] == 0 for view in views for layer in view.layers)
    for x, y in pairs.batches(execution, WIDE_BATCH if wide else BATCH):
        seen = x.to(execution.device), y.to(execution.device)
        features = {view.extractor: [forward(view, side) for side in seen] for view in views}
        for request in requests:
            one, other = x, y
            if request.place is not None:
                of_x, of_y = features[networks[request.place.extractor, request.place.input]]
                one, other = of_x[request.place.layer], of_y[request.place.layer]
            assert request.metric.per_pair is not None, "a metric of pairs has it"
            values = request.metric.per_pair(x=one, y=other, **request.metric.protocols[request.settings])
            for name in request.wanted:
                found[request.protocol].setdefault(name, []).append(values[name].double().cpu())
        done += len(x)
        execution.progress("pairs", done, total)
    if not done:
        raise DataError("E-TOO-FEW", "no pair of images could be decoded")
    return {protocol: {name: torch.cat(parts) for name, parts in names.items()} for protocol, names in found.items()}


def _by_name(collection: Collection, *, stem: bool = False) -> dict[str, int]:
    """Name -> position. Raises DataError for two images of one name."""
    positions = collection.surveyed.usable
    names = [_stem(name) if stem else name for name in collection.names(positions)]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError("E-UNPAIRED", f"{collection.source.name} has several images called {twice[0]}", hint="rename one")
    return dict(zip(names, positions, strict=True))


def _stem(name: str) -> str:
    folder, slash, file = name.rpartition("/")
    return f"{folder}{slash}{file.rpartition('.')[0] or file}"


def _missing(names: Mapping[str, int], others: Mapping[str, int], where: str) -> str:
    """What `where` lacks of `names`; nothing for nothing."""
    lacking = [name for name in names if name not in others]
    shown = ", ".join(lacking[:NAMED]) + (", ..." if len(lacking) > NAMED else "")
    return f"missing in {where}: {len(lacking):,} of {len(names):,} ({shown})" if lacking else ""
