"""Convolution, batch normalisation and ReLU, and folding the normalisation into the convolution for inference."""

from __future__ import annotations

from typing import TypeVar

from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from genbench.nn.packed_conv import PackedConv2d

Network = TypeVar("Network", bound=nn.Module)


class ConvNorm(nn.Module):
    """Convolution without bias, batch normalisation, ReLU: (N, C_in, H, W) -> (N, C_out, H', W') float.

    Parameters are named as in the published Inception weights: `conv.weight`, `bn.weight`, `bn.running_mean`, ...
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int = 1,
        padding: int | tuple[int, int] = 0,
        eps: float = 1e-5,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, bias=False)
        self.bn: nn.Module = nn.BatchNorm2d(out_channels, eps=eps)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.bn(self.conv(x)))

    def fold(self) -> None:
        """Fold the normalisation's running statistics into the convolution. Only in eval mode, and for good."""
        if isinstance(self.bn, nn.BatchNorm2d):
            self.conv = PackedConv2d(fuse_conv_bn_eval(self.conv, self.bn))
            self.bn = nn.Identity()


def fold_batch_norm(network: Network) -> Network:
    """`network` in eval mode, changed in place: every `ConvNorm` in it becomes one convolution with a bias."""
    network.eval()
    for module in network.modules():
        if isinstance(module, ConvNorm):
            module.fold()
    return network
