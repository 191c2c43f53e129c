"""A policy says what it means or is refused, with every mistake at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from results_for_checks import fixed, result_of

from genbench.errors import UsageError
from genbench.gate.policy import ALPHA, Gate, Policy
from genbench.gate.policy_file import find_policy, load_policy
from genbench.testing.settings import Settings

GOOD = """
[check]
alpha = 0.05
[[check.gate]]
metric = "fid"
max = 6.0
max_increase = 0.15
max_increase_rel = "3%"
[[check.gate]]
metric = "precision"
max_decrease = 0.01
test = "difference"
severity = "warning"
"""


def test_what_a_file_says(tmp_path: Path) -> None:
    path = tmp_path / "genbench.toml"
    path.write_text(GOOD)
    policy = load_policy(path)
    fid, precision = policy.gate
    assert policy.alpha == 0.05
    assert (fid.max, fid.max_increase, fid.max_increase_rel, fid.kind) == (6.0, 0.15, 0.03, "noninferiority")
    assert (precision.kind, precision.severity) == ("difference", "warning")


def test_the_larger_of_the_two_margins_counts() -> None:
    gate = Gate(metric="fid", max_increase=0.15, max_increase_rel="3%")  # type: ignore[arg-type]
    assert gate.margin(2.0, "lower") == 0.15
    assert gate.margin(10.0, "lower") == pytest.approx(0.3)
    assert gate.margin(-10.0, "zero") == pytest.approx(0.3)
    assert Gate(metric="fid").margin(5.0, "lower") == 0


def test_a_margin_on_the_side_of_improvement_is_refused() -> None:
    with pytest.raises(UsageError, match="max_increase limits no worsening") as caught:
        Gate(metric="precision", max_increase=0.1).margin(0.7, "higher")
    assert caught.value.hint == "give max_decrease (on the command line --max-decrease)"
    with pytest.raises(UsageError, match="max_decrease_rel limits no worsening"):
        Gate(metric="fid", max_decrease_rel="1%").margin(5.0, "lower")  # type: ignore[arg-type]


def test_every_mistake_is_listed_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "genbench.toml"
    path.write_text(
        """
        [chek]
        [check]
        alpha = 2
        [[check.gate]]
        metric = "fid"
        max_incrase = 0.1
        [[check.gate]]
        metric = "kid"
        max_increase_rel = 3
        test = "ttest"
        [[check.gate]]
        max = nan
        """
    )
    with pytest.raises(UsageError) as caught:
        load_policy(path)
    text = caught.value.message
    assert "7 mistakes" in text
    for sentence in (
        "unknown key chek; did you mean check?",
        "check.alpha",
        "unknown key check.gate.0.max_incrase; did you mean max_increase",
        'check.gate.1.max_increase_rel: write a percentage, such as "3%", not 3',
        "check.gate.1.test",
        "check.gate.2.metric",
        "check.gate.2.max",
    ):
        assert sentence in text


@pytest.mark.parametrize(
    ("gate", "sentence"),
    [
        ({"test": "none", "max_increase": 1}, "looks at none"),
        ({"test": "none"}, "nothing to check"),
        ({"test": "noninferiority"}, "needs a margin"),
        ({"max": 1, "min": 2}, "min is above max"),
        ({"max_increase": -1}, "greater than or equal to 0"),
    ],
)
def test_gates_that_make_no_sense(gate: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Gate(metric="fid", **gate)  # type: ignore[arg-type]


def test_the_nearest_file_counts_up_to_the_root_of_the_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "genbench.toml").write_text("[check]\nalpha = 0.5\n")
    root, inner = tmp_path / "project", tmp_path / "project" / "a" / "b"
    inner.mkdir(parents=True)
    (root / ".git").mkdir()
    monkeypatch.chdir(inner)
    assert find_policy() == Policy()  # what lies outside of the repository is not its policy
    (root / "pyproject.toml").write_text("[tool.genbench.check]\nalpha = 0.1\n")
    assert find_policy().alpha == 0.1
    (root / "a" / "pyproject.toml").write_text("[tool.other]\n")
    assert find_policy().alpha == 0.1
    (root / "a" / "genbench.toml").write_text("[check]\nalpha = 0.2\n")
    assert find_policy().alpha == 0.2


def test_files_that_are_no_policy(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no policy at"):
        load_policy(tmp_path / "nothing.toml")
    (tmp_path / "pyproject.toml").write_text("[tool.ruff]\n")
    with pytest.raises(UsageError, match=r"has no table \[tool.genbench.check\]"):
        load_policy(tmp_path / "pyproject.toml")
    (tmp_path / "pyproject.toml").write_text("[tool]\ngenbench = 5\n")
    with pytest.raises(UsageError, match=r"tool\.genbench: not a table"):
        load_policy(tmp_path / "pyproject.toml")
    (tmp_path / "genbench.toml").write_text("[check\n")
    with pytest.raises(UsageError, match="cannot be read"):
        load_policy(tmp_path / "genbench.toml")


def test_a_test_gates_what_has_no_error_bar_only_where_it_says_so() -> None:
    result = result_of({"fd": fixed(5.0), "kd": fixed(1.0, None)})
    assert [gate.metric for gate in Settings.of({}).policy(result).gate] == ["fd@tiny"]
    limits = Settings.of({"max": {"kd": 2}, "test": {"kd": "none"}})
    assert [(gate.metric, gate.kind) for gate in limits.policy(result).gate] == [("fd@tiny", "difference"), ("kd@tiny", "none")]
    with pytest.raises(UsageError, match="alpha"):
        Settings.of({"alpha": 7}).policy(result)


def test_without_a_file_the_default_is_strict() -> None:
    assert Policy().alpha == ALPHA == 0.01
    assert Policy().needs_baseline
    assert not Policy(gate=[Gate(metric="fid", max=6, test="none")]).needs_baseline
