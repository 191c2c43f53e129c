"""A new study: which images are shown beside each other.

    pairwise          two systems; images of the same name, where the names match, else drawn at random
    two_alternative   a real and a generated image, both drawn at random
    text_match        two systems' images for the same caption, found by name

Every pair of systems gets the same number of questions, up to one. Catch trials are added to them: an image beside noise of its
size, which nobody who looks confuses. Images are encoded anew as PNG, without metadata and under names that say nothing: a file
or an address must not tell a rater where an image comes from.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from genbench.errors import DataError, UsageError
from genbench.study.arguments import check_asked, check_free, check_images, refuse_another
from genbench.study.document import IMAGES, Question, Shown, Study
from genbench.study.exhibits import Pick, Sets
from genbench.study.votes import REAL, Kind

if TYPE_CHECKING:
    from genbench.data.base import Policy

QUESTION: Mapping[Kind, str] = {
    "pairwise": "Which of these images looks better?",
    "two_alternative": "Which of these images is real?",
    "text_match": "Which image matches the text better?",
}
QUESTIONS = 60  # about five minutes of a person


@dataclass(frozen=True)
class Asked:
    """A question whose images are not read yet."""

    a: Pick
    b: Pick
    text: str = ""
    catch: bool = False
    correct: Literal["a", "b"] | None = None


def new_study(
    kind: Kind,
    systems: Mapping[str, Any],
    out: Path,
    *,
    real: Any = None,
    captions: Any = None,
    questions: int | None = None,
    seed: int = 0,
    catch: float = 0.1,
    question: str | None = None,
    ties: bool = False,
    policy: Policy | None = None,
) -> Study:
    """Make the folder of a study and return what is in it. The same arguments make the same study, and repeating goes on.

    Args:
        systems: images by the name of what made them; folders, archives, arrays or named sets.
        real: real images, of a two-alternative study.
        captions: what the images were made for, of a text-match study; see `genbench.data.captions.read_captions`.
        questions: how many every rater is asked, without catch trials; by default 60, or as many as there are images for.
        catch: catch trials, as a share of the questions; at least one unless it is 0.
        question: what raters are asked, in place of the kind's usual words.
        ties: offer "I cannot decide".
    Raises UsageError for arguments that do not fit together, DataError for images that cannot be used.
    """
    check_images(kind, systems, real, captions)
    check_asked(kind, questions, catch, question, ties)
    check_free(out)
    from genbench.data.base import Policy

    sets = _open({**systems, **({REAL: real} if kind == "two_alternative" else {})}, policy or Policy(), seed)
    matched = kind != "two_alternative" and all(len(_shared(sets, *pair)) for pair in combinations(systems, 2))
    if kind == "two_alternative":
        asked = _real_or_not(sets, list(systems), questions)
    else:
        asked = _side_by_side(sets, list(systems), questions, matched, _texts(sets, list(systems), captions, kind))
    asked += _catch_trials(asked, catch, sets)
    shown, cautions = sets.shown(pick for one in asked for pick in (one.a, one.b))
    study = Study(
        id="",
        kind=kind,
        question=question or QUESTION[kind],
        ties=ties,
        seed=seed,
        systems=list(systems),
        matched=matched,
        questions=[_question(one, shown, seed, place) for place, one in enumerate(asked)],
        warnings=tuple(cautions),
    )
    study = study.model_copy(update={"id": study.fingerprint()})
    refuse_another(study, out)
    sets.write(shown, out / IMAGES)
    study.save(out)  # last: a folder with it is complete
    return study


def _open(specs: Mapping[str, Any], policy: Policy, seed: int) -> Sets:
    from genbench.data.open import open_images

    sources = {system: open_images(spec, policy=policy) for system, spec in specs.items()}
    for system, source in sources.items():
        if not len(source):
            ignored = ", ".join(f"{count} {reason}" for reason, count in source.ignored.most_common(3))
            hint = f"ignored: {ignored}" if ignored else "check the path"
            raise DataError("E-EMPTY", f"no images found in {source.name}, which is to show {system}", hint=hint)
    return Sets(sources, policy, seed)


def _stem(name: str) -> str:
    """A name without the ending of a file, so that 7.png and 7.jpg are the same prompt."""
    from genbench.data.names import SUFFIXES

    head, dot, ending = name.rpartition(".")
    return head if dot and f".{ending.lower()}" in SUFFIXES else name


def _shared(sets: Sets, one: str, other: str) -> list[tuple[int, int]]:
    """Positions of the images that have the same name in both; none unless half of the smaller set has."""
    places = {_stem(name): place for place, name in enumerate(sets.names[other])}
    pairs = [(place, places[_stem(name)]) for place, name in enumerate(sets.names[one]) if _stem(name) in places]
    return pairs if 2 * len(pairs) >= min(len(sets.names[one]), len(places)) else []


def _texts(sets: Sets, systems: Sequence[str], captions: Any, kind: Kind) -> dict[str, str]:
    """The caption of each image by its name without ending; empty but in a text-match study."""
    if kind != "text_match":
        return {}
    from genbench.data.captions import captions_for, read_captions

    found = read_captions(captions)
    texts: dict[str, str] = {}
    for system in systems:
        names = sets.names[system]
        texts |= {_stem(name): one.caption for name, one in zip(names, captions_for(names, found), strict=True)}
    for one, other in combinations(systems, 2):
        if not _shared(sets, one, other):
            hint = "give an image the same name in every set, such as 0007.png, and that name in the captions"
            raise DataError(
                "E-NAMES", f"the names of {one} and {other} do not match, so no two images share a caption", hint=hint
            )
    return texts


def _side_by_side(
    sets: Sets, systems: Sequence[str], wanted: int | None, matched: bool, texts: Mapping[str, str]
) -> list[Asked]:
    """Pairs of systems, each as often as the others up to one."""
    pairs = list(combinations(systems, 2))
    possible = {pair: sets.chance.permutation(_shared(sets, *pair)) if matched else _mixed(sets, *pair) for pair in pairs}
    asked = []
    for pair, count in _counts(pairs, {pair: len(found) for pair, found in possible.items()}, wanted, sets.chance).items():
        for a, b in possible[pair][:count]:
            text = texts.get(_stem(sets.names[pair[0]][int(a)]), "")
            asked.append(Asked(Pick(pair[0], int(a)), Pick(pair[1], int(b)), text))
    return asked


def _mixed(sets: Sets, one: str, other: str) -> NDArray[np.int64]:
    """Positions (N, 2) of images that have nothing to do with each other, none of them twice."""
    count = min(len(sets.names[one]), len(sets.names[other]))
    columns = [sets.chance.permutation(len(sets.names[system]))[:count] for system in (one, other)]
    return np.stack(columns, axis=1)


def _real_or_not(sets: Sets, systems: Sequence[str], wanted: int | None) -> list[Asked]:
    """Each system against real images; no real image twice where there are enough."""
    pairs = [(REAL, system) for system in systems]
    reals = sets.chance.permutation(len(sets.names[REAL]))
    most = {pair: min(len(reals), len(sets.names[pair[1]])) for pair in pairs}
    asked: list[Asked] = []
    for (_, system), count in _counts(pairs, most, wanted, sets.chance).items():
        for fake in sets.chance.permutation(len(sets.names[system]))[:count]:
            chosen = int(reals[len(asked) % len(reals)])
            asked.append(Asked(Pick(REAL, chosen), Pick(system, int(fake)), correct="a"))
    return asked


def _counts(
    pairs: Sequence[tuple[str, str]], most: Mapping[tuple[str, str], int], wanted: int | None, chance: np.random.Generator
) -> dict[tuple[str, str], int]:
    """Questions for each pair: the same, up to one that chance gives."""
    total = min(max(QUESTIONS, len(pairs)), len(pairs) * min(most.values())) if wanted is None else wanted
    if total < len(pairs):
        hint = f"ask {len(pairs)} or more with --questions, or compare fewer systems"
        raise UsageError("E-QUESTIONS", f"{total} questions for {len(pairs)} pairs of systems", hint=hint)
    lucky = set(chance.permutation(len(pairs))[: total % len(pairs)].tolist())
    counts = {pair: total // len(pairs) + (place in lucky) for place, pair in enumerate(pairs)}
    for pair, count in counts.items():
        if count > most[pair]:
            message = f"{total} questions show {pair[0]} beside {pair[1]} {count} times, but there are images for {most[pair]}"
            hint = f"give more images, or ask {len(pairs) * min(most.values())} with --questions"
            raise DataError("E-TOO-FEW", message, hint=hint)
    return counts


def _catch_trials(asked: Sequence[Asked], share: float, sets: Sets) -> list[Asked]:
    """An image beside noise; the images are those of questions, so that nothing else tells a catch trial."""
    count = math.ceil(share * len(asked)) if share else 0
    chosen = [asked[place] for place in sets.chance.permutation(len(asked))[:count]]
    picks = [(one.a if sets.chance.integers(2) else one.b, one.text) for one in chosen]
    return [Asked(pick, Pick(pick.system, pick.index, noise=True), text, catch=True, correct="a") for pick, text in picks]


def _question(asked: Asked, shown: Mapping[Pick, Shown], seed: int, place: int) -> Question:
    a, b = shown[asked.a], shown[asked.b]
    digest = hashlib.sha256(f"question/{seed}/{place}/{a.file}/{b.file}".encode()).hexdigest()[:12]
    return Question(id=digest, a=a, b=b, text=asked.text, catch=asked.catch, correct=asked.correct)
