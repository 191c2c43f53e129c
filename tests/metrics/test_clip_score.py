"""CLIPScore and RefCLIPScore: the published formulas, written naively, and what must not change them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from genbench import seeding
from genbench.errors import DataError, IncomparableError, UsageError
from genbench.metrics import clip_score, ref_clip_score

DIM = 16


def embed(texts: list[str]) -> Tensor:
    """A place for every text, the same every time."""
    return torch.tensor(np.stack([seeding.generator(0, text).normal(size=DIM) for text in texts]), dtype=torch.float32)


def pictures(captions: list[str], noise: float, seed: int = 0) -> Tensor:
    """Near the captions, as far as `noise` lets them be, and of any length."""
    random = torch.Generator().manual_seed(seed)
    lengths = 0.1 + 10 * torch.rand(len(captions), 1, generator=random)
    return lengths * (embed(captions) + noise * torch.randn(len(captions), DIM, generator=random))


def prompts(n: int) -> list[str]:
    return [f"a picture of thing {i}" for i in range(n)]


def cosine(a: Tensor, b: Tensor) -> float:
    x, y = a.double().numpy(), b.double().numpy()
    return float(x @ y / np.linalg.norm(x) / np.linalg.norm(y))


def score(images: Tensor, captions: list[str], protocol: str = "raw", embed: Callable[[list[str]], Tensor] = embed) -> float:
    settings = clip_score.metric.protocols[protocol]
    return float(clip_score.compute(images=images, captions=captions, embed=embed, **settings)["clip_score"])


def test_a_picture_that_lies_where_its_caption_lies_scores_most() -> None:
    captions = prompts(50)
    images = 3 * embed(captions)
    assert score(images, captions) == pytest.approx(1, abs=1e-7)
    assert score(images, captions, "x100") == pytest.approx(100, abs=1e-5)
    prefixed = 3 * embed([f"A photo depicts {caption}" for caption in captions])
    assert score(prefixed, captions, "hessel") == pytest.approx(2.5, abs=1e-6)


def test_the_protocols_are_their_formulas() -> None:
    captions = prompts(60)
    images = pictures(captions, noise=3.0)
    plain = [cosine(image, text) for image, text in zip(images, embed(captions), strict=True)]
    with_words = embed([f"A photo depicts {caption}" for caption in captions])
    hessel = [2.5 * max(cosine(image, text), 0) for image, text in zip(images, with_words, strict=True)]
    assert min(plain) < 0 < max(plain)
    assert score(images, captions) == pytest.approx(np.mean(plain), abs=1e-7)
    assert score(images, captions, "x100") == pytest.approx(100 * np.mean(plain), abs=1e-5)
    assert score(images, captions, "hessel") == pytest.approx(np.mean(hessel), abs=1e-6)
    assert next(iter(clip_score.metric.protocols)) == "hessel"


def test_torchmetrics_cuts_the_mean_at_0_and_hessel_every_pair() -> None:
    captions = prompts(40)
    images = -embed(captions)
    settings = clip_score.metric.protocols["x100"]
    estimate = clip_score.compute(images=images, captions=captions, embed=embed, **settings)["clip_score"]
    assert (float(estimate), estimate.ci) == (0, (0, 0))
    assert score(images, captions) == pytest.approx(-1, abs=1e-6)


def test_falls_as_pictures_leave_their_captions() -> None:
    captions = prompts(400)
    by_noise = [score(pictures(captions, noise), captions) for noise in (0.0, 0.3, 1.0, 3.0)]
    assert by_noise == sorted(by_noise, reverse=True)
    images, other = pictures(captions, 0.3), captions[1:] + captions[:1]
    doses = [score(images, other[:dose] + captions[dose:]) for dose in (0, 100, 200, 300, 400)]
    assert doses == sorted(doses, reverse=True)
    assert abs(doses[-1]) < 0.05
    assert doses[2] == pytest.approx((doses[0] + doses[-1]) / 2, abs=0.03)


def test_each_text_is_embedded_once_and_lengths_and_order_do_not_matter() -> None:
    seen: list[str] = []

    def counting(texts: list[str]) -> Tensor:
        seen.extend(texts)
        return embed(texts)

    captions = prompts(10) * 5
    images = pictures(captions, 1.0)
    value = score(images, captions, embed=counting)
    assert sorted(seen) == sorted(prompts(10))
    order = torch.randperm(50, generator=torch.Generator().manual_seed(1))
    assert score(7 * images[order], [captions[i] for i in order]) == pytest.approx(value, rel=1e-6)


def test_pictures_of_one_prompt_are_one_group() -> None:
    captions = [caption for caption in prompts(40) for _ in range(5)]
    images = pictures(prompts(40), 1.0).repeat_interleave(5, 0)
    once = clip_score.compute(images=images[::5], captions=captions[::5], embed=embed)["clip_score"]
    fivefold = clip_score.compute(images=images, captions=captions, embed=embed)["clip_score"]
    assert fivefold.method == "clusters"
    assert fivefold.se == pytest.approx(once.se, rel=1e-9)  # five copies tell nothing new
    alone = clip_score.compute(images=images[:5], captions=captions[:5], embed=embed)["clip_score"]
    assert alone.se is None
    assert alone.value is not None


def test_blank_pictures_match_nothing() -> None:
    captions = prompts(20)
    assert score(torch.zeros(20, DIM), captions) == 0


def test_the_reference_formula() -> None:
    captions = prompts(30)
    references = [
        [f"{caption}, seen {way}" for way in ("far", "near", "close")[: 1 + i % 3]] for i, caption in enumerate(captions)
    ]
    images, words = pictures(captions, 3.0), "A photo depicts "
    expected = []
    for image, caption, some in zip(images, captions, references, strict=True):
        text = embed([words + caption])[0]
        to_image = 2.5 * max(cosine(image, text), 0)
        to_text = max(*(cosine(text, embed([words + one])[0]) for one in some), 0)
        expected.append(2 * to_image * to_text / (to_image + to_text) if to_image + to_text else 0.0)
    got = ref_clip_score.compute(images=images, captions=captions, references=references, embed=embed)["ref_clip_score"]
    assert float(got) == pytest.approx(np.mean(expected), abs=1e-6)
    assert float(got) > 0


def test_a_caption_that_is_its_own_reference() -> None:
    captions = prompts(30)
    images = embed([f"A photo depicts {caption}" for caption in captions])
    references = [[caption, "something else"] for caption in captions]
    got = ref_clip_score.compute(images=images, captions=captions, references=references, embed=embed)["ref_clip_score"]
    assert float(got) == pytest.approx(2 * 2.5 / 3.5, abs=1e-6)


def test_missing_references_are_named() -> None:
    captions = prompts(3)
    images = embed(captions)
    with pytest.raises(DataError, match="none are given") as caught:
        ref_clip_score.compute(images=images, captions=captions, embed=embed)
    assert "references" in caught.value.hint
    with pytest.raises(DataError, match="2 of 3 captions have no reference; the first is 'a picture of thing 1'"):
        ref_clip_score.compute(images=images, captions=captions, references=[["x"], [], []], embed=embed)
    with pytest.raises(UsageError, match="3 captions and references for 1"):
        ref_clip_score.compute(images=images, captions=captions, references=[["x"]], embed=embed)


def test_refusals() -> None:
    captions = prompts(5)
    images = embed(captions)
    with pytest.raises(UsageError, match="5 pictures and 4 captions"):
        score(images, captions[:4])
    with pytest.raises(IncomparableError, match=r"16 features each, and 5 texts have \(5, 8\)"):
        score(images, captions, embed=lambda texts: embed(texts)[:, :8])
    with pytest.raises(DataError, match="1 texts have features that are not finite; the first is 'a picture of thing 2'"):
        score(images, captions, embed=lambda texts: embed(texts).index_fill(0, torch.tensor(2), float("nan")))
    with pytest.raises(DataError, match="1 of 5 fake images have features that are not finite"):
        score(images.index_fill(0, torch.tensor(1), float("inf")), captions)
