"""Estimates refuse what is no number, and print the digits that their error supports."""

from __future__ import annotations

import math

import pytest

from genbench.estimate import Estimate, clustered_share_interval, format_value, normal_interval, wilson_interval


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_not_finite_is_refused_everywhere(bad: float) -> None:
    for numbers in ({"value": bad}, {"se": bad}, {"ci": (0.0, bad)}, {"bias_corrected": bad}, {"details": {"spread": bad}}):
        with pytest.raises(ValueError, match="finite"):
            Estimate(**{"value": 1.0, "se": 1.0, "n": 3, "better": "lower"} | numbers)


def test_missing_numbers_need_a_reason() -> None:
    with pytest.raises(ValueError, match="reason"):
        Estimate(value=1.0, n=3, better="lower")
    without_value = Estimate(value=None, n=3, better="lower", reason="too few images")
    with pytest.raises(ValueError, match="too few images"):
        float(without_value)
    assert str(without_value) == "–"


@pytest.mark.parametrize(
    ("value", "se", "text"),
    [
        (3.14159, 0.0234, "3.142 ± 0.023"),
        (3.14159, 2.0, "3.1 ± 2.0"),
        (1234.5, 123.0, "1234 ± 123"),
        (-2.9e-05, 1.0e-4, "-0.00003 ± 0.00010"),
        (1.0, 0.0, "1"),
        (0.5, None, "0.5"),
    ],
)
def test_digits_follow_the_error(value: float, se: float | None, text: str) -> None:
    assert format_value(value, se) == text


def test_normal_interval() -> None:
    low, high = normal_interval(10.0, 1.0)
    assert (low, high) == pytest.approx((10 - 1.959964, 10 + 1.959964), abs=1e-6)


def test_interval_of_a_share_from_groups() -> None:
    """With many groups it is Wilson's; with few it is wider, and it never leaves [0, 1]."""
    se = (0.3 * 0.7 / 200) ** 0.5
    assert clustered_share_interval(0.3, se, 10**6) == pytest.approx(wilson_interval(0.3, 200), abs=1e-6)
    widths = [high - low for low, high in (clustered_share_interval(0.3, se, groups) for groups in (3, 5, 20, 1000))]
    assert widths == sorted(widths, reverse=True)
    assert clustered_share_interval(0.95, 0.3, 3)[1] <= 1
    assert clustered_share_interval(1.0, 0.0, 4) == wilson_interval(1.0, 4)


def test_wilson_interval() -> None:
    # Newcombe 1998, Statistics in Medicine 17, table I, method 3: 81 of 263, and 15 of 148.
    assert wilson_interval(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(15 / 148, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson_interval(0.0, 20)[0] == 0
    assert wilson_interval(0.0, 20)[1] == pytest.approx(0.1611, abs=5e-5)
    assert wilson_interval(1.0, 20)[1] == 1
