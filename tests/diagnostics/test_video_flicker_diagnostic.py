"""Video flicker of a toy that returns real videos, some of them with their frames in random order, or frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import Tensor

from genbench import images
from genbench.batch import Condition, DataSpec
from genbench.catalog import find
from genbench.data.dataset import Dataset
from genbench.diagnostics.base import Diagnostic, Subject
from genbench.diagnostics.video_flicker import diagnostic
from genbench.estimate import Estimate
from genbench.models.base import GenerativeModel
from genbench.models.stages import Stage
from genbench.seeding import Noise


@cache
def shapes() -> Dataset:
    """Videos of shapes, the first thousand of training and 300 of test."""
    shapes_set = find("datasets", "shapes")()
    train, test = (shapes_set.examples(split, "video").select(slice(0, n)) for split, n in (("train", 1000), ("test", 300)))
    return Dataset(name="shapes", spec=shapes_set.spec("video"), train=train, validation=test, test=test)


class Replay(GenerativeModel):
    """Plays training videos: a share of them with shuffled frames, a share frozen."""

    title, paper = "Replay", "none"

    def __init__(self, spec: DataSpec, *, shuffled: float = 0.0, frozen: float = 0.0) -> None:
        super().__init__(spec)
        self.shuffled, self.frozen = shuffled, frozen

    def stages(self) -> list[Stage]:
        return []

    def sample(self, noise: Noise, condition: Condition, **knobs: float) -> Tensor:
        chance = noise.uniform(3 + self.spec.frames)
        chosen = (chance[:, 0] * len(shapes().train)).long()
        videos = images.to_float(shapes().train.images[chosen])
        order = torch.arange(self.spec.frames).expand(len(videos), -1).clone()
        shuffled, frozen = chance[:, 1] < self.shuffled, chance[:, 2] < self.frozen
        order[shuffled] = chance[shuffled, 3:].argsort(1)
        order[frozen] = 0
        return videos.gather(2, order[:, None, :, None, None].expand_as(videos))


def measure(**plan: float) -> Mapping[str, Estimate]:
    model = Replay(shapes().spec, **plan)
    return diagnostic.compute(Subject(model=model, data=shapes(), n=200))


def test_it_applies_to_models_of_videos_alone() -> None:
    found = find("diagnostics", "video_flicker")
    assert isinstance(found, Diagnostic)
    assert found.applies(Replay(shapes().spec))
    for frames in (0, 2):
        assert not found.applies(Replay(replace(shapes().spec, frames=frames)))


def test_videos_as_they_were_filmed_are_usual() -> None:
    measured = measure()
    assert set(measured) == set(diagnostic.reports)
    for name, estimate in measured.items():
        assert diagnostic.reports[name].is_usual(float(estimate))
        assert estimate.se is not None
        assert abs(float(estimate)) < 4 * estimate.se
        assert estimate.n == estimate.n_real == 200


@pytest.mark.parametrize("name", ["flicker", "temporal_frequency"])
def test_shuffled_frames_raise_it_dose_by_dose(name: str) -> None:
    doses = [measure(shuffled=share)[name] for share in (0.0, 0.3, 0.6, 1.0)]
    values = [float(dose) for dose in doses]
    assert values == sorted(values)
    assert not diagnostic.reports[name].is_usual(values[-1])
    assert values[-1] == pytest.approx(doses[-1].details["shuffled"], rel=0.15)  # the control is that very failure


def test_frozen_videos_lower_flicker_dose_by_dose() -> None:
    values = [float(measure(frozen=share)["flicker"]) for share in (0.0, 0.3, 0.6, 1.0)]
    assert values == sorted(values, reverse=True)
    assert values[-1] == -1.0
    assert not diagnostic.reports["flicker"].is_usual(values[1])


def test_the_same_seed_gives_the_same_numbers() -> None:
    for name, estimate in measure(shuffled=0.5).items():
        again = measure(shuffled=0.5)[name]
        assert (again.value, again.se, again.details) == (estimate.value, estimate.se, estimate.details)
