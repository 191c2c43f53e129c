"""Classifier two-sample test: how often can a simple classifier tell a generated image from a real one?

    c2st = mean of the shares of real and of generated images that are told rightly by a classifier fitted to the other folds

0.5: no better than guessing; 1: always told apart. Below 0.5 is chance, or the sign of near copies of the real images.
Source: Lopez-Paz and Oquab 2017, https://arxiv.org/abs/1610.06545, section 3; here each image is held out once
(cross-fitting) instead of one half of them all.

An image that occurs on both sides stays in one fold with all its copies, so that no classifier has met it with the other
answer: two identical sets give exactly 0.5. Copies on one side only are spread over the folds as they come, because a generator
that repeats itself is told by just that.

The answers of different folds are not independent: where the sets are alike, what chance puts into the difference of fold f
turns the classifier that answers fold g, and the other way round. Of a linear classifier's answers on a Gaussian, 2/π of the
variance is due to the difference of the means, and that part counts twice. The error bar is widened by so much near 0.5 and
by less where the sets are told apart; a binomial error alone covers 86 to 92 % there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from genbench.estimate import Estimate, Influence, wilson_interval
from genbench.metrics._checks import check_pair
from genbench.metrics._neighbours import BLOCK, Cloud, nearest
from genbench.metrics._order import ranks
from genbench.metrics.base import Metric
from genbench.seeding import generator

SHARED = 2 / math.pi  # of the variance at 0.5, the part that two folds have in common
RIDGE = 0.01  # times the squared length of the weights, beside the mean loss per image


def compute(
    *, real: Tensor, fake: Tensor, classifier: Literal["logistic", "knn"] = "logistic", folds: int = 5, seed: int = 0
) -> dict[str, Estimate]:
    """{"c2st": Estimate} of (M, D) and (N, D) features, a balanced accuracy in [0, 1].

    classifier: logistic regression with a ridge on standardised features, or √(held-out images) nearest neighbours.
    details: "p_value" of a value as high or higher where both sides are draws from one distribution, and the accuracy on "real"
    and "fake" images.
    Raises DataError for fewer images than folds or numbers that are not finite; IncomparableError for different widths.
    """
    check_pair(real=real, fake=fake, metric="c2st", at_least=folds)
    images, is_fake = torch.cat([real, fake]), torch.arange(len(real) + len(fake), device=real.device) >= len(real)
    rank = ranks(images)
    order = (2 * rank + is_fake).argsort(stable=True)
    images, is_fake, rank = images[order], is_fake[order], rank[order]
    group, fold = _folds(rank, is_fake, folds, generator(seed, "c2st/folds"))
    answer = torch.zeros_like(is_fake)
    ask = _logistic(images) if classifier == "logistic" else _neighbours(images)
    del images  # the classifier has its own
    for i in range(folds):
        held, rest = (fold == i).nonzero().flatten(), (fold != i).nonzero().flatten()
        answers = is_fake[rest].unique()
        if len(answers) == 2 and len(held):
            answer[held] = ask(rest, is_fake[rest], held)
        elif len(answers) == 1:
            answer[held] = answers
    back = order.argsort()
    return {"c2st": _accuracy((answer == is_fake).double()[back], group[back], len(real))}


def _folds(rank: Tensor, is_fake: Tensor, folds: int, random: np.random.Generator) -> tuple[Tensor, Tensor]:
    """(N,) group of each image, of which all are in one fold, and (N,) its fold, for images sorted by `rank`.

    Images of both sides, of the real side and of the fake side are spread over the folds evenly.
    """
    kinds = int(rank.max()) + 1
    shared = (rank[~is_fake].bincount(minlength=kinds) > 0) & (rank[is_fake].bincount(minlength=kinds) > 0)
    starts = torch.ones_like(is_fake)
    starts[1:] = ~(shared[rank[1:]] & (rank.diff() == 0))
    side = torch.where(shared[rank[starts]], 2, is_fake[starts].long())  # of each group
    shuffled = torch.from_numpy(random.permutation(len(side))).to(side.device)
    fold = torch.empty_like(side)
    fold[shuffled[side[shuffled].argsort(stable=True)]] = torch.arange(len(side), device=side.device) % folds
    group = starts.cumsum(0) - 1
    return group, fold[group]


def _logistic(images: Tensor) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """(rest, whether these are fake, held) -> whether the held images are taken for fake; both sides weigh the same."""
    from sklearn.linear_model import LogisticRegression

    x = images.double()
    x -= x.mean(0)
    squares = torch.stack([rows.square().sum(0) for rows in x.split(BLOCK)]).sum(0)
    x /= (squares / len(x)).sqrt().clamp(min=torch.finfo(torch.float32).tiny)
    standardised = x.cpu().numpy()

    def ask(rest: Tensor, is_fake: Tensor, held: Tensor) -> Tensor:
        model = LogisticRegression(C=1 / (2 * RIDGE * len(rest)), class_weight="balanced", max_iter=1000)
        model.fit(standardised[rest.cpu().numpy()], is_fake.cpu().numpy())
        return torch.from_numpy(model.decision_function(standardised[held.cpu().numpy()]) > 0).to(held.device)

    return ask


def _neighbours(images: Tensor) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """The same by the votes of the nearest images, an odd number of them; a vote weighs as much as its side has few images."""
    centre = images.mean(0, dtype=torch.float64)

    def ask(rest: Tensor, is_fake: Tensor, held: Tensor) -> Tensor:
        k = min(int(len(held) ** 0.5) // 2 * 2 + 1, len(rest))
        _, voters = nearest(Cloud(images[held], centre), Cloud(images[rest], centre), k)
        votes = is_fake[voters].double().mean(1)
        share = is_fake.double().mean()
        return votes * (1 - share) > (1 - votes) * share

    return ask


def _accuracy(right: Tensor, group: Tensor, n_real: int) -> Estimate:
    """The mean of both sides' shares of right answers (N,), real ones first; the images of a group answer together."""
    n_fake = len(right) - n_real
    of_real, of_fake = right[:n_real], right[n_real:]
    value = float(of_real.mean() + of_fake.mean()) / 2
    pull_real, pull_fake = (of_real - of_real.mean()) / 2, (of_fake - of_fake.mean()) / 2

    def spread(pull_real: Tensor, pull_fake: Tensor) -> float:
        sums = right.new_zeros(int(group.max()) + 1)
        sums.index_add_(0, group, torch.cat([pull_real / n_real, pull_fake / n_fake]))
        return float(sums.square().sum()) ** 0.5

    # An image also has a say in how the other folds are answered; the nearer to guessing, the more that adds.
    widen = (1 + SHARED * 4 * value * (1 - value)) ** 0.5
    pull_real, pull_fake = widen * pull_real, widen * pull_fake
    se = spread(pull_real, pull_fake)
    se_guessing = (1 + SHARED) ** 0.5 * spread((of_real - 0.5) / 2, (of_fake - 0.5) / 2)
    independent = min(float(len(right)), value * (1 - value) / se**2) if se > 0 else len(right)
    above = (0.5 - value) / se_guessing if se_guessing > 0 else 0.0
    both = bool(torch.isin(group[:n_real], group[n_real:]).any())  # copies, whose answers no influence of a side alone tells
    return Estimate(
        value=value,
        se=se,
        ci=wilson_interval(value, independent),
        method="binomial",
        n=n_fake,
        n_real=n_real,
        better="lower",
        details={
            "p_value": NormalDist().cdf(above),
            "real": float(of_real.mean()),
            "fake": float(of_fake.mean()),
        },
        influence=None if both else Influence(fake=pull_fake, real=pull_real),
    )


metric = Metric(
    compute=compute,
    takes="features",
    reports={"c2st": "lower"},
    protocols={
        "logistic": {"classifier": "logistic", "folds": 5, "seed": 0},
        "knn": {"classifier": "knn", "folds": 5, "seed": 0},
    },
    min_n=100,
    error_bar=(
        "Binomial over the held-out answers of both sides, those of copies taken together; its variance is raised by up to 2/π "
        "for what the folds have in common."
    ),
    summary="Classifier two-sample test: balanced held-out accuracy of telling generated from real images; 0.5 is guessing",
    sees="whatever a simple classifier can use: logistic sees shifts of the features, k-NN also other shapes",
    blind=(
        "logistic: differences that leave the means alone; knn: a set that is much tighter than the other in many dimensions, "
        "as it is nearest to everything; both: copies of training images"
    ),
    source="Lopez-Paz and Oquab 2017, https://arxiv.org/abs/1610.06545",
)
