"""Twenty-five Gaussians on a square grid: more modes than the ring, and neighbours on all sides. Drawn, not downloaded."""

from __future__ import annotations

import torch

from genbench.data.sets._points import Mixture

PLACES = torch.linspace(-0.8, 0.8, 5)


class Grid(Mixture):
    title = "Grid of 25 Gaussians"
    homepage = "https://arxiv.org/abs/1705.07761"  # Srivastava et al. 2017 count its modes
    modes = torch.cartesian_prod(PLACES, PLACES)
    sigma = 0.03
