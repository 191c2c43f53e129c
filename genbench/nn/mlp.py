"""A multilayer perceptron: linear layers with an activation between them and none behind the last."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import nn


class MLP(nn.Sequential):
    """(..., inputs) -> (..., outputs); `hidden` holds the widths in between, and an empty one leaves a single linear layer.

    dropout: share of the hidden units that is left out in training.
    """

    def __init__(
        self,
        inputs: int,
        hidden: Sequence[int],
        outputs: int,
        *,
        activation: type[nn.Module] = nn.SiLU,
        dropout: float = 0.0,
    ) -> None:
        layers: list[nn.Module] = []
        for width, following in pairwise((inputs, *hidden)):
            layers += [nn.Linear(width, following), activation(), *([nn.Dropout(dropout)] if dropout else [])]
        super().__init__(*layers, nn.Linear((inputs, *hidden)[-1], outputs))
