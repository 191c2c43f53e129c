"""Few-step error: solvers of known order, a sampler with chance on its way, and one that needs no more steps."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from torch import Tensor
from toy_generators import POINTS, Linear, Toy, points, subject

from genbench.batch import Condition
from genbench.diagnostics.sampler_steps import compute, counts, diagnostic
from genbench.errors import DataError
from genbench.models.base import Knob
from genbench.seeding import Noise


class Solver(Toy):
    """Solves dx/dt = x from t = 0 to 1 in `steps` steps, so that x(1) = e z; Euler's rule or Heun's."""

    knobs = {"steps": Knob(20, (5, 10, 20, 80), "closer to e z")}  # noqa: RUF012

    def __init__(self, rule: Literal["euler", "heun"], default: int = 20) -> None:
        super().__init__(POINTS)
        self.rule = rule
        self.knobs = {"steps": Knob(default, (5, 10, 20, 80), "closer to e z")}

    def draw_latents(self, noise: Noise) -> Tensor:
        return noise.normal(2) * torch.tensor([0.4, 0.3])

    def solve(self, z: Tensor, steps: int) -> Tensor:
        h = 1 / steps
        return z * (1 + h + (0.5 * h * h if self.rule == "heun" else 0)) ** steps

    def from_latents(self, z: Tensor, condition: Condition) -> Tensor:
        return self.solve(z, int(self.knobs["steps"].default)).reshape(-1, 2, 1, 1)

    def sample(self, noise: Noise, condition: Condition, *, steps: float = 20, **knobs: float) -> Tensor:
        return self.solve(self.draw_latents(noise), int(steps)).reshape(-1, 2, 1, 1)

    def evaluations(self, *, steps: float = 20, **knobs: float) -> int:
        return int(steps) * (2 if self.rule == "heun" else 1)


class Chance(Solver):
    """As Euler's, with no latents that would decide the sample."""

    draw_latents = None  # type: ignore[assignment]

    def sample(self, noise: Noise, condition: Condition, *, steps: float = 20, **knobs: float) -> Tensor:
        return self.solve(noise.normal(2), int(steps)).reshape(-1, 2, 1, 1) + 0.1 * noise.normal(2, 1, 1)


@pytest.mark.parametrize(("rule", "order"), [("euler", 1), ("heun", 2)])
def test_the_slope_is_the_order_of_the_solver(rule: Literal["euler", "heun"], order: int) -> None:
    found = compute(subject(Solver(rule), points()))["few_steps_change"]
    # The yardstick has four times the default's steps and an error of its own, so the last points bend a little.
    assert found.details["slope"] == pytest.approx(-order, abs=0.25)


def test_the_change_is_that_of_the_closed_form() -> None:
    model, whole = Solver("euler"), subject(Solver("euler"), points())
    z = model.draw_latents(Noise(0, range(200))).double()
    most, few = model.solve(z, 80), model.solve(z, 20)
    apart = (most - most.roll(1, 0)).square().sum(1).mean()
    found = compute(whole)["few_steps_change"]
    assert float(found) == pytest.approx(float((few - most).square().sum(1).mean() / apart), rel=1e-3)


def test_fewer_steps_change_more() -> None:
    found = [float(compute(subject(Solver("euler", default), points()))["few_steps_change"]) for default in (5, 10, 20)]
    assert found == sorted(found, reverse=True)


def test_fewer_steps_are_farther_from_real_points() -> None:
    data = points()
    wide = subject(Solver("euler"), data)
    details = compute(wide)["few_steps_fd"].details
    distances = [details[f"fd@{count}"] for count in (5, 10, 20, 40, 80)]
    assert distances == sorted(distances, reverse=True), "x(1) = e z grows towards the data with the steps"
    assert float(compute(wide)["few_steps_fd"]) == pytest.approx(distances[2] / distances[4])


def test_a_sampler_with_chance_has_no_yardstick() -> None:
    found = compute(subject(Chance("euler"), points()))
    assert found["few_steps_change"].value is None
    assert "chance" in str(found["few_steps_change"].reason)
    assert found["few_steps_fd"].value is not None


def test_a_sampler_that_takes_all_its_steps_has_none_to_compare_with() -> None:
    found = compute(subject(Solver("euler", 80), points(), n=50))
    assert all(estimate.value is None and "most steps" in str(estimate.reason) for estimate in found.values())


def test_steps_are_never_more_than_the_model_sweeps() -> None:
    assert counts(subject(Solver("euler"), points())) == [20, 5, 10, 20, 40, 80]
    assert counts(subject(Solver("euler", 2), points())) == [2, 1, 2, 4, 8]
    assert not diagnostic.applies(Linear())


def test_samples_that_are_not_finite_are_an_error() -> None:
    class Exploding(Solver):
        def solve(self, z: Tensor, steps: int) -> Tensor:
            return z * torch.inf

    with pytest.raises(DataError, match="not finite"):
        compute(subject(Exploding("euler"), points(), n=20))
