"""The perceptron's shapes, and that activations stand between the layers and nowhere else."""

from __future__ import annotations

import torch
from torch import nn

from genbench.nn.mlp import MLP


def test_layers_widths_and_activations() -> None:
    network = MLP(3, (5, 7), 2, activation=nn.ReLU)
    assert [type(layer) for layer in network] == [nn.Linear, nn.ReLU, nn.Linear, nn.ReLU, nn.Linear]
    assert [(layer.in_features, layer.out_features) for layer in network if isinstance(layer, nn.Linear)] == [
        (3, 5),
        (5, 7),
        (7, 2),
    ]
    assert network(torch.zeros(4, 6, 3)).shape == (4, 6, 2)


def test_without_hidden_layers_it_is_affine() -> None:
    network = MLP(4, (), 3)
    x, y = torch.randn(2, 8, 4).unbind(0)
    torch.testing.assert_close(network(0.3 * x + 0.7 * y), 0.3 * network(x) + 0.7 * network(y))


def test_with_hidden_layers_it_is_not() -> None:
    network = MLP(4, (16,), 3)
    x, y = torch.randn(2, 8, 4).unbind(0)
    assert not torch.allclose(network(0.3 * x + 0.7 * y), 0.3 * network(x) + 0.7 * network(y), atol=1e-4)
