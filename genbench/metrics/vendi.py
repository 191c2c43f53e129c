"""Vendi Score: how many different images there are, in effect, without any reference.

    VS = exp(-Σ λ log λ),   λ: eigenvalues of K / n,   K_ij = cosine of the angle between the features of images i and j

from 1, where all images are alike, to n, where no two have anything in common; of order q, (Σ λ^q)^(1 / (1 - q)).
Sources: Friedman and Dieng 2023, https://arxiv.org/abs/2210.02410, definition 1; the orders are Pasarkar and Dieng's 2023,
https://arxiv.org/abs/2310.12952.

K / n (n, n) and the second moments of the normalised features (D, D) have the same eigenvalues other than 0; the smaller of the
two is taken. The score grows with the number of images: compare values of equal numbers only.

The error bar is the first-order change of the eigenvalues with the weight of each image. With fewer than four images per
feature it would be a fifth too small, as an image may have directions of its own; there it is a jackknife over 20 groups, or
with fewer than 40 images over the single images. Two images that differ have no error: each alone is one kind.
"""

from __future__ import annotations

import torch
from torch import Tensor

from genbench.errors import UsageError
from genbench.estimate import Estimate, Influence, normal_interval, student_interval
from genbench.metrics._checks import check_rows
from genbench.metrics._order import ranks
from genbench.metrics.base import Metric
from genbench.seeding import generator

CHUNK = 512  # rows that are in memory in float64 at a time
DENSE = 4  # images per feature from which the first order is enough
GROUPS = 20
TINY = torch.finfo(torch.float64).tiny


def compute(*, fake: Tensor, order: float = 1.0, seed: int = 0) -> dict[str, Estimate]:
    """{"vendi": Estimate} of (N, D) features, from 1 to min(N, D).

    order: q > 0; small ones count rare kinds of images more, large ones the frequent kinds. seed: of the jackknife's groups.
    Images whose features are all 0 have no direction; they count as alike, and as unlike all others.
    Raises UsageError for an order that is not positive, DataError for fewer than 2 images or numbers that are not finite.
    """
    if not order > 0:
        raise UsageError("E-USAGE", f"order={order}; the Vendi Score has a positive order", hint="1 is the usual one")
    check_rows(fake, side="fake", metric="vendi")
    shares, weights = _spectrum(fake)
    value, slope = _score(shares, order)
    pull = weights @ slope
    pull -= pull.mean()
    se = float(pull.var() / len(fake)) ** 0.5
    ci, method = normal_interval(value, se), "influence"
    if len(fake) == 2 and value > 1:
        reason = "without one of two images the other one is a single kind"
        return {"vendi": Estimate(value=value, n=2, better="higher", reason=reason)}
    if len(fake) < DENSE * fake.shape[1] and se > 0:
        groups = GROUPS if len(fake) >= 2 * GROUPS else len(fake)
        first_order, se = se, _jackknife(fake, order, groups, seed)
        ci, method, pull = student_interval(value, se, groups - 1), "jackknife", pull * (se / first_order)
    return {
        "vendi": Estimate(
            value=value,
            se=se,
            ci=ci,
            method=method,
            n=len(fake),
            better="higher",
            influence=Influence(fake=pull),
        )
    }


def _jackknife(fake: Tensor, order: float, groups: int, seed: int) -> float:
    """The error from the scores without each of so many random groups, which do not depend on the order of the images."""
    n, width = fake.shape
    group = torch.empty(n, dtype=torch.int64)
    group[ranks(fake).argsort(stable=True).cpu()] = torch.from_numpy(generator(seed, "vendi/groups").permutation(n)) % groups
    group = group.to(fake.device)
    unit = fake / torch.cat([rows.double().norm(dim=1) for rows in fake.split(CHUNK)]).clamp(min=TINY)[:, None]
    lost = (fake == 0).all(1)
    dual = width <= n
    whole = unit.T @ unit if dual else unit @ unit.T
    left_out = torch.empty(groups, dtype=torch.float64)
    for i in range(groups):
        rest = group != i
        matrix = whole - unit[~rest].T @ unit[~rest] if dual else whole[rest][:, rest]
        values = torch.cat([torch.linalg.eigvalsh(matrix), lost[rest].double().sum()[None]]) / rest.sum()
        left_out[i], _ = _score(values[_positive(values)], order)
    return float((groups - 1) ** 2 / groups * left_out.var()) ** 0.5


def _score(shares: Tensor, order: float) -> tuple[float, Tensor]:
    """The score of eigenvalues (R,) that are positive with sum 1, and (R,) its derivative with respect to them."""
    if order == 1:
        value = (-torch.xlogy(shares, shares).sum()).exp()
        return float(value), -value * (1 + shares.log())
    powers = shares.pow(order)
    value = powers.sum().pow(1 / (1 - order))
    return float(value), value * order / (1 - order) * shares.pow(order - 1) / powers.sum()


def _spectrum(fake: Tensor) -> tuple[Tensor, Tensor]:
    """(R,) eigenvalues of K / n, and (N, R) how fast each of them grows with the weight of each image.

    Were image i weighted with 1/n + w, the eigenvalue of the unit vector u would grow by w (u·x_i)², to first order.
    """
    n, width = fake.shape
    norms = torch.cat([rows.double().norm(dim=1) for rows in fake.split(CHUNK)])
    lost = norms == 0
    scale = norms.masked_fill(lost, 1)

    def rows() -> list[tuple[Tensor, Tensor]]:
        return list(zip(fake.split(CHUNK), scale.split(CHUNK), strict=True))

    if width <= n:
        moments = fake.new_zeros((width, width), dtype=torch.float64)
        for some, lengths in rows():
            unit = some / lengths[:, None]
            moments.addmm_(unit.T, unit)
        values, vectors = torch.linalg.eigh(moments / n)
        keep = _positive(values)
        vectors = vectors[:, keep]
        growth = torch.cat([(some / lengths[:, None] @ vectors).square_() for some, lengths in rows()])
        values = values[keep]
    else:
        unit = fake / scale[:, None]
        values, vectors = torch.linalg.eigh(unit @ unit.T / n)
        keep = _positive(values)
        values = values[keep]
        growth = vectors[:, keep].square() * (n * values)  # u·x_i is √(nλ) times the i-th entry of K's eigenvector
    if lost.any():
        values = torch.cat([values, lost.double().mean()[None]])
        growth = torch.cat([growth, lost.double()[:, None]], dim=1)
    return values / values.sum(), growth


def _positive(values: Tensor) -> Tensor:
    """Which eigenvalues are not 0 but for rounding."""
    return values > values.amax().clamp(min=0) * len(values) * torch.finfo(torch.float64).eps


metric = Metric(
    compute=compute,
    takes="sample",
    reports={"vendi": "higher"},
    protocols={"q1": {"order": 1.0, "seed": 0}, "q2": {"order": 2.0, "seed": 0}},
    min_n=500,
    error_bar=(
        "First-order change of the eigenvalues with the weight of each image (infinitesimal jackknife); with fewer than four "
        "images per feature a jackknife over 20 random groups of images, with fewer than 40 over the images."
    ),
    summary="Vendi Score: effective number of different images, from the eigenvalues of their cosine similarities",
    sees="repeated images, missing modes: variety, without a reference",
    blind="whether the images look real; noise counts as variety",
    source="Friedman and Dieng 2023, https://arxiv.org/abs/2210.02410",
)
