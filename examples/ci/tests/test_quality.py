"""The generator must not get worse."""

from __future__ import annotations

import pytest
from generator import sample


@pytest.mark.genbench(max_increase={"fd": 0.3}, max_decrease={"precision": 0.05, "recall": 0.05})
def test_samples_are_no_worse_than_before(genbench):
    genbench.check(sample(500, seed=0), ref="digits/train", metrics="fd,precision,recall", extractor="tiny")


def test_samples_look_like_digits(genbench):
    """A limit that holds whatever the baseline says, with room for chance."""
    result = genbench.evaluate(sample(500, seed=1), ref="digits/train", metrics="fd", extractor="tiny")
    assert result["fd"].ci[1] < 2
