"""Mean over the classes of the Fréchet distance within a class; intra-FID when the features are Inception's.

    intra FD = 1/C Σ_c FD(real images of class c, fake images of class c)

Source: Miyato and Koyama 2018, https://arxiv.org/abs/1802.05637.

A conditional generator that ignores its labels, or swaps them, keeps its Fréchet distance and loses here. Each class has few
images, so the value is biased upwards far more than the distance of all images together: compare equal numbers per class only.
"""

from __future__ import annotations

from collections.abc import Set

import torch
from torch import Tensor

from genbench.errors import DataError, UsageError
from genbench.estimate import Estimate, Influence, normal_interval
from genbench.metrics import fid
from genbench.metrics._checks import Side, check_pair
from genbench.metrics.base import FeatureSet, Metric

AT_LEAST = 2  # images of a class on either side, for a covariance
SHOWN = 5  # classes that an error names


def compute(*, real: Tensor, fake: Tensor, real_classes: Tensor, fake_classes: Tensor) -> dict[str, Estimate]:
    """{"intra_fd": Estimate} of (M, D) and (N, D) features with classes (M,) and (N,) int64.

    details["fd/3"] is the distance within class 3. Classes count alike however many images they have, and their errors are
    independent of each other. bias_corrected: the mean of the classes' jackknives, None where one of them has none.
    Raises DataError for classes of one side only, classes of fewer than 2 images, or numbers that are not finite; UsageError
    for a number of classes other than that of the images; IncomparableError for different widths.
    """
    check_pair(real=real, fake=fake, metric="intra_fid")
    classes = _common(real, real_classes, fake, fake_classes)
    found = {c: _within(real[real_classes == c], fake[fake_classes == c]) for c in classes}
    count = len(found)
    value = sum(float(estimate) for estimate in found.values()) / count
    se = sum((estimate.se or 0.0) ** 2 for estimate in found.values()) ** 0.5 / count
    corrected = [estimate.bias_corrected for estimate in found.values() if estimate.bias_corrected is not None]
    return {
        "intra_fd": Estimate(
            value=value,
            se=se,
            ci=normal_interval(value, se),
            method="influence",
            n=len(fake),
            n_real=len(real),
            better="lower",
            bias_corrected=sum(corrected) / count if len(corrected) == count else None,
            details={f"fd/{c}": float(estimate) for c, estimate in found.items()},
            influence=_influence(found, real_classes, fake_classes),
        )
    }


def _within(real: Tensor, fake: Tensor) -> Estimate:
    return fid.compute(real=FeatureSet(features=real), fake=FeatureSet(features=fake))["fd"]


def _common(real: Tensor, real_classes: Tensor, fake: Tensor, fake_classes: Tensor) -> list[int]:
    """The classes, ascending; both sides have all of them, and enough images of each."""
    of_real, of_fake = _counts(real, real_classes, "real"), _counts(fake, fake_classes, "fake")
    alone = [
        f"{_listed(missing)} among the {side} images only"
        for side, missing in (("real", of_real.keys() - of_fake), ("fake", of_fake.keys() - of_real))
        if missing
    ]
    if alone:
        raise DataError(
            "E-CLASSES",
            f"intra_fid compares class by class, and there are {' and '.join(alone)}",
            hint="generate images of every class of the reference, and number the classes alike",
        )
    for side, counts in (("real", of_real), ("fake", of_fake)):
        few = {c for c, images in counts.items() if images < AT_LEAST}
        if few:
            raise DataError(
                "E-FEW",
                f"intra_fid needs at least {AT_LEAST} {side} images of each class, and {_listed(few)} has fewer",
                hint="give more images of these classes",
            )
    return sorted(of_real)


def _counts(features: Tensor, classes: Tensor, side: Side) -> dict[int, int]:
    """class -> its number of images."""
    if classes.shape != (len(features),):
        raise UsageError(
            "E-SHAPE", f"intra_fid takes a class for each of the {len(features)} {side} images, not {tuple(classes.shape)}"
        )
    values, counts = classes.unique(return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def _listed(classes: Set[int]) -> str:
    """Such as "classes 3, 4, 5, 6, 7 and 12 more"."""
    shown = ", ".join(map(str, sorted(classes)[:SHOWN]))
    more = f" and {len(classes) - SHOWN} more" if len(classes) > SHOWN else ""
    return f"{'class' if len(classes) == 1 else 'classes'} {shown}{more}"


def _influence(found: dict[int, Estimate], real_classes: Tensor, fake_classes: Tensor) -> Influence:
    """An image pulls at its class's distance, which is one of C, with 1 / (images of the class)."""

    def of(side: Side, classes: Tensor) -> Tensor:
        pull = torch.empty(len(classes), dtype=torch.float64, device=classes.device)
        for c, estimate in found.items():
            within = getattr(estimate.influence, side)
            pull[classes == c] = within.to(pull.device) * (len(classes) / (len(found) * len(within)))
        return pull

    return Influence(fake=of("fake", fake_classes), real=of("real", real_classes))


metric = Metric(
    compute=compute,
    takes="classes",
    reports={"intra_fd": "lower"},
    on={"inception": {"intra_fd": "intra_fid"}},
    min_n=500,
    error_bar=(
        "Influence functions of both sides within each class, combined as independent. "
        "Conservative where a class has few images for the number of features."
    ),
    summary="Mean over the classes of the Fréchet distance between real and generated images of the class",
    sees="ignored or swapped labels, mode collapse within a class, and what the Fréchet distance sees",
    blind="copies of training images; strongly biased upwards with few images per class",
    source="Miyato and Koyama 2018, https://arxiv.org/abs/1802.05637",
)
