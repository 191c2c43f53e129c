"""A packed convolution is the same convolution, whatever happens to it between two images."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from genbench.nn import packed_conv
from genbench.nn.packed_conv import PackedConv2d


def pair(dtype: torch.dtype = torch.float32) -> tuple[nn.Conv2d, PackedConv2d, Tensor]:
    torch.manual_seed(0)
    conv = nn.Conv2d(16, 32, (3, 1), stride=2, padding=(1, 0)).to(dtype)
    return conv, PackedConv2d(copy.deepcopy(conv)), torch.randn(4, 16, 9, 9).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@torch.no_grad()
def test_it_is_the_same_convolution(dtype: torch.dtype) -> None:
    conv, packed, x = pair(dtype)
    for images in (x, x[:1], x.contiguous(memory_format=torch.channels_last), x[:, :, :5]):
        torch.testing.assert_close(packed(images), conv(images))


@pytest.mark.parametrize(
    "change",
    [
        copy.deepcopy,
        lambda conv: pickle.loads(pickle.dumps(conv)),
        lambda conv: conv.to(torch.float64).to(torch.float32),
        lambda conv: conv.to(memory_format=torch.channels_last),
    ],
)
@torch.no_grad()
def test_it_survives(change: Callable[[PackedConv2d], PackedConv2d]) -> None:
    conv, packed, x = pair()
    packed(x)
    torch.testing.assert_close(change(packed)(x), conv(x))


@torch.no_grad()
def test_new_weights_are_seen() -> None:
    conv, packed, x = pair()
    packed(x)
    packed.load_state_dict({name: -value for name, value in conv.state_dict().items()})
    torch.testing.assert_close(packed(x), -conv(x))


def test_gradients_flow() -> None:
    conv, packed, x = pair()
    with torch.no_grad():
        packed(x)
    packed(x).sum().backward()
    conv(x).sum().backward()
    torch.testing.assert_close(packed.weight.grad, conv.weight.grad)


@torch.no_grad()
def test_without_the_operators_it_is_an_ordinary_convolution(monkeypatch: pytest.MonkeyPatch) -> None:
    def changed(*_: object) -> Tensor:
        raise RuntimeError("unknown overload")

    monkeypatch.setattr(packed_conv, "_pack", changed)
    packed_conv._can_pack.cache_clear()
    conv, packed, x = pair()
    assert torch.equal(packed(x), conv(x))
    packed_conv._can_pack.cache_clear()
