"""Shapes32: the scenes of `shapes` at 32x32."""

from __future__ import annotations

from genbench.data.sets.shapes import Shapes


class Shapes32(Shapes):
    title = "Shapes drawn in code at 32x32, with captions, pairs and videos"
    size = (32, 32)
