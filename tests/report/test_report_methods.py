"""How a number was made, and how to make it again, are on the page."""

from __future__ import annotations

import re
from typing import Any

import pytest

from genbench import catalog
from genbench.report import methods


def test_the_methods_name_every_metric_reference_and_source(measured: Any) -> None:
    found = methods.methods(measured.result)
    for word in (
        "599 images (digits/test)",
        "1,198",
        "digits/train",
        "fd@tiny/1",
        "prdc@tiny:k5/1",
        "tiny (weights",
        "influence",
        "jackknife",
    ):
        assert word in found.paragraph
    addresses = {source.address for source in found.sources}
    assert "https://arxiv.org/abs/1706.08500" in addresses
    keys = re.findall(r"@misc\{(\w+),", found.bibtex)
    assert len(keys) == len(set(keys)) == len(found.sources)
    assert "kynkaanniemi2019" in keys


@pytest.mark.parametrize("name", catalog.names("metrics"))
def test_every_source_of_the_catalogue_can_be_cited(name: str) -> None:
    entry = catalog.find("metrics", name)
    parts = [methods._cited(part.strip(), [name]) for part in entry.source.split(";")]
    assert all(part.text or part.address for part in parts)
    assert all(not part.address or part.address.startswith("https://") for part in parts)


def test_the_command_and_every_digest_are_on_the_page(measured: Any, whole_page: Any) -> None:
    text, left_out = whole_page
    assert "genbench evaluate digits/test --ref digits/train --extractor tiny" in text
    assert measured.result.subject.digest in text  # type: ignore[operator]
    assert measured.result.reference.digest in text  # type: ignore[union-attr, operator]
    assert measured.result.metrics[0].extractor.weights_sha256 in text  # type: ignore[union-attr]
    assert all(str(metric) in text for metric in measured.result.metrics)
    assert "drawn by seed 0 and not picked" in text
    assert left_out == {}


def test_the_same_result_and_seed_give_the_same_page(measured: Any, whole_page: Any, page_of: Any) -> None:
    pages = [re.sub(r"nonce[-=]\"?[\w-]+", "", text) for text in (whole_page[0], page_of(measured.folder)[0])]
    assert pages[0] == pages[1]
