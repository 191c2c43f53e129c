"""What every metric asks of the numbers it is given; the errors say which side is wrong and how."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from genbench.errors import DataError, IncomparableError, UsageError

Side = Literal["real", "fake"]


def check_rows(features: Tensor, *, side: Side, metric: str, at_least: int = 2, block: int = 512) -> None:
    """Raise unless `features` is (N, D) with N >= `at_least`, D >= 1 and every number finite."""
    if features.ndim != 2 or features.shape[1] == 0:
        raise UsageError("E-SHAPE", f"{metric} takes (N, D) {side} features, not {tuple(features.shape)}")
    if len(features) < at_least:
        raise DataError(
            "E-FEW", f"{metric} needs at least {at_least} {side} images, got {len(features)}", hint="give more images"
        )
    finite = torch.cat([rows.isfinite().all(1) for rows in features.split(block)])
    if not finite.all():
        bad = (~finite).nonzero().flatten()
        raise DataError(
            "E-NON-FINITE",
            f"{len(bad)} of {len(features)} {side} images have features that are not finite; the first is image {int(bad[0])}",
            hint="look at these images and at the extractor's weights; with reduced precision try fp32",
        )


def check_same_width(*, real: int, fake: int) -> None:
    """Raise unless both sides have the same number of features per image."""
    if real != fake:
        raise IncomparableError(
            "E-WIDTH",
            f"the real images have {real} features each and the fake ones {fake}",
            hint="extract both sides with the same extractor and layer",
        )


def check_pair(*, real: Tensor, fake: Tensor, metric: str, at_least: int = 2) -> None:
    """Raise unless both sides are usable and of one width."""
    check_rows(real, side="real", metric=metric, at_least=at_least)
    check_rows(fake, side="fake", metric=metric, at_least=at_least)
    check_same_width(real=real.shape[1], fake=fake.shape[1])


def check_three(*, real: Tensor, held_out: Tensor, fake: Tensor, metric: str, at_least: int = 2) -> None:
    """Raise unless training, held-out and generated features are usable and of one width."""
    check_pair(real=real, fake=fake, metric=metric, at_least=at_least)
    check_rows(held_out, side="real", metric=f"{metric}, for its held-out images,", at_least=at_least)
    check_same_width(real=held_out.shape[1], fake=fake.shape[1])
