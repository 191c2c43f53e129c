"""The games of the lectures obey their laws: spirals and orbits, gradients that die, distances that see how far and do not."""

from __future__ import annotations

import importlib.util
import math
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

FOLDER = Path(__file__).parents[2] / "examples" / "games"
SCRIPTS = ("bilinear_game", "vanishing_gradients", "parallel_lines")


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"games_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


bilinear, vanishing, lines = (load(name) for name in SCRIPTS)


@pytest.mark.parametrize("a", [0.01, 0.1, 0.7, 1.5])
def test_simultaneous_steps_grow_by_the_same_factor_each(a: float) -> None:
    r = bilinear.radii(bilinear.play(bilinear.simultaneous, a=a, steps=200))
    assert np.allclose(r[1:] / r[:-1], math.sqrt(1 + a**2), rtol=1e-6)
    slope, _ = np.polyfit(np.arange(201), np.log(r), 1)
    assert slope == pytest.approx(0.5 * math.log(1 + a**2), abs=1e-6)


@pytest.mark.parametrize("a", [0.1, 0.7, 1.5, 1.9])
def test_alternating_steps_stay_on_a_bounded_orbit(a: float) -> None:
    path = bilinear.play(bilinear.alternating, a=a, steps=5000)
    assert np.allclose(bilinear.conserved(path, a), bilinear.conserved(path[:1], a), rtol=1e-6)
    least, largest = bilinear.orbit(a)
    r = bilinear.radii(path)
    assert least * (1 - 1e-9) <= r.min() <= r.max() <= largest * (1 + 1e-9)
    assert r[-1000:].max() == pytest.approx(r[:1000].max(), rel=0.02)  # no drift
    assert r.max() == pytest.approx(largest, rel=0.02)  # the bound is the best one


def test_alternating_steps_of_size_2_and_more_leave() -> None:
    assert bilinear.radii(bilinear.play(bilinear.alternating, a=2.1, steps=200))[-1] > 1e6


def test_alternation_is_the_map_with_determinant_one() -> None:
    a = 0.3
    columns = [bilinear.alternating(*unit, a) for unit in ((1.0, 0.0), (0.0, 1.0))]
    assert np.allclose(np.array(columns).T, [[1, -a], [a, 1 - a**2]])
    assert np.linalg.det(np.array(columns)) == pytest.approx(1.0)


@pytest.mark.parametrize("a", [0.1, 0.5, 0.9])
def test_extragradient_contracts(a: float) -> None:
    path = bilinear.play(bilinear.extragradient, a=a, steps=200)
    r = bilinear.radii(path)
    assert np.allclose(r[1:] / r[:-1], bilinear.theory("extragradient", a), rtol=1e-6)
    assert r[-1] < r[0]


def test_only_the_minimax_gradient_vanishes() -> None:
    measured = list(vanishing.measure(0.5, stages=(30, 100, 300, 500)))
    minimax = [row.minimax for row in measured]
    assert minimax == sorted(minimax, reverse=True)
    assert minimax[0] - minimax[-1] > 1.0  # decades
    last = measured[-1]
    assert last.minimax < last.wasserstein < last.non_saturating
    assert last.wasserstein == pytest.approx(vanishing.WASSERSTEIN, abs=0.05)
    assert last.fooled < 0.01
    assert vanishing.decades_lost(measured) > 2.0
    # Gradient for gradient the two losses of one discriminator differ by its odds, here about D(G(z)) itself.
    assert last.minimax - last.non_saturating == pytest.approx(math.log10(last.fooled), abs=0.3)


def test_a_generator_that_lies_on_the_data_keeps_an_unsure_discriminator() -> None:
    (row,) = vanishing.measure(0.0, stages=(200,))
    assert row.fooled == pytest.approx(0.5, abs=0.05)


def test_theories_of_parallel_lines() -> None:
    assert [lines.jensen_shannon(theta) for theta in (-2.0, 0.0, 1e-9, 1.0)] == [math.log(2), 0.0, math.log(2), math.log(2)]
    chance = torch.Generator().manual_seed(0)
    real = lines.line(0.0, 500, chance)
    values = [
        lines.wasserstein_by_sorting(real[:, 0], lines.line(theta, 500, chance)[:, 0]) for theta in (-1.0, 0.0, 0.25, 2.0)
    ]
    assert values == [1.0, 0.0, 0.25, 2.0]


def test_sorting_equals_the_best_of_all_assignments() -> None:
    from scipy.optimize import linear_sum_assignment

    a, b = torch.randn(2, 40, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    cost = (a[:, None] - b).abs().numpy()
    rows, columns = linear_sum_assignment(cost)
    assert lines.wasserstein_by_sorting(a, b) == pytest.approx(cost[rows, columns].mean(), rel=1e-12)


def test_a_discriminator_finds_log_2_at_every_distance() -> None:
    assert [lines.estimated_js(theta, steps=300) for theta in (-1.0, 0.25, 1.0)] == pytest.approx([math.log(2)] * 3, abs=0.01)
    assert lines.estimated_js(0.0, steps=100) == pytest.approx(0.0, abs=0.01)


def test_a_critic_finds_the_distance() -> None:
    thetas = (0.25, 0.5, 1.0)
    measured = [lines.Measured(theta, theta, math.log(2), lines.estimated_w1(theta, steps=250)) for theta in thetas]
    assert [row.w1 for row in measured] == pytest.approx([lines.penalised(theta) for theta in thetas], rel=0.02)
    assert lines.slope(measured) == pytest.approx(1.0, abs=0.05)


SHORT = {"bilinear_game": [], "vanishing_gradients": ["--steps", "3"], "parallel_lines": ["--steps", "2"]}


@pytest.mark.parametrize("module", [bilinear, vanishing, lines], ids=SCRIPTS)
def test_a_table_with_theory_beside_it_and_a_picture(
    module: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "picture.png"
    assert module.main([*SHORT[module.__name__.removeprefix("games_")], "-o", str(picture)]) == 0
    assert "theory" in capsys.readouterr().out
    assert picture.stat().st_size > 5000
