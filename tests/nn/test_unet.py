"""The U-Net and its parts."""

from __future__ import annotations

import pytest
import torch

from genbench.nn.unet import ResidualBlock, SelfAttention, UNet


def awake(network: torch.nn.Module, scale: float = 0.1) -> torch.nn.Module:
    """The network with random weights everywhere, also where it begins with zeros."""
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(scale * torch.randn_like(parameter))
    return network


def unet(**arguments: int) -> UNet:
    torch.manual_seed(0)
    return UNet(2, 3, embedding=12, channels=8, **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [(4, 4), (7, 7), (8, 12), (28, 28)])
def test_fits_every_size(size: tuple[int, int]) -> None:
    out = awake(unet())(torch.randn(2, 2, *size), torch.randn(2, 12))
    assert out.shape == (2, 3, *size)
    assert out.isfinite().all()
    assert out.std() > 0.01


def test_is_zero_before_training() -> None:
    assert unet()(torch.randn(2, 2, 8, 8), torch.randn(2, 12)).abs().max() == 0


def test_hears_the_embedding() -> None:
    network, x = awake(unet()), torch.randn(1, 2, 8, 8)
    first, second = network(x, torch.zeros(1, 12)), network(x, torch.ones(1, 12))
    assert (first - second).abs().max() > 1e-3


def test_every_pixel_reaches_every_other_through_attention() -> None:
    x = torch.randn(1, 2, 32, 32, requires_grad=True)
    out = awake(unet())(x, torch.randn(1, 12))
    (gradient,) = torch.autograd.grad(out[0, :, 0, 0].sum(), x)
    assert (gradient[0].abs().sum(0) > 0).all()


def test_an_image_does_not_depend_on_its_batch() -> None:
    network, x, embedding = awake(unet()), torch.randn(5, 2, 8, 8), torch.randn(5, 12)
    torch.testing.assert_close(network(x[2:3], embedding[2:3]), network(x, embedding)[2:3], atol=1e-5, rtol=1e-4)


def test_more_blocks_make_it_deeper() -> None:
    assert len(unet(blocks=2).down) == 2 * len(unet().down)
    assert awake(unet(blocks=2))(torch.randn(1, 2, 8, 8), torch.randn(1, 12)).shape == (1, 3, 8, 8)


def test_a_residual_block_begins_as_the_identity() -> None:
    x = torch.randn(2, 8, 4, 4)
    torch.testing.assert_close(ResidualBlock(8, 8, 5)(x, torch.randn(2, 5)), x)
    assert ResidualBlock(8, 16, 5, stride=2)(torch.randn(2, 8, 7, 7), torch.randn(2, 5)).shape == (2, 16, 4, 4)


def test_attention_is_the_softmax_of_products() -> None:
    attention = awake(SelfAttention(8), 0.5)
    x = torch.randn(2, 8, 3, 5)
    q, k, v = attention.project(attention.norm(x)).flatten(2).chunk(3, 1)  # each (B, C, H W)
    weights = torch.softmax(torch.einsum("bci,bcj->bij", q, k) / 8**0.5, -1)
    seen = torch.einsum("bij,bcj->bci", weights, v).view_as(x)
    torch.testing.assert_close(attention(x), x + attention.out(seen), atol=1e-5, rtol=1e-4)
