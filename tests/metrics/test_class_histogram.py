"""Class histogram: known divergences, missing classes, and the error of the shares."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.special import rel_entr
from torch import Tensor

from genbench.metrics.class_histogram import compute


def logits(*counts: int) -> Tensor:
    """Answers with so many images of each class, in mixed order."""
    classes = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    classes = classes[torch.randperm(len(classes), generator=torch.Generator().manual_seed(0))]
    return 3 * torch.nn.functional.one_hot(classes, len(counts)).float() - 1


def test_equal_counts_are_at_zero() -> None:
    got = compute(real=logits(30, 20, 50), fake=logits(30, 20, 50))
    assert float(got["class_kl"]) == 0
    assert got["class_kl"].se == pytest.approx(0, abs=0.005)  # leaving an image out changes the shares by second order
    assert float(got["classes_found"]) == 3


def test_equals_the_divergence_of_the_shares() -> None:
    """Half a real image is added to the class that only generated images have: not to the last one."""
    real, fake = logits(400, 100, 300, 0, 0), logits(50, 350, 0, 20, 0)
    p, q = torch.tensor([400, 100, 300, 0.5]) / 800.5, torch.tensor([50, 350, 0, 20]) / 420
    got = compute(real=real, fake=fake)
    assert float(got["class_kl"]) == pytest.approx(rel_entr(q.numpy(), p.numpy()).sum(), rel=1e-6)
    assert got["class_kl"].details == {"unknown": 20 / 420}
    assert float(got["classes_found"]) == 2
    assert got["classes_found"].details == {"classes_real": 3}
    assert got["classes_found"].reason is not None


def test_one_class_of_a_thousand_is_at_log_of_a_thousand_with_few_images() -> None:
    real = logits(*[10] * 1000)
    got = compute(real=real, fake=logits(100, *[0] * 999))["class_kl"]
    assert float(got) == pytest.approx(math.log(1000), rel=1e-9)
    half = compute(real=real, fake=logits(*[20, 0] * 500))["class_kl"]
    assert float(half) == pytest.approx(math.log(2), rel=1e-9)


def test_no_value_where_images_are_alone_in_their_classes() -> None:
    """A hundred images of a thousand classes tell neither equal shares from others, nor all classes from half of them."""
    many = torch.arange(1000).repeat(10)
    for known in (1000, 500):
        drawn = torch.randint(known, (100,), generator=torch.Generator().manual_seed(0))
        few = torch.eye(1000)[drawn]
        for real, fake, side in ((torch.eye(1000)[many], few, "generated"), (few, torch.eye(1000)[many], "real")):
            got = compute(real=real, fake=fake)
            assert got["class_kl"].value is None
            assert f"of 100 {side} images are alone in their class" in (got["class_kl"].reason or "")
            assert float(got["classes_found"]) <= 100


@pytest.mark.parametrize("lost", [False, True])
def test_the_jackknife_takes_the_bias_of_finite_counts_away(lost: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    answers, shares = torch.eye(50), torch.ones(50)
    kept = shares.clone()
    kept[: 25 * lost] = 0
    corrected, plain = [], []
    for _ in range(60):
        real, fake = (answers[torch.multinomial(some, 500, True, generator=generator)] for some in (shares, kept))
        estimate = compute(real=real, fake=fake)["class_kl"]
        assert estimate.bias_corrected is not None
        corrected.append(estimate.bias_corrected)
        plain.append(float(estimate))
    truth = math.log(2) if lost else 0.0
    assert sum(plain) / 60 - truth > 0.05
    assert sum(corrected) / 60 == pytest.approx(truth, abs=0.015)


def test_many_images_of_k_of_ten_classes_are_at_log_of_ten_over_k() -> None:
    """A generator that knows k of ten classes, evenly; the number falls by one per mode, and the divergence grows."""
    real, values = logits(*[3000] * 10), []
    for kept in (10, 8, 5, 2, 1):
        got = compute(real=real, fake=logits(*[3000] * kept, *[0] * (10 - kept)))
        assert float(got["classes_found"]) == kept
        assert float(got["class_kl"]) == pytest.approx(math.log(10 / kept), abs=1e-9)
        values.append(float(got["class_kl"]))
    assert values == sorted(values)


def test_grows_with_imbalance() -> None:
    real = logits(*[100] * 5)
    values = [
        float(compute(real=real, fake=logits(*[100 - taken] * 4, 100 + 4 * taken))["class_kl"]) for taken in (0, 20, 50, 80, 99)
    ]
    assert values == sorted(values)


def test_variety_inside_a_class_does_not_count() -> None:
    """What it is documented to be blind to: every image the same one of its class."""
    real = logits(40, 60)
    fake = real + torch.randn(100, 2, generator=torch.Generator().manual_seed(1)).clamp(-1, 1)
    assert float(compute(real=real, fake=fake)["class_kl"]) == 0


def test_influence_is_the_effect_of_leaving_an_image_out() -> None:
    real, fake = logits(400, 100, 300), logits(90, 350, 40)
    estimate = compute(real=real, fake=fake)["class_kl"]
    assert estimate.influence is not None
    assert estimate.influence.real is not None
    for side, rows in (("real", real), ("fake", fake)):
        for i in range(0, len(rows), 97):
            rest = {"real": real, "fake": fake, side: rows[torch.arange(len(rows)) != i]}
            effect = (float(estimate) - float(compute(**rest)["class_kl"])) * (len(rows) - 1)
            assert float(getattr(estimate.influence, side)[i]) == pytest.approx(effect, rel=0.01, abs=0.01)


def test_error_matches_repeated_draws() -> None:
    generator = torch.Generator().manual_seed(0)
    answers = torch.eye(4)
    p, q = torch.tensor([0.4, 0.3, 0.2, 0.1]), torch.tensor([0.1, 0.2, 0.2, 0.5])

    def draw() -> tuple[float, float]:
        real, fake = (answers[torch.multinomial(share, 400, True, generator=generator)] for share in (p, q))
        estimate = compute(real=real, fake=fake)["class_kl"]
        assert estimate.se is not None
        return float(estimate), estimate.se

    values, errors = torch.tensor([draw() for _ in range(300)]).T
    assert float(errors.mean()) == pytest.approx(float(values.std()), rel=0.15)
