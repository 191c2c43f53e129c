"""The page on which people answer: the same for the server and for the file that needs none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from genbench.pages import page
from genbench.study.document import Study

TEMPLATE = Path(__file__).with_name("collect.html")
RATER = r"^[A-Za-z0-9_.@-]{1,64}$"  # what a rater may be called, here and there


def collect_page(study: Study, everything: Mapping[str, Any], *, served: bool) -> str:
    """The page of a study. everything: what a page that is not served holds besides, images and questions."""
    known = {"study": study.id, "kind": study.kind, "ties": study.ties, "rater": RATER}
    return page.render(
        TEMPLATE,
        title=study.question,
        question=study.question,
        texts=study.kind == "text_match",
        ties=study.ties,
        served=served,
        count=len(study.questions),
        minutes=max(1, round(len(study.questions) * 5 / 60)),
        settings={**known, **everything},
    )
