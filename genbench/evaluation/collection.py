"""Images that have been looked at, ready to be decoded in any order: what every side of an evaluation is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from genbench.data.base import Decoded, ImageSource, Pixels, Policy
from genbench.data.loader import batches
from genbench.data.open import open_images
from genbench.data.survey import Survey
from genbench.evaluation.extract import Execution, look_at
from genbench.evaluation.result import Images, Skipped


@dataclass(frozen=True, kw_only=True)
class Collection:
    """A source, what the survey found in it, and how its images are treated."""

    source: ImageSource
    surveyed: Survey
    policy: Policy

    @classmethod
    def look(cls, spec: Any, policy: Policy, execution: Execution) -> Collection:
        """Open what `spec` names or is and read every header. Raises DataError for what cannot be measured."""
        source = open_images(spec, policy=policy)
        return cls(source=source, surveyed=look_at(source, policy, execution), policy=policy)

    def names(self, positions: Sequence[int]) -> list[str]:
        """Of the images at these positions."""
        return [self.source.item_name(position) for position in positions]

    def decoded(self, positions: Sequence[int], execution: Execution, *, batch_size: int) -> Iterator[Decoded]:
        """The images at these positions, in this order, `batch_size` at a time; see `genbench.data.loader.batches`."""
        chosen = replace(self.surveyed, usable=list(positions))
        return batches(self.source, chosen, self.policy, batch_size=batch_size, workers=execution.workers)

    def pixels(self, position: int) -> Pixels:
        """uint8 (3, H, W) of one image, of the size that all have."""
        (decoded,) = batches(self.source, replace(self.surveyed, usable=[position]), self.policy, batch_size=1, workers=0)
        return decoded.images[0].numpy()

    def describe(self, skipped: Sequence[tuple[str, str]]) -> Images:
        """The images as a result records them: what was listed, what was used, and what was not, by name."""
        surveyed, left_out = self.surveyed, [*self.surveyed.skipped, *skipped]
        return Images(
            name=self.source.name,
            kind=self.source.kind,
            digest=surveyed.digest,
            n=len(surveyed.usable) - len(skipped),
            listed=len(surveyed.usable) + len(surveyed.skipped),
            sizes=dict(surveyed.sizes),
            modes=dict(surveyed.modes),
            formats=dict(surveyed.formats),
            ignored=dict(self.source.ignored),
            skipped=[Skipped(name=item, reason=reason) for item, reason in left_out],
            duplicates=surveyed.duplicates,
        )
