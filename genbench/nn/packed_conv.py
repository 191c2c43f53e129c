"""A convolution for inference on a CPU that does not rearrange its weights at every call."""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor, nn


class PackedConv2d(nn.Conv2d):
    """`nn.Conv2d` that keeps a second copy of its weights in the order in which oneDNN reads them.

    torch brings weights into that order at each call, which with few images at a time costs up to a tenth of the time.
    The copy is made when the first images come without gradients on a CPU, and anew after weights are moved or loaded;
    elsewhere, and where this torch cannot do it, this is an `nn.Conv2d`.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        """Takes over the parameters of `conv`, which must be padded with zeros."""
        super().__init__(1, 1, 1)
        vars(self).update(vars(conv))
        self._packed: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if not x.is_cpu or torch.is_grad_enabled() or not _can_pack(self.weight.dtype):
            return super().forward(x)
        if self._packed is None:
            self._packed = _pack(self, x)
        return _convolve(self, self._packed, x)

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        self._packed = None
        return super()._apply(fn, recurse)

    def _load_from_state_dict(self, *args: Any) -> None:
        self._packed = None
        super()._load_from_state_dict(*args)

    def __getstate__(self) -> dict[str, Any]:  # what oneDNN holds can be neither copied nor pickled
        return {**vars(self), "_packed": None}


def _pack(conv: nn.Conv2d, x: Tensor) -> Tensor:
    shape = (conv.padding, conv.stride, conv.dilation, conv.groups, x.shape)
    return torch.ops.mkldnn._reorder_convolution_weight(conv.weight.detach(), *shape)


def _convolve(conv: nn.Conv2d, packed: Tensor, x: Tensor) -> Tensor:
    shape = (conv.padding, conv.stride, conv.dilation, conv.groups)
    return torch.ops.mkldnn._convolution_pointwise(x, packed, conv.bias, *shape, "none", [], "")


@functools.cache
@torch.no_grad()
def _can_pack(dtype: torch.dtype) -> bool:
    """Whether it works here, tried once: the operators are torch's own (its compiler uses them) and may change."""
    with torch.random.fork_rng(devices=[]):  # a question takes no numbers of a stream that somebody seeded
        conv, x = nn.Conv2d(8, 8, 3, padding=1).to(dtype), torch.ones(1, 8, 4, 4, dtype=dtype)
    try:
        return torch.allclose(_convolve(conv, _pack(conv, x), x), conv(x), rtol=0.02)
    except (AttributeError, RuntimeError, TypeError):
        return False
