"""Does `genbench check` keep its two promises? Draws sets of images again and again, and counts what it says.

    python benchmarks/check/power.py [--repeats 400] [-o benchmarks/results/check-power.json]

False alarms: baseline and subject are fresh draws from one distribution, against a fresh reference that both share; the chance
that any gate says "regressed" is promised to be at most alpha. Power: the subject is drawn from a distribution whose expected
value is worse by the smallest detectable change that the check printed, on average, where nothing had changed; 80 % of the
subjects are promised to be called "regressed".

Features are Gaussian in 8 dimensions: real N(0, I), the generator N(0.3, 1.2² I), or N(0, I) too for a generator without fault.
It gets worse by a shift. ssim is a mean over images, each a draw from a beta distribution. n = 500, reference 1,000.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from genbench.estimate import Estimate, badness, mean_estimate
from genbench.evaluation.environment import cpu_model
from genbench.evaluation.result import Result
from genbench.gate.judge import judge
from genbench.gate.policy import Gate, Policy
from genbench.gate.verdict import Check
from genbench.metrics import fid, kid, prdc
from genbench.metrics.base import FeatureSet

sys.path.insert(0, str(Path(__file__).parent.parent))
from interval_studies.differences import result_of

DIM, N, REFERENCE = 8, 500, 1000
ALPHAS = (0.01, 0.05)
SEED = 20261121


@dataclass(frozen=True, kw_only=True)
class Generator:
    """Where its features lie and how wide they spread."""

    mean: float
    scale: float


OFF, PERFECT = Generator(mean=0.3, scale=1.2), Generator(mean=0.0, scale=1.0)


def draw(chance: torch.Generator, n: int, generator: Generator = PERFECT, shift: float = 0.0) -> Tensor:
    """(n, 8) features."""
    return generator.mean + shift + generator.scale * torch.randn(n, DIM, generator=chance, dtype=torch.float64)


def frechet(real: Tensor, fake: Tensor) -> Mapping[str, Estimate]:
    return fid.compute(real=FeatureSet(features=real), fake=FeatureSet(features=fake))


def kernel(real: Tensor, fake: Tensor) -> Mapping[str, Estimate]:
    return kid.compute(real=real, fake=fake)


def neighbours(name: str, real: Tensor, fake: Tensor) -> Mapping[str, Estimate]:
    return {name: prdc.compute(real=real.float(), fake=fake.float(), k=5)[name]}


def similarity(real: Tensor, fake: Tensor) -> Mapping[str, Estimate]:
    """The mean of one number in (0, 1) per image, as SSIM is one."""
    return {"ssim": mean_estimate(torch.sigmoid(2 - fake[:, 0]), better="higher")}


METRICS: Mapping[str, Callable[[Tensor, Tensor], Mapping[str, Estimate]]] = {
    "fd": frechet,
    "kd": kernel,
    "precision": partial(neighbours, "precision"),
    "recall": partial(neighbours, "recall"),
    "coverage": partial(neighbours, "coverage"),
    "ssim": similarity,
}


@dataclass(frozen=True, kw_only=True)
class World:
    """Which metrics are gated, of which generator."""

    metrics: Sequence[str]
    generator: Generator = OFF

    def result(self, real: Tensor, fake: Tensor) -> Result:
        found: dict[str, Estimate] = {}
        for metric in self.metrics:
            found |= METRICS[metric](real, fake)
        return result_of(found)

    def pair(self, chance: torch.Generator, shift: float = 0.0) -> tuple[Result, Result]:
        """Two fresh sets against one fresh reference, the second one shifted."""
        real = draw(chance, REFERENCE)
        base, current = (self.result(real, draw(chance, N, self.generator, by)) for by in (0.0, shift))
        return base, current

    def check(
        self, chance: torch.Generator, *, shift: float = 0.0, alpha: float = ALPHAS[0], margin: float | None = None
    ) -> Check:
        """Of a subject whose features are shifted against those of the baseline."""
        base, current = self.pair(chance, shift)
        return judge(base, current, policy(self.metrics, base, ALPHAS[0], margin), name="default")


def policy(metrics: Sequence[str], result: Result, alpha: float, margin: float | None) -> Policy:
    """A gate per metric, with a margin as large as `margin` times the baseline's error."""
    gates = []
    for name in metrics:
        side = "max_decrease" if result[name].better == "higher" else "max_increase"
        allowed = {} if margin is None else {side: margin * (result[name].se or 0.0)}
        gates.append(Gate(metric=name, **allowed))
    return Policy(alpha=alpha, gate=gates)


@dataclass(frozen=True, kw_only=True)
class Alarms:
    """How often something that had not changed was called a regression."""

    gates: str
    generator: str
    alpha: float
    repeats: int
    alarms: int

    @property
    def share(self) -> float:
        return self.alarms / self.repeats


@dataclass(frozen=True, kw_only=True)
class Found:
    """How often a worsening as large as the printed smallest detectable change was called a regression.

    value, detectable, planted: means of the baseline's value, of what is printed of unchanged sets, and of the worsening.
    """

    gate: str
    generator: str
    margin: str
    value: float
    detectable: float
    planted: float
    repeats: int
    found: int


def alarms(generator: Generator, repeats: int, seed: int = SEED) -> list[Alarms]:
    """Of every metric alone, and of all together, from the same draws."""
    chance = torch.Generator().manual_seed(seed)
    world = World(metrics=list(METRICS), generator=generator)
    pairs = [world.pair(chance) for _ in range(repeats)]
    rows = []
    for metrics in ([[metric] for metric in METRICS] if generator is OFF else []) + [list(METRICS)]:
        for alpha in ALPHAS:
            checks = [judge(base, new, policy(metrics, base, alpha, None), name="") for base, new in pairs]
            count = sum(any(outcome.verdict == "regressed" for outcome in check.outcomes) for check in checks)
            kind = "off" if generator is OFF else "perfect"
            rows.append(Alarms(gates=", ".join(metrics), generator=kind, alpha=alpha, repeats=repeats, alarms=count))
    return rows


def found(metric: str, repeats: int, margin: float | None = None, generator: Generator = OFF, seed: int = SEED) -> Found:
    """Look for the shift that worsens the mean of the very draws that are then counted by what is printed."""
    world = World(metrics=[metric], generator=generator)
    chance = torch.Generator().manual_seed(seed)
    unchanged = [world.check(chance, margin=margin) for _ in range(100)]
    printed = statistics.mean(float(check.outcomes[0].detectable or math.nan) for check in unchanged)
    draws = []
    for _ in range(repeats):
        real = draw(chance, REFERENCE)
        draws.append((real, world.result(real, draw(chance, N, generator)), draw(chance, N, generator)))

    def shifted(shift: float, count: int) -> list[Result]:
        return [world.result(real, fake + shift) for real, _, fake in draws[:count]]

    def worsening(results: Sequence[Result]) -> float:
        pairs = zip(draws, results, strict=False)
        return statistics.mean(_badness(current) - _badness(base) for (_, base, _), current in pairs)

    few = repeats // 4
    shift = _solve(lambda by: worsening(shifted(by, few)) - printed, 0.0, 0.5, steps=7)
    here, beyond = worsening(shifted(shift, repeats)), worsening(shifted(1.1 * shift, repeats))
    shift *= 1 + 0.1 * (printed - here) / (beyond - here)
    results = shifted(shift, repeats)
    checks = [
        judge(base, current, policy([metric], base, ALPHAS[0], margin), name="default")
        for (_, base, _), current in zip(draws, results, strict=True)
    ]
    return Found(
        gate=metric,
        generator="off" if generator is OFF else "perfect",
        margin="–" if margin is None else f"{margin:g} se",
        value=statistics.mean(float(base.metrics[0]) for _, base, _ in draws),
        detectable=printed,
        planted=worsening(results),
        repeats=repeats,
        found=sum(check.outcomes[0].verdict == "regressed" for check in checks),
    )


def _badness(result: Result) -> float:
    return badness(float(result.metrics[0]), result.metrics[0].better)


def _solve(excess: Callable[[float], float], low: float, high: float, steps: int) -> float:
    """Where a rising function crosses zero, by bisection."""
    for _ in range(steps):
        middle = (low + high) / 2
        low, high = (middle, high) if excess(middle) < 0 else (low, middle)
    return (low + high) / 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=400)
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    repeats = arguments.repeats
    calm = [row for generator in (OFF, PERFECT) for row in alarms(generator, repeats)]
    for row in calm:
        print(f"{row.gates:28} {row.generator:8} alpha {row.alpha}: {100 * row.share:.1f} % false alarms", flush=True)
    promised = [metric for metric in METRICS if metric != "recall"]
    seen = [found(metric, repeats, margin, OFF) for metric in promised for margin in (None, 1.0)]
    seen += [found(metric, repeats, None, PERFECT) for metric in promised]
    for one in seen:
        share = f"found {100 * one.found / one.repeats:.1f} %"
        numbers = f"detectable {one.detectable:.3g}, planted {one.planted:.3g}"
        print(f"{one.gate:10} {one.generator:8} margin {one.margin:5} {numbers}: {share}")
    if arguments.output:
        document = {
            "date": datetime.now(UTC).date().isoformat(),
            "command": f"python benchmarks/check/power.py --repeats {repeats} -o benchmarks/results/check-power.json",
            "seed": SEED,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "cpu": cpu_model(),
            "images": N,
            "reference": REFERENCE,
            "false_alarms": [asdict(row) for row in calm],
            "power": [asdict(one) for one in seen],
        }
        arguments.output.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
