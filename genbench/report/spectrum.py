"""What the distance is made of: the shift of the mean and the difference of the covariances, and their spectra."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from genbench.evaluation.result import MetricResult
from genbench.gaussian import moments
from genbench.metrics import fid
from genbench.pages import plots
from genbench.report.features import Features
from genbench.report.headline import percent

WIDEST = 2048  # features: beyond, the decomposition takes longer than a reader waits


@dataclass(frozen=True, kw_only=True)
class Spectrum:
    """mean_share: of the squared distance, in words; ranks: effective number of dimensions of either side."""

    name: str
    mean_term: str
    covariance_term: str
    mean_share: str
    rank_fake: str
    rank_real: str
    dimensions: int
    figure: Any


def spectrum(features: Features) -> Spectrum | None:
    """None where the features are too many, or the distance is zero."""
    assert features.reference is not None, "its caller has asked"
    real, fake = features.reference.gaussian, moments(features.fake)
    if len(real.mean) > WIDEST:
        return None
    whole = fid.frechet_distance(real=real, fake=fake)
    shift = float((real.mean - fake.mean).square().sum())
    if whole <= 0:
        return None
    of_real, of_fake = eigenvalues(real.cov), eigenvalues(fake.cov)
    return Spectrum(
        name=features.metric.short_name,
        mean_term=f"{shift:.3g}",
        covariance_term=f"{whole - shift:.3g}",
        mean_share=percent(min(1.0, shift / whole)),
        rank_fake=f"{effective_rank(of_fake):.1f}",
        rank_real=f"{effective_rank(of_real):.1f}",
        dimensions=len(real.mean),
        figure=_figure(features.metric, of_real, of_fake),
    )


def eigenvalues(cov: Tensor) -> Tensor:
    """(D,) descending, none below 0."""
    return torch.linalg.eigvalsh(cov).flip(0).clamp(min=0)


def effective_rank(spectrum: Tensor) -> float:
    """exp of the entropy of the eigenvalues' shares: D for equal ones, 1 for a single one. Source: Roy and Vetterli 2007."""
    shares = spectrum / spectrum.sum()
    return float(torch.special.entr(shares).sum().exp())


def _figure(metric: MetricResult, of_real: Tensor, of_fake: Tensor) -> Any:
    floor = float(of_real.max()) * 1e-8
    with plots.drawing(4.4, 2.9) as (figure, axes):
        for number, (values, label) in enumerate(((of_fake, "generated"), (of_real, "reference"))):
            shown = values[values > floor].numpy()
            style, colour = ("-", "--")[number], plots.COLOURS[number]
            axes.plot(range(1, len(shown) + 1), shown, style, color=colour, linewidth=1.6, label=label)
        plots.logarithmic(axes.xaxis, axes.yaxis)
        axes.set(xlabel="direction, by its variance", ylabel="variance of the features")
        axes.grid(alpha=0.2)
        axes.legend(frameon=False)
        ranks = f"{effective_rank(of_fake):.1f} generated, {effective_rank(of_real):.1f} reference"
        words = f"Effective number of dimensions: {ranks}."
        return plots.svg(figure, title=f"Variances of the features of {metric.short_name}", description=words)
