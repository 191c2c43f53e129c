"""R-precision: against drawing and chance, under planted wrong captions, and its error against leaving prompts out."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
import torch
from torch import Tensor

from genbench import seeding
from genbench.errors import DataError
from genbench.estimate import Estimate, clustered_share_interval, wilson_interval
from genbench.metrics import clip_r_precision

DIM = 24


def embed(texts: list[str]) -> Tensor:
    return torch.tensor(np.stack([seeding.generator(0, text).normal(size=DIM) for text in texts]), dtype=torch.float32)


def prompts(n: int) -> list[str]:
    return [f"thing {i}" for i in range(n)]


def pictures(captions: list[str], noise: float, seed: int = 0) -> Tensor:
    return embed(captions) + noise * torch.randn(len(captions), DIM, generator=torch.Generator().manual_seed(seed))


def measure(images: Tensor, captions: list[str], others: int = 99) -> Estimate:
    return clip_r_precision.compute(images=images, captions=captions, embed=embed, others=others)["clip_r_precision"]


def similarities(images: Tensor, captions: list[str]) -> np.ndarray:
    x, y = images.double().numpy(), embed(captions).double().numpy()
    return (x / np.linalg.norm(x, axis=1, keepdims=True)) @ (y / np.linalg.norm(y, axis=1, keepdims=True)).T


def test_a_perfect_set_and_one_of_chance() -> None:
    captions = prompts(300)
    perfect = measure(embed(captions), captions)
    assert float(perfect) == 1
    assert perfect.ci == wilson_interval(1.0, 300)
    noise = torch.randn(3000, DIM, generator=torch.Generator().manual_seed(1))
    estimate = measure(noise, captions * 10)
    assert float(estimate) == pytest.approx(0.01, abs=0.005)
    assert estimate.details == {"captions": 300.0, "others": 99.0}


def test_is_the_mean_over_draws_of_other_captions() -> None:
    captions = prompts(150)
    images = pictures(captions, 2.0)
    table, random = similarities(images, captions), np.random.default_rng(0)
    found = []
    for _ in range(60):
        for i in range(150):
            drawn = random.permutation(np.delete(np.arange(150), i))[:99]
            found.append(table[i, i] > table[i, drawn].max())
    value = float(measure(images, captions))
    assert 0.1 < value < 0.9
    assert value == pytest.approx(np.mean(found), abs=4 * (0.25 / len(found)) ** 0.5)


def test_is_the_share_of_combinations() -> None:
    captions = prompts(30)
    images = pictures(captions, 2.0)
    table = similarities(images, captions)
    nearer = (table >= np.diag(table)[:, None]).sum(1) - 1
    expected = np.mean([comb(29 - int(k), 9) / comb(29, 9) for k in nearer])
    assert float(measure(images, captions, others=9)) == pytest.approx(expected, rel=1e-12)


def test_fewer_captions_than_asked_are_all_taken() -> None:
    captions = prompts(40)
    images = pictures(captions, 1.5)
    estimate = measure(images, captions)
    assert float(estimate) == np.mean(similarities(images, captions).argmax(1) == np.arange(40))
    assert estimate.details == {"captions": 40.0, "others": 39.0}


def test_wrong_captions_lower_it_linearly() -> None:
    captions = prompts(200)
    other = captions[1:] + captions[:1]
    images = pictures(captions, 0.3)
    values = [float(measure(images, other[:dose] + captions[dose:])) for dose in (0, 50, 100, 150)]
    assert values == pytest.approx([1, 0.75, 0.5, 0.25], abs=0.03)
    by_noise = [float(measure(pictures(captions, noise), captions)) for noise in (0.0, 1.0, 2.0, 4.0)]
    assert by_noise == sorted(by_noise, reverse=True)


@pytest.mark.parametrize("block", [1, 64, 1 << 22])
def test_order_and_blocks_do_not_matter(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    captions = prompts(60) * 3
    images = pictures(captions, 2.0)
    first = measure(images, captions)
    monkeypatch.setattr(clip_r_precision, "BLOCK", block)
    order = torch.randperm(180, generator=torch.Generator().manual_seed(3))
    second = measure(5 * images[order], [captions[i] for i in order])
    assert float(second) == pytest.approx(float(first), rel=1e-10)
    assert second.se == pytest.approx(first.se, rel=1e-8)


def test_the_influence_is_the_effect_of_leaving_a_prompt_out() -> None:
    """With its pictures goes its caption, which others were mistaken for."""
    captions = [caption for caption in prompts(200) for _ in range(3)]
    images = pictures(captions, 2.0)
    whole = measure(images, captions)
    assert whole.influence is not None
    assert float(whole.influence.fake.mean()) == pytest.approx(0, abs=1e-12)
    effects, pulls = [], []
    for prompt in range(0, 200, 5):
        rest = [i for i in range(600) if i // 3 != prompt]
        without = measure(images[rest], [captions[i] for i in rest])
        effects.append((float(whole) - float(without)) * 597)
        pulls.append(float(whole.influence.fake[3 * prompt : 3 * prompt + 3].sum()))
    effects, pulls = np.array(effects), np.array(pulls)
    assert np.allclose(pulls - pulls.mean(), effects - effects.mean(), atol=0.02)


def test_a_caption_that_many_are_mistaken_for_pulls_down() -> None:
    captions = prompts(150)
    images = pictures(captions, 1.0)
    attracted = images + 2.5 * embed(captions)[7]
    assert float(measure(attracted, captions)) < float(measure(images, captions))
    influence = measure(attracted, captions).influence
    assert influence is not None
    assert int(influence.fake.argmin()) == 7


def test_what_a_network_cannot_tell_apart_is_not_found() -> None:
    same = clip_r_precision.compute(
        images=torch.ones(50, DIM), captions=prompts(50), embed=lambda texts: torch.ones(len(texts), DIM)
    )["clip_r_precision"]
    assert float(same) == 0


def test_the_interval_of_few_prompts_stays_between_0_and_1() -> None:
    captions = [caption for caption in prompts(4) for _ in range(3)]
    images = pictures(captions, 0.3)
    estimate = measure(torch.cat([images[:1], images[3:4], images[2:]]), captions)  # one picture of the first prompt is wrong
    assert 0.8 < float(estimate) < 1
    assert estimate.se is not None
    assert estimate.ci == clustered_share_interval(float(estimate), estimate.se, 4)
    assert estimate.ci[1] <= 1
    assert float(estimate) + 2 * estimate.se > 1


def test_few_captions() -> None:
    with pytest.raises(DataError, match="at least 2 different captions"):
        measure(torch.randn(5, DIM), ["one"] * 5)
    two = measure(embed(prompts(2)), prompts(2))
    assert float(two) == 1
    assert two.se is None
    assert measure(pictures(prompts(3), 1.0), prompts(3)).se is not None
