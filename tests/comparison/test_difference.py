"""What two results share is taken out of the error of their difference, and what remains covers what it promises."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from making_results import gaussian, key_of, measured, numbered, random, result_of, scored
from numpy.typing import NDArray
from torch import Tensor

from genbench.comparison.difference import difference
from genbench.errors import IncomparableError
from genbench.estimate import Estimate, Influence, normal_interval, student_quantile, student_tail, wilson_interval
from genbench.evaluation.result import Result
from genbench.metrics import fid, kid
from genbench.metrics.base import FeatureSet

METRICS = ("fd", "kd", "precision", "recall", "density", "coverage")


def three_sets(seed: int = 0, n: int = 400) -> tuple[Tensor, Tensor, Tensor]:
    generator = random(seed)
    return gaussian(n, generator), gaussian(n, generator, shift=0.3), gaussian(n, generator, shift=0.4, scale=1.1)


@pytest.mark.parametrize("name", METRICS)
def test_nothing_differs_from_itself(name: str) -> None:
    real, fake, _ = three_sets()
    one = measured(real, fake, names=numbered(400))
    found = difference(one, one, key_of(name))
    assert (found.value, found.worsening, found.p, found.p_worse(), found.p_better()) == (0.0, 0.0, 1.0, 0.5, 0.5)


def test_the_same_images_leave_no_error_but_that_of_arithmetic() -> None:
    real, fake, _ = three_sets()
    one = measured(real, fake, names=numbered(400))
    found = difference(one, one, key_of("fd"))
    assert found.se is not None
    assert found.base.se is not None
    assert 0 < found.se < 0.02 * found.base.se


def test_the_same_images_on_another_machine_do_not_differ() -> None:
    real, fake, _ = three_sets()
    one = measured(real, fake, names=numbered(400))
    other = measured(real, fake * (1 + 1e-6), names=numbered(400))
    for name in METRICS:
        p = difference(one, other, key_of(name)).p
        assert p is not None
        assert p > 0.5


@pytest.mark.parametrize("name", METRICS)
def test_swapping_sides_flips_the_sign_and_nothing_else(name: str) -> None:
    real, a, b = three_sets()
    one, other = measured(real, a, names=numbered(400)), measured(real, b, names=numbered(400))
    there, back = difference(one, other, key_of(name)), difference(other, one, key_of(name))
    assert (there.value, there.worsening) == (-back.value, -back.worsening)
    assert there.se == pytest.approx(back.se, rel=1e-12)
    assert there.p == pytest.approx(back.p, rel=1e-9)
    assert there.p_worse() == pytest.approx(back.p_better(), rel=1e-9)
    low, high = there.interval() or (0, 0)
    assert back.interval() == pytest.approx((-high, -low))


def test_worse_is_up_for_lower_and_down_for_higher() -> None:
    real, a, b = three_sets()
    one, other = measured(real, a), measured(real, b)
    fd, precision = (difference(one, other, key_of(name)) for name in ("fd", "precision"))
    assert fd.worsening == fd.value > 0
    assert precision.worsening == -precision.value


def test_a_common_part_of_paired_images_makes_the_error_smaller() -> None:
    generator = random(1)
    common = torch.randn(500, generator=generator)
    values = [common + 0.3 * torch.randn(500, generator=generator) for _ in range(2)]
    paired = difference(*(scored(one, names=numbered(500)) for one in values), key_of("score"))
    alone = difference(*(scored(one) for one in values), key_of("score"))
    exact = float((values[1] - values[0]).double().std()) / math.sqrt(500)
    assert (paired.shares, alone.shares) == (("images",), ())
    assert paired.se == pytest.approx(exact, rel=1e-2)
    assert paired.freedom == 499
    assert paired.se is not None
    assert alone.se is not None
    assert paired.se < 0.4 * alone.se


def test_a_paired_difference_of_means_is_the_paired_t_test() -> None:
    scipy_stats = pytest.importorskip("scipy.stats")
    generator = random(2)
    common = torch.randn(12, generator=generator)
    one, other = (common + torch.randn(12, generator=generator) for _ in range(2))
    found = difference(scored(one, names=numbered(12)), scored(other, names=numbered(12)), key_of("score"))
    assert found.p == pytest.approx(scipy_stats.ttest_rel(one.double(), other.double()).pvalue, rel=1e-2)


def test_names_of_other_images_or_another_order_are_not_paired() -> None:
    values = torch.randn(50, generator=random(3))
    for names in (numbered(50)[::-1], [f"x{name}" for name in numbered(50)], numbered(49), []):
        assert difference(scored(values, names=numbered(50)), scored(values, names=names), key_of("score")).shares == ()


def test_groups_are_paired_as_groups_and_count_as_such() -> None:
    generator = random(4)
    clusters = torch.arange(200) // 4
    prompt = torch.randn(50, generator=generator)[clusters]
    values = [prompt + 0.1 * torch.randn(200, generator=generator) for _ in range(2)]
    paired = difference(*(scored(one, clusters=clusters, names=numbered(200)) for one in values), key_of("score"))
    alone = difference(*(scored(one, clusters=clusters) for one in values), key_of("score"))
    per_prompt = (values[1] - values[0]).double().view(50, 4).mean(1)
    assert paired.se == pytest.approx(float(per_prompt.std()) / math.sqrt(50), rel=2e-2)
    assert paired.freedom == alone.freedom == 49
    assert paired.se is not None
    assert alone.se is not None
    assert paired.se < 0.2 * alone.se


def test_only_the_very_same_reference_is_shared() -> None:
    real, a, b = three_sets()
    one, other = measured(real, a), measured(real, b)
    assert difference(one, other, key_of("fd")).shares == ("reference",)
    assert difference(one, other, key_of("precision")).shares == ()  # its error holds the reference fixed
    assert difference(one.with_influence({}), other, key_of("fd")).shares == ()


def contradicting(one: Result, **changes: NDArray[np.float64]) -> Result:
    """With other influence on the Fréchet distance."""
    known = one.influence[key_of("fd")]
    return one.with_influence({**one.influence, key_of("fd"): replace(known, **changes)}, one.image_names)


def test_influence_that_contradicts_its_error_bar_hides_no_difference() -> None:
    real, a, b = three_sets()
    one, other, bare = (measured(real, x, names=numbered(400)) for x in (a, b, a))
    alone = difference(bare.with_influence({}), other, key_of("fd"))
    assert (alone.p, alone.reason) == (pytest.approx(0, abs=1e-3), None)
    wild = np.where(np.arange(400) % 2, 1e5, -1e5)
    for lying in ({"fake": wild}, {"real": wild}, {"fake": wild[:399]}, {"fake": 1e90 * wild}):
        found = difference(one, contradicting(measured(real, b, names=numbered(400)), **lying), key_of("fd"))
        assert (found.se, found.p, found.shares) == (alone.se, alone.p, ())
        assert "contradict" in (found.reason or "")


def test_influence_of_honest_values_does_not() -> None:
    real, a, b = three_sets()
    for fake in (a, b, real, a[:12], a[:12] * 0):
        one = measured(real, fake)
        assert all(difference(one, one, key).reason is None for key in one.by_protocol)


def test_one_independent_group_has_no_error_bar() -> None:
    values = torch.randn(20, generator=random(6))
    known = Influence(fake=(values - values.mean()).double(), groups=torch.zeros(20, dtype=torch.int64))
    one = scored(values)
    found = difference(one.with_influence({key_of("score"): known}), one, key_of("score"))
    assert (found.se, found.p, found.interval()) == (None, None, None)
    assert "one independent group" in (found.reason or "")


def test_a_subsample_of_a_large_reference_counts_with_all_its_images() -> None:
    """The reference keeps 400 features of 4,000 images: its part of the error, and of the covariance, is a tenth."""
    real, a, b = three_sets()
    gaussian_of_all = replace(FeatureSet(features=real).gaussian, n=4000)
    found = [fid.compute(real=FeatureSet(features=real, moments=gaussian_of_all), fake=FeatureSet(features=x)) for x in (a, b)]
    shared = difference(result_of(found[0]), result_of(found[1]), key_of("fd"))
    pulls = [one["fd"].influence for one in found]
    assert all(pull is not None and pull.real is not None for pull in pulls)
    real_part = float((pulls[1].real - pulls[0].real).var()) / 4000  # type: ignore[union-attr,operator]
    fake_part = sum(float(pull.fake.var()) / 400 for pull in pulls)  # type: ignore[union-attr,arg-type]
    assert shared.se == pytest.approx(math.sqrt(real_part + fake_part), rel=1e-3)


def test_shares_at_the_edge_have_an_error() -> None:
    """Of 500 images 0 and 3 are wrong: no error by the binomial formula on one side, and no reason to claim anything."""

    def accuracy(right: int) -> Result:
        share, answers = right / 500, (torch.arange(500) < right).double()
        se = math.sqrt(share * (1 - share) / 500)
        influence = Influence(fake=answers - share)
        interval = wilson_interval(share, 500)
        estimate = Estimate(value=share, se=se, ci=interval, method="binomial", n=500, better="higher", influence=influence)
        return result_of({"accuracy": estimate}, reference=None)

    perfect = accuracy(500)
    few, none = (difference(perfect, other, key_of("accuracy")) for other in (accuracy(497), perfect))
    assert few.p is not None
    assert 0.08 < few.p < 0.3  # Fisher's exact test says 0.25
    assert none.se is not None
    assert none.se > 0.001


def test_values_on_either_side_of_zero_take_the_larger_error() -> None:
    def gap(value: float, pull: Tensor) -> Result:
        se = float(pull.std()) / 10
        fields = {"ci": normal_interval(value, se), "n": 100, "better": "zero", "method": "influence"}
        made = Estimate(value=value, se=se, influence=Influence(fake=pull), **fields)  # type: ignore[arg-type]
        return result_of({"gap": made}, names=numbered(100), reference=None)

    pull = torch.randn(100, generator=random(5)).double()
    pull -= pull.mean()
    same, opposite = (difference(gap(0.5, pull), gap(value, pull), key_of("gap")) for value in (0.6, -0.6))
    assert same.worsening == pytest.approx(0.1)
    assert opposite.worsening == pytest.approx(0.1)
    assert opposite.value == pytest.approx(-1.1)
    assert same.se is not None
    assert opposite.se is not None
    assert opposite.se > 50 * same.se


def test_without_an_error_bar_there_is_a_difference_and_a_reason() -> None:
    bare = Estimate(value=2.0, n=10, better="lower", reason="moments only")
    found = difference(*(result_of({"fd": bare}),) * 2, key_of("fd"))
    assert (found.value, found.p, found.interval(), found.worst(0.05), found.p_worse()) == (0.0, None, None, None, None)
    assert found.reason is not None
    assert "moments only" in found.reason


@pytest.mark.parametrize("freedom", [3, 30, math.inf])
def test_quantiles_and_tails_are_scipys(freedom: float) -> None:
    scipy_stats = pytest.importorskip("scipy.stats")
    for level in (0.6, 0.975, 0.999):
        assert student_quantile(level, freedom) == pytest.approx(scipy_stats.t.ppf(level, freedom), rel=1e-6)
        assert student_tail(student_quantile(level, freedom), freedom) == pytest.approx(1 - level, rel=1e-6)


def test_the_ends_of_one_sided_intervals_agree_with_the_tests() -> None:
    real, a, b = three_sets()
    found = difference(measured(real, a), measured(real, b), key_of("fd"))
    worst = found.worst(0.05)
    assert worst is not None
    below = found.worst(0.95)  # the lower end
    assert below is not None
    assert found.p_worse(below) == pytest.approx(0.05)
    assert found.p_worse(worst) == pytest.approx(0.95)


# -- simulation ------------------------------------------------------------------------------------------------------------


def fd(real: Tensor, fake: Tensor) -> Estimate:
    return fid.compute(real=FeatureSet(features=real), fake=FeatureSet(features=fake))["fd"]


def kd(real: Tensor, fake: Tensor) -> Estimate:
    return kid.compute(real=real, fake=fake)["kd"]


@pytest.mark.parametrize(("name", "compute"), [("fd", fd), ("kd", kd)])
@pytest.mark.parametrize("paired", [False, True])
def test_intervals_cover_what_new_references_and_new_images_give(
    name: str, compute: Callable[[Tensor, Tensor], Estimate], paired: bool
) -> None:
    """120 times a new reference and two new sets, as in benchmarks/interval_studies/differences.py."""
    values, errors, naive = [], [], []
    for seed in range(120):
        generator = random(seed)
        real, one, noise = gaussian(500, generator), gaussian(500, generator), gaussian(500, generator)
        other = (one + noise) / math.sqrt(2) if paired else noise
        sets = (0.3 + 1.2 * one, 0.35 + 1.25 * other)
        results = [result_of({name: compute(real, fake)}, names=numbered(500) if paired else ()) for fake in sets]
        found = difference(*results, key_of(name))
        assert found.shares == (("reference", "images") if paired else ("reference",))
        values.append(found.value)
        errors.append(found.se)
        naive.append(math.hypot(found.base.se or 0, found.current.se or 0))
    covered = np.mean(np.abs(np.array(values) - np.mean(values)) < 1.96 * np.array(errors, dtype=float))
    assert 0.9 <= covered <= 0.99  # 95 % within two and a half standard errors of 120 draws
    assert np.mean(np.array(errors, dtype=float)) == pytest.approx(np.std(values), rel=0.15)
    assert np.mean(np.array(errors, dtype=float)) < 0.9 * np.mean(naive)


# -- comparability ---------------------------------------------------------------------------------------------------------


def estimate(**changes: object) -> Estimate:
    fields = {"value": 1.0, "se": 0.1, "ci": (0.8, 1.2), "method": "influence", "n": 500, "n_real": 500, "better": "lower"}
    return Estimate(**{**fields, **changes})  # type: ignore[arg-type]


OTHER_IMAGES = {"name": "digits/train", "kind": "set", "digest": "sha256:" + "2" * 64, "n": 500, "made": "images"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"extractor": {"extractor": "dinov2"}}, "fd@tiny differs in extractor: tiny and dinov2"),
        ({"extractor": {"version": 2}}, "version: 1 and 2"),
        ({"extractor": {"weights_sha256": "b" * 64}}, "weights_sha256: aaaaaaaaaaaa and bbbbbbbbbbbb"),
        ({"extractor": {"preprocess": "bicubic"}}, "preprocess: as_is and bicubic"),
        ({"extractor": {"precision": "bf16"}}, "precision: fp32 and bf16"),
        ({"reference": OTHER_IMAGES}, "reference: digits/train (111111111111) and digits/train (222222222222)"),
        ({"held_out": OTHER_IMAGES}, "held_out: none and digits/train (222222222222)"),
        ({"paired": {"name": "originals", "kind": "folder"}}, "paired: none and originals"),
        ({"comparable": False, "notes": ["480 images, but fd needs 500"]}, "comparable: 480 images, but fd needs 500"),
    ],
)
def test_errors_name_the_field(changes: dict[str, object], said: str) -> None:
    one, other = result_of({"fd": estimate()}), result_of({"fd": estimate()}, **changes)
    with pytest.raises(IncomparableError) as caught:
        difference(one, other, key_of("fd"))
    assert said in caught.value.message


@pytest.mark.parametrize(
    ("counts", "said"),
    [({"n": 1000}, "n: 500 and 1,000 images"), ({"n_real": 5000}, "n_real: 500 and 5,000 reference images")],
)
def test_biased_values_need_equal_counts(counts: dict[str, int], said: str) -> None:
    one, other = result_of({"fd": estimate()}), result_of({"fd": estimate(**counts)})
    with pytest.raises(IncomparableError) as caught:
        difference(one, other, key_of("fd"))
    assert said in caught.value.message


def test_unbiased_values_do_not() -> None:
    for changes in ({"method": "u-statistic"}, {"method": "mean", "n_real": None}):
        difference(result_of({"x": estimate(**changes)}), result_of({"x": estimate(**changes, n=900)}), key_of("x"))
    biased = {"method": "u-statistic", "bias_corrected": 0.9}  # as CMMD, whose V-statistic is too large by about 1 / n
    with pytest.raises(IncomparableError):
        difference(result_of({"x": estimate(**biased)}), result_of({"x": estimate(**biased, n=900)}), key_of("x"))


def test_another_reference_is_said_before_its_number_of_images() -> None:
    one, other = result_of({"fd": estimate()}), result_of({"fd": estimate(n_real=700)}, reference={**OTHER_IMAGES, "n": 700})
    with pytest.raises(IncomparableError, match="fd@tiny differs in reference: "):
        difference(one, other, key_of("fd"))


def test_a_network_on_one_side_only_differs() -> None:
    one, other = result_of({"fid": estimate()}), result_of({"fid": estimate()})
    pixels = other.metrics[0].model_copy(update={"protocol": "fid/1", "extractor": None})
    network = one.metrics[0].model_copy(update={"protocol": "fid/1"})
    two = [result.model_copy(update={"metrics": [m]}) for result, m in ((one, network), (other, pixels))]
    for sides in (two, two[::-1]):
        with pytest.raises(IncomparableError, match="differs in extractor: "):
            difference(*sides, "fid/1 fid")


def test_a_statistics_file_is_known_by_its_own_hash() -> None:
    file = {"name": "stats.npz", "kind": "statistics", "made": "statistics", "sha256": "c" * 64}
    one = result_of({"fd": estimate(n_real=None)}, reference=file)
    difference(one, result_of({"fd": estimate(n_real=None)}, reference=file), key_of("fd"))
    with pytest.raises(IncomparableError, match="reference"):
        difference(one, result_of({"fd": estimate(n_real=None)}, reference={**file, "sha256": "d" * 64}), key_of("fd"))
    nameless = {"name": "stats.npz", "kind": "statistics", "made": "statistics"}
    with pytest.raises(IncomparableError, match="reference"):  # nobody knows whether they are one
        difference(*(result_of({"fd": estimate(n_real=None)}, reference=nameless),) * 2, key_of("fd"))
