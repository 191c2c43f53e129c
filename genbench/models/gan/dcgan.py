"""DCGAN: the GAN of convolutions, transposed in the generator and strided in the discriminator, with batch normalisation.

Radford et al. 2016, https://arxiv.org/abs/1511.06434: no pooling, no hidden fully connected layer, no normalisation where
images leave the generator or enter the discriminator, weights from N(0, 0.02²), Adam with lr 2e-4 and beta1 0.5. Smaller:
32 channels at half the image's size, and as many halvings as the image has. Different: normal z for uniform. Samples use the
running averages of the batch statistics, so that one image does not depend on the others of its batch.

What it reaches is measured: benchmarks/README.md.
"""

from __future__ import annotations

from typing import ClassVar

from torch import nn

from genbench.batch import DataSpec
from genbench.models.gan._networks import conv_critic, conv_generator
from genbench.models.gan.base import AdversarialModel
from genbench.models.stages import Recipe


class DCGAN(AdversarialModel):
    """Convolutional generator and discriminator, non-saturating loss."""

    title = "DCGAN"
    paper = "Radford et al. 2016, https://arxiv.org/abs/1511.06434"
    recipe = Recipe(lr=2e-4, betas=(0.5, 0.999))
    tiny: ClassVar = {"channels": 8, "latent": 8}

    def __init__(self, spec: DataSpec, *, channels: int = 32, latent: int = 64) -> None:
        generator = conv_generator(spec, inputs=latent, channels=channels)
        super().__init__(spec, generator=generator, critic=conv_critic(spec, channels=channels), latent=latent)
        self.apply(_initialize)


def _initialize(layer: nn.Module) -> None:
    """Weights from N(0, 0.02²), the scales of batch normalisation from N(1, 0.02²)."""
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(layer.weight, 0.0, 0.02)
    elif isinstance(layer, nn.BatchNorm2d):
        nn.init.normal_(layer.weight, 1.0, 0.02)
