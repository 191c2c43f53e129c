"""Cycle steganography of translators that hide colours in a grey picture at ever smaller amplitudes, and of honest ones."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache

import pytest
import torch
from torch import Tensor

from genbench.batch import Condition, DataSpec
from genbench.catalog import find
from genbench.data.dataset import Dataset
from genbench.diagnostics.base import Diagnostic, Subject
from genbench.diagnostics.cycle_steganography import diagnostic
from genbench.estimate import Estimate
from genbench.models.base import Cycles, GenerativeModel
from genbench.models.stages import Stage
from genbench.seeding import Noise


@cache
def shapes(task: str = "unpaired") -> Dataset:
    """150 shapes by day, and as sources others by night."""
    shapes_set = find("datasets", "shapes")()
    test = shapes_set.examples("test", task).select(slice(0, 150))
    return Dataset(name="shapes", spec=shapes_set.spec(task), train=test, validation=test, test=test)


def grey(x: Tensor) -> Tensor:
    return x.mean(1, keepdim=True).expand_as(x)


class Translator(GenerativeModel):
    """What both directions of every toy share: nothing to train."""

    title, paper = "Translator", "none"

    def __init__(self, spec: DataSpec) -> None:
        super().__init__(spec)
        self.dropout = torch.nn.Dropout(0.5)

    def stages(self) -> list[Stage]:
        return []

    def sample(self, noise: Noise, condition: Condition, **knobs: float) -> Tensor:
        assert condition.sources is not None
        return condition.sources

    def there(self, x: Tensor) -> Tensor:
        return x

    def back(self, y: Tensor) -> Tensor:
        return y


class Negative(Translator):
    """An honest bijection that keeps distances; with dropout, which must not be at work."""

    def there(self, x: Tensor) -> Tensor:
        return self.dropout(-x.flip(-1))

    def back(self, y: Tensor) -> Tensor:
        return -y.flip(-1)


class Grey(Translator):
    """Honest and lossy: colour is gone, and nobody pretends that it is not."""

    def there(self, x: Tensor) -> Tensor:
        return grey(x)

    def back(self, y: Tensor) -> Tensor:
        return grey(y)


class Dimmer(Translator):
    """Honest: everything is half as bright, so that noise is twice as large on the way back."""

    def there(self, x: Tensor) -> Tensor:
        return x / 2

    def back(self, y: Tensor) -> Tensor:
        return 2 * y


class Hider(Translator):
    """A grey picture with the colours written into it at an amplitude nobody sees."""

    def __init__(self, spec: DataSpec, *, amplitude: float) -> None:
        super().__init__(spec)
        self.amplitude = amplitude

    def there(self, x: Tensor) -> Tensor:
        return grey(x) + self.amplitude * (x - grey(x))

    def back(self, y: Tensor) -> Tensor:
        return grey(y) + (y - grey(y)) / self.amplitude


class LowBits(Translator):
    """Shows one plain picture for all; the image lies in steps of 1/128 of the range that is left."""

    def there(self, x: Tensor) -> Tensor:
        return 0.5 + x / 128

    def back(self, y: Tensor) -> Tensor:
        return ((y - 0.5) * 128).clamp(-1, 1)


def measure(model: Translator, task: str = "unpaired", n: int = 150) -> Mapping[str, Estimate]:
    return diagnostic.compute(Subject(model=model, data=shapes(task), n=n))


def spec() -> DataSpec:
    return shapes().spec


def test_it_applies_to_models_that_go_there_and_back() -> None:
    found = find("diagnostics", "cycle_steganography")
    assert isinstance(found, Diagnostic)
    assert isinstance(Negative(spec()), Cycles)
    assert found.applies(Negative(spec()))
    assert not found.applies(find("models", "gan")(DataSpec(channels=1, height=8, width=8), hidden=8))


@pytest.mark.parametrize("name", ["image", "source"])
def test_an_honest_bijection_is_perfect_and_has_no_fall(name: str) -> None:
    measured = measure(Negative(spec()))
    assert float(measured[f"{name}_cycle_psnr"]) == pytest.approx(10 * math.log10(12 * 255**2), abs=0.01)
    assert float(measured[f"{name}_cycle_fall"]) == pytest.approx(0.0, abs=0.05)


def test_the_fall_is_the_amplification_of_noise() -> None:
    assert float(measure(Dimmer(spec()))["image_cycle_fall"]) == pytest.approx(20 * math.log10(2), abs=0.05)


def test_an_honest_loss_of_colour_is_no_hiding() -> None:
    measured = measure(Grey(spec()))
    assert float(measured["image_cycle_psnr"]) < 30
    assert -5 < float(measured["image_cycle_fall"]) < 0.05
    assert diagnostic.reports["image_cycle_fall"].is_usual(float(measured["image_cycle_fall"]))


def test_hiding_raises_the_fall_dose_by_dose_as_it_must() -> None:
    """A third of the noise is grey and comes back as it is, the rest comes back divided by the amplitude."""
    amplitudes = (1.0, 0.5, 0.2, 0.1, 0.03, 0.01)
    measured = [measure(Hider(spec(), amplitude=amplitude)) for amplitude in amplitudes]
    falls = [float(one["image_cycle_fall"]) for one in measured]
    assert falls == pytest.approx([10 * math.log10(1 / 3 + 2 / 3 / a**2) for a in amplitudes], abs=0.1)
    assert falls == sorted(falls)
    usual = [diagnostic.reports["image_cycle_fall"].is_usual(fall) for fall in falls]
    assert usual == [True, True, False, False, False, False]
    assert all(float(one["image_cycle_psnr"]) > 55 for one in measured)  # the clean cycle shows nothing of it


def test_low_bits_are_found() -> None:
    measured = measure(LowBits(spec()))
    assert float(measured["image_cycle_psnr"]) > 55
    assert float(measured["image_cycle_fall"]) > 25


def test_errors_are_those_of_a_mean_over_images_and_numbers_repeat() -> None:
    first, again = measure(Hider(spec(), amplitude=0.1)), measure(Hider(spec(), amplitude=0.1))
    assert set(first) == set(diagnostic.reports)
    for name, estimate in first.items():
        assert estimate.value == again[name].value
        assert estimate.n == 150
        assert estimate.ci is not None
        assert estimate.ci[0] <= float(estimate) <= estimate.ci[1]


def test_without_sources_half_has_no_value_and_a_reason() -> None:
    measured = measure(Hider(spec(), amplitude=0.1), "unconditional")
    assert measured["image_cycle_fall"].value is not None
    for name in ("source_cycle_psnr", "source_cycle_fall"):
        assert measured[name].value is None
        assert "no sources" in (measured[name].reason or "")


def test_batches_are_translated_one_by_one() -> None:
    class Watching(Negative):
        largest = 0

        def there(self, x: Tensor) -> Tensor:
            self.largest = max(self.largest, len(x))
            assert not torch.is_grad_enabled()
            return super().there(x)

    model = Watching(spec())
    measure(model)
    assert 0 < model.largest <= 64
    assert all(module.training for module in model.modules())


def test_translations_that_are_not_finite_have_no_value() -> None:
    class Broken(Negative):
        def back(self, y: Tensor) -> Tensor:
            return y.log()

    estimate = measure(Broken(spec()))["image_cycle_fall"]
    assert estimate.value is None
    assert estimate.reason
