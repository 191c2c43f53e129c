"""Encoder and decoder: shapes at every size and depth, mirrored widths, no dependence on the batch."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from genbench.nn.conv_codec import ConvDecoder, ConvEncoder, halvings


@pytest.mark.parametrize(("size", "times"), [(8, 1), (16, 2), (28, 2), (32, 3), (7, 0), (1, 0), (64, 4)])
def test_halvings_never_leave_a_remainder(size: int, times: int) -> None:
    assert halvings(size) == times
    assert size % 2**times == 0


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("height", "width"), [(8, 8), (16, 16), (28, 28), (32, 32), (7, 7), (8, 16)])
@pytest.mark.parametrize("residual", [0, 2])
def test_the_decoder_undoes_the_encoder_s_sizes(channels: int, height: int, width: int, residual: int) -> None:
    times = halvings(height)
    encoder = ConvEncoder(channels, 5, channels=4, halvings=times, residual=residual)
    decoder = ConvDecoder(5, channels, channels=4, doublings=times, residual=residual)
    x = torch.randn(2, channels, height, width)
    code = encoder(x)
    assert code.shape == (2, 5, height >> times, width >> times)
    assert decoder(code).shape == x.shape


def test_widths_double_towards_the_coarsest_size() -> None:
    widths = [m.out_channels for m in ConvEncoder(1, 9, channels=8, halvings=3) if isinstance(m, nn.Conv2d)]
    assert widths == [8, 16, 32, 32, 9]
    mirrored = ConvDecoder(9, 1, channels=8, doublings=3)
    assert [m.out_channels for m in mirrored if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)] == [32, 16, 8, 1]


def test_an_image_does_not_depend_on_its_batch() -> None:
    torch.manual_seed(0)
    codec = nn.Sequential(ConvEncoder(1, 4, channels=4, residual=1), ConvDecoder(4, 1, channels=4, residual=1))
    x = torch.randn(5, 1, 16, 16)
    torch.testing.assert_close(codec(x)[2:3], codec(x[2:3]))


def test_every_output_is_reached_by_the_input() -> None:
    torch.manual_seed(0)
    x = torch.randn(1, 1, 8, 8, requires_grad=True)
    codec = nn.Sequential(ConvEncoder(1, 4, channels=4, halvings=1), ConvDecoder(4, 1, channels=4, doublings=1))
    codec(x).square().sum().backward()
    assert x.grad is not None
    assert (x.grad != 0).all()
