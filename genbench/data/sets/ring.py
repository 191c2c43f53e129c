"""Eight Gaussians on a circle: the usual first test of whether a generator keeps all modes. Drawn, not downloaded."""

from __future__ import annotations

import math

import torch

from genbench.data.sets._points import Mixture

RADIUS = 0.8
ANGLES = torch.arange(8) * (2 * math.pi / 8)


class Ring(Mixture):
    title = "Ring of 8 Gaussians"
    homepage = "https://arxiv.org/abs/1611.02163"  # Metz et al. 2017 made it the test of mode collapse
    modes = RADIUS * torch.stack((ANGLES.cos(), ANGLES.sin()), dim=1)
    sigma = 0.04
