"""What a network is told of time."""

from __future__ import annotations

import math

import pytest
import torch

from genbench.nn.time_embedding import TimeEmbedding


def waves(embedding: TimeEmbedding, t: list[float]) -> torch.Tensor:
    embedding.layers = torch.nn.Identity()  # type: ignore[assignment]
    return embedding(torch.tensor(t))


def test_waves_are_those_of_the_transformer() -> None:
    seen = waves(TimeEmbedding(8), [700.0])[0]
    frequencies = [1.0, 10 ** (-4 / 3), 10 ** (-8 / 3), 1e-4]
    expected = [math.sin(700 * f) for f in frequencies] + [math.cos(700 * f) for f in frequencies]
    assert seen.tolist() == pytest.approx(expected, abs=1e-4)


def test_every_step_of_a_thousand_is_told_from_every_other() -> None:
    seen = waves(TimeEmbedding(32), list(range(1, 1001)))
    apart = torch.cdist(seen, seen) + 10 * torch.eye(1000)
    assert apart.min() > 0.1


def test_whole_numbers_and_fractions_are_welcome() -> None:
    embedding = TimeEmbedding(16)
    torch.testing.assert_close(embedding(torch.tensor([3])), embedding(torch.tensor([3.0])))
    assert embedding(torch.tensor([0.5, 1.5])).shape == (2, 16)
