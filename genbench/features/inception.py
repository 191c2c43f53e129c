"""`inception`: the Inception network of 2015-12-05 on which FID, KID and the Inception Score are defined.

Sources: Szegedy et al. 2015, https://arxiv.org/abs/1512.00567, for the blocks; Heusel et al. 2017,
https://arxiv.org/abs/1706.08500, for these weights. Two traits of the published graph matter: its average pools do not count
the padding, and its last block takes a maximum where the others take an average. Agrees with torch-fidelity 0.4.0,
pytorch-fid 0.3.0 and clean-fid 0.1.35 (tests/parity/test_inception_parity.py).
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genbench.assets import Asset, fetch
from genbench.features._precision import WEIGHT_DTYPE, computing, convert_convolutions
from genbench.features._tf1_resize import tf1_bilinear
from genbench.features._weights import load_weights
from genbench.features.base import FeatureExtractor, Precision
from genbench.nn.conv_norm import ConvNorm, fold_batch_norm

SIZE = 299  # pixels of each side that the network sees
CPU_CHUNK = 8  # images at a time on a CPU, however large the batch: their feature maps stay near the caches

WEIGHTS = Asset(
    name="pt_inception-2015-12-05-6726825d.pth",
    urls=(
        "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth",
        "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
    ),
    sha256="6726825d",  # the prefix in the published names
    megabytes=96,
)


# How images come to 299x299. Each is uint8 (N, 3, H, W) -> float32 (N, 3, 299, 299), about in [-1, 1].


def resize_tf(images: Tensor) -> Tensor:
    """As TensorFlow 1 does inside the published graph; torch-fidelity, ADM, EDM and StyleGAN agree with it to the bit."""
    return tf1_bilinear(images, SIZE).sub_(128).div_(128)


def resize_pytorch(images: Tensor) -> Tensor:
    """As pytorch-fid does: pixel centres, no antialiasing."""
    x = F.interpolate(images.float().div_(255), (SIZE, SIZE), mode="bilinear", align_corners=False)
    return x.mul_(2).sub_(1)


def resize_clean(images: Tensor) -> Tensor:
    """As clean-fid does: Pillow's antialiased bicubic filter on float images, clipped and not rounded."""
    rows, columns = (_bicubic_weights(size).to(images.device) for size in images.shape[2:])
    x = rows @ (images.float() @ columns.T)
    return x.clamp_(0, 255).sub_(128).div_(128)


@functools.lru_cache(maxsize=8)
def _bicubic_weights(size: int) -> Tensor:
    """(299, size) float32: what each pixel of a row gives to each pixel of the resized row.

    Keys 1981, Cubic convolution interpolation, with a = -1/2, stretched over the pixels that fall on one when shrinking.
    Computed in float64 as Pillow does: torch's own antialiased filter is off by up to 3e-5 of the range.
    """
    a, scale = -0.5, size / SIZE
    centres = (torch.arange(SIZE, dtype=torch.float64) + 0.5) * scale
    pixels = torch.arange(size, dtype=torch.float64) + 0.5
    x = (pixels - centres[:, None]).abs() / max(scale, 1.0)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    weights = torch.where(x < 1, near, torch.where(x < 2, far, 0.0))
    return (weights / weights.sum(1, keepdim=True)).float()


# protocol -> (function, what it is called in the identity of features)
INPUTS = {
    "tf": (resize_tf, "tf1-bilinear-299,(x-128)/128"),
    "pytorch": (resize_pytorch, "torch-bilinear-299,2*(x/255)-1"),
    "clean": (resize_clean, "pil-bicubic-299-float,clip(0,255),(x-128)/128"),
}


class Conv(ConvNorm):
    """`ConvNorm` with the epsilon of the published graph."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int] = 1,
        stride: int = 1,
        padding: int | tuple[int, int] = 0,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, eps=0.001)


def row(in_channels: int, out_channels: int, width: int) -> Conv:
    """A convolution with a kernel of one row that keeps the size of the map."""
    return Conv(in_channels, out_channels, (1, width), padding=(0, width // 2))


def column(in_channels: int, out_channels: int, height: int) -> Conv:
    """A convolution with a kernel of one column that keeps the size of the map."""
    return Conv(in_channels, out_channels, (height, 1), padding=(height // 2, 0))


class AveragePoolConv(Conv):
    """The mean of each 3x3 neighbourhood, of the pixels in it that exist, then a 1x1 convolution.

    It is computed the other way round, on fewer channels: the two commute, since both are linear and the weights of each
    mean sum to 1.
    """

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(F.avg_pool2d(self.bn(self.conv(x)), 3, stride=1, padding=1, count_include_pad=False))


class MaxPoolConv(Conv):
    """The largest of each 3x3 neighbourhood, then a 1x1 convolution."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.max_pool2d(x, 3, stride=1, padding=1))


class InceptionA(nn.Module):
    """(N, C, 35, 35) -> (N, 224 + pool_channels, 35, 35)."""

    def __init__(self, channels: int, pool_channels: int) -> None:
        super().__init__()
        self.branch1x1 = Conv(channels, 64)
        self.branch5x5_1 = Conv(channels, 48)
        self.branch5x5_2 = Conv(48, 64, 5, padding=2)
        self.branch3x3dbl_1 = Conv(channels, 64)
        self.branch3x3dbl_2 = Conv(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = Conv(96, 96, 3, padding=1)
        self.branch_pool = AveragePoolConv(channels, pool_channels)

    def forward(self, x: Tensor) -> Tensor:
        one = self.branch1x1(x)
        five = self.branch5x5_2(self.branch5x5_1(x))
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([one, five, double, self.branch_pool(x)], 1)


class InceptionB(nn.Module):
    """(N, C, 35, 35) -> (N, C + 480, 17, 17)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch3x3 = Conv(channels, 384, 3, stride=2)
        self.branch3x3dbl_1 = Conv(channels, 64)
        self.branch3x3dbl_2 = Conv(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = Conv(96, 96, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), double, F.max_pool2d(x, 3, stride=2)], 1)


class InceptionC(nn.Module):
    """(N, 768, 17, 17) -> the same shape; 7x7 kernels as a row and a column of `c7` channels."""

    def __init__(self, c7: int) -> None:
        super().__init__()
        self.branch1x1 = Conv(768, 192)
        self.branch7x7_1 = Conv(768, c7)
        self.branch7x7_2 = row(c7, c7, 7)
        self.branch7x7_3 = column(c7, 192, 7)
        self.branch7x7dbl_1 = Conv(768, c7)
        self.branch7x7dbl_2 = column(c7, c7, 7)
        self.branch7x7dbl_3 = row(c7, c7, 7)
        self.branch7x7dbl_4 = column(c7, c7, 7)
        self.branch7x7dbl_5 = row(c7, 192, 7)
        self.branch_pool = AveragePoolConv(768, 192)

    def forward(self, x: Tensor) -> Tensor:
        seven = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        double = self.branch7x7dbl_5(self.branch7x7dbl_4(double))
        return torch.cat([self.branch1x1(x), seven, double, self.branch_pool(x)], 1)


class InceptionD(nn.Module):
    """(N, 768, 17, 17) -> (N, 1280, 8, 8)."""

    def __init__(self) -> None:
        super().__init__()
        self.branch3x3_1 = Conv(768, 192)
        self.branch3x3_2 = Conv(192, 320, 3, stride=2)
        self.branch7x7x3_1 = Conv(768, 192)
        self.branch7x7x3_2 = row(192, 192, 7)
        self.branch7x7x3_3 = column(192, 192, 7)
        self.branch7x7x3_4 = Conv(192, 192, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        three = self.branch3x3_2(self.branch3x3_1(x))
        seven = self.branch7x7x3_4(self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x))))
        return torch.cat([three, seven, F.max_pool2d(x, 3, stride=2)], 1)


class InceptionE(nn.Module):
    """(N, C, 8, 8) -> (N, 2048, 8, 8)."""

    def __init__(self, channels: int, pool: type[Conv]) -> None:
        super().__init__()
        self.branch1x1 = Conv(channels, 320)
        self.branch3x3_1 = Conv(channels, 384)
        self.branch3x3_2a = row(384, 384, 3)
        self.branch3x3_2b = column(384, 384, 3)
        self.branch3x3dbl_1 = Conv(channels, 448)
        self.branch3x3dbl_2 = Conv(448, 384, 3, padding=1)
        self.branch3x3dbl_3a = row(384, 384, 3)
        self.branch3x3dbl_3b = column(384, 384, 3)
        self.branch_pool = pool(channels, 192)

    def forward(self, x: Tensor) -> Tensor:
        three = self.branch3x3_1(x)
        double = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        branches = [self.branch1x1(x), self.branch3x3_2a(three), self.branch3x3_2b(three)]
        branches += [self.branch3x3dbl_3a(double), self.branch3x3dbl_3b(double), self.branch_pool(x)]
        return torch.cat(branches, 1)


class InceptionNet(nn.Module):
    """float (N, 3, 299, 299) in [-1, 1] -> feature maps. Parameters are named as in the published files."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = Conv(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = Conv(32, 32, 3)
        self.Conv2d_2b_3x3 = Conv(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1 = Conv(64, 80)
        self.Conv2d_4a_3x3 = Conv(80, 192, 3)
        self.Mixed_5b = InceptionA(192, pool_channels=32)
        self.Mixed_5c = InceptionA(256, pool_channels=64)
        self.Mixed_5d = InceptionA(288, pool_channels=64)
        self.Mixed_6a = InceptionB(288)
        self.Mixed_6b = InceptionC(c7=128)
        self.Mixed_6c = InceptionC(c7=160)
        self.Mixed_6d = InceptionC(c7=160)
        self.Mixed_6e = InceptionC(c7=192)
        self.Mixed_7a = InceptionD()
        self.Mixed_7b = InceptionE(1280, pool=AveragePoolConv)
        self.Mixed_7c = InceptionE(2048, pool=MaxPoolConv)
        self.fc = nn.Linear(2048, 1008)

    def maps(self, x: Tensor) -> Iterator[tuple[str, Tensor]]:
        """(layer, the feature map it is made of), from the first layer to the last; whoever stops asking stops the work."""
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = F.max_pool2d(x, 3, stride=2)
        yield "64", x  # (N, 64, 73, 73)
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x))
        x = F.max_pool2d(x, 3, stride=2)
        yield "192", x  # (N, 192, 35, 35)
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x)))
        x = self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x))))
        # ADM's spatial features are called mixed_6/conv in the TensorFlow graph: the first branch of this block.
        yield "spatial", x[:, :7]  # (N, 7, 17, 17)
        x = self.Mixed_6e(x)
        yield "768", x  # (N, 768, 17, 17)
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))
        yield "pool", x  # (N, 2048, 8, 8)


class Inception(FeatureExtractor):
    """uint8 (N, 3, H, W) of any size -> the layers of FID's Inception network.

    "64", "192", "768", "pool": means over the feature map, not negative. "spatial": 17x17x7 values for ADM's sFID.
    "logits": pool @ W without the bias, as the TensorFlow code of the Inception Score multiplies.
    """

    layers: ClassVar = {"pool": 2048, "logits": 1008, "64": 64, "192": 192, "768": 768, "spatial": 17 * 17 * 7}
    inputs: ClassVar = tuple(INPUTS)
    download: ClassVar = True

    def __init__(self, network: InceptionNet, *, input: str, precision: Precision, weights_sha256: str) -> None:
        resize, preprocess = INPUTS[input]
        super().__init__(input=input, precision=precision, weights_sha256=weights_sha256, preprocess=preprocess)
        self.resize = resize
        self.network = network
        convert_convolutions(fold_batch_norm(network), precision)

    @classmethod
    def load(cls, *, input: str, precision: Precision, weights: Path | None) -> Inception:
        path, sha256 = fetch(WEIGHTS, weights=weights)
        network = InceptionNet()
        load_weights(network, path, hint=f"needed is {WEIGHTS.urls[0]}")
        return cls(network, input=input, precision=precision, weights_sha256=sha256).eval()

    def forward(self, images: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        """The asked layers of uint8 images (N, 3, H, W): float32, without gradients. Later layers are not computed."""
        layers = tuple(layers)
        with computing(self.identity.precision, images.device):
            parts = [self._vectors(part, layers) for part in images.split(CPU_CHUNK if images.is_cpu else len(images))]
        return {layer: torch.cat([part[layer] for part in parts]) for layer in layers}

    def _vectors(self, images: Tensor, layers: tuple[str, ...]) -> dict[str, Tensor]:
        with computing("fp32", images.device):
            x = self.resize(images)
        x = x.to(WEIGHT_DTYPE[self.identity.precision], memory_format=torch.channels_last)
        vectors: dict[str, Tensor] = {}
        for layer, feature_map in self.network.maps(x):
            vectors[layer] = _vector(layer, feature_map)
            if layer == "pool":
                vectors["logits"] = vectors["pool"] @ self.network.fc.weight.T
            if vectors.keys() >= set(layers):
                break
        return vectors


def _vector(layer: str, feature_map: Tensor) -> Tensor:
    """(N, C, H, W) in the network's precision -> (N, D) float32."""
    if layer == "spatial":
        return feature_map.permute(0, 2, 3, 1).flatten(1).float()
    return feature_map.mean((2, 3), dtype=torch.float32)
