"""Whether metrics order systems as people do.

Source: Kendall 1945, The treatment of ties in ranking problems, for tau-b; Fieller, Hartley and Pearson 1957, Tests for rank
correlation coefficients, for its interval: atanh(tau) is about normal with variance 0.437 / (K - 4).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from genbench.comparison.comparable import difference_in_making
from genbench.estimate import LEVEL, badness, normal_interval
from genbench.evaluation.result import MetricResult, Result
from genbench.study.clusters import Clusters, share_of
from genbench.study.ratings import Alignment, Interval
from genbench.study.votes import Vote

FEWEST = 5  # systems, from which on Fieller's interval exists


def align(
    standing: Mapping[str, float], votes: Sequence[Vote], results: Mapping[str, Result], *, level: float = LEVEL
) -> tuple[list[Alignment], list[str]]:
    """Of every metric that at least two systems have under one protocol, and a note on each that cannot be compared.

    standing: what people think of each system, larger is better; votes: those that count; results: by system.
    """
    keys = dict.fromkeys(key for name in standing if name in results for key in results[name].by_protocol)
    found, notes = [], []
    for key in keys:
        metrics = {
            name: metric
            for name in standing
            if name in results and (metric := results[name].by_protocol.get(key)) and metric.value is not None
        }
        differs = _difference([(results[name], metric) for name, metric in metrics.items()])
        if differs:
            notes.append(f"{key} is not set against the votes: its values differ in {differs}")
        elif len(metrics) > 1:
            found.append(_alignment(metrics, standing, votes, level))
    return found, notes


def _difference(made: list[tuple[Result, MetricResult]]) -> str | None:
    """The first thing in which the making of the values differs."""
    found = (difference_in_making(*made[0], *other) for other in made[1:])
    return next(filter(None, found), None)


def _alignment(
    metrics: Mapping[str, MetricResult], standing: Mapping[str, float], votes: Sequence[Vote], level: float
) -> Alignment:
    from scipy.stats import kendalltau

    goodness = {name: -badness(float(metric), metric.better) for name, metric in metrics.items()}
    rank = kendalltau([goodness[name] for name in metrics], [standing[name] for name in metrics])
    tau, p = (None if math.isnan(number) else float(number) for number in (rank.statistic, rank.pvalue))
    few = None if len(metrics) >= FEWEST else f"{len(metrics)} systems are too few for an interval of tau"
    judged = [vote for vote in votes if vote.left in goodness and vote.right in goodness and _apart(vote, goodness)]
    scores = np.array([_agreement(vote, goodness) for vote in judged])
    any_metric = next(iter(metrics.values()))
    return Alignment(
        metric=any_metric.short_name,
        protocol=any_metric.protocol,
        systems=len(metrics),
        tau=tau,
        tau_ci=None if few or tau is None else _tau_interval(tau, len(metrics), level),
        p=p,
        accuracy=share_of(scores, Clusters.of(judged), level)[0] if judged else None,
        reason="all values are equal" if tau is None else few,
    )


def _tau_interval(tau: float, systems: int, level: float) -> Interval:
    if abs(tau) == 1:  # the variance of atanh does not exist there; one pair out of order does
        pairs = systems * (systems - 1) / 2
        inside = _tau_interval(math.copysign(1 - 2 / pairs, tau), systems, level)
        return (inside[0], 1.0) if tau > 0 else (-1.0, inside[1])
    low, high = normal_interval(math.atanh(tau), math.sqrt(0.437 / (systems - 4)), level)
    return math.tanh(low), math.tanh(high)


def _apart(vote: Vote, goodness: Mapping[str, float]) -> bool:
    return goodness[vote.left] != goodness[vote.right]


def _agreement(vote: Vote, goodness: Mapping[str, float]) -> float:
    """1 where the vote is for the system with the better value, 0 for the other one, 0.5 for a tie."""
    if vote.choice == "tie":
        return 0.5
    return float((vote.choice == "left") == (goodness[vote.left] > goodness[vote.right]))
