"""What a new study is asked for: everything that can be refused before an image is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from genbench.errors import UsageError
from genbench.study.document import FILE, IMAGES, Study, load_study
from genbench.study.store import FILE as VOTES
from genbench.study.votes import REAL, Kind

MOST = 10_000  # questions


def check_images(kind: Kind, systems: Mapping[str, Any], real: Any, captions: Any) -> None:
    """Raises UsageError unless there is what this kind of study shows, and nothing else."""
    if kind not in get_args(Kind):
        hint = f"a study is one of: {', '.join(get_args(Kind))}"
        raise UsageError("E-KIND", f"no kind of study is called {kind}", hint=hint)
    spoken = kind.replace("_", "-")
    least = 1 if kind == "two_alternative" else 2
    if len(systems) < least:
        hint = "name what is to be judged: ddpm=samples/ddpm gan=samples/gan"
        raise UsageError("E-SYSTEMS", f"{len(systems)} systems, but a {spoken} study compares {least} or more", hint=hint)
    for system in systems:
        _check_name(system, kind)
    if twice := _twice([*systems.values(), *([] if real is None else [real])]):
        raise UsageError("E-SYSTEMS", f"{twice} is given twice", hint="a system cannot be compared with itself")
    if (real is None) == (kind == "two_alternative"):
        hint = "a two-alternative study needs --real, and no other kind takes it; another kind takes real images as a system"
        raise UsageError("E-REAL", f"a {spoken} study {'needs' if real is None else 'takes no'} real images", hint=hint)
    if (captions is None) == (kind == "text_match"):
        hint = "a text-match study needs --captions, and no other kind takes it"
        raise UsageError("E-CAPTIONS", f"a {spoken} study {'needs' if captions is None else 'takes no'} captions", hint=hint)


def check_asked(kind: Kind, questions: int | None, catch: float, question: str | None, ties: bool) -> None:
    """Raises UsageError for what cannot be asked."""
    if questions is not None and not 1 <= questions <= MOST:
        raise UsageError("E-QUESTIONS", f"{questions} questions", hint=f"a study has between 1 and {MOST:,} questions")
    if not 0 <= catch <= 1:
        hint = "--catch is a share from 0 to 1, such as 0.1"
        raise UsageError("E-CATCH", f"{catch} catch trials for each question", hint=hint)
    if question is not None and not 0 < len(question.strip()) <= 300:
        raise UsageError("E-QUESTION", f"a question of {len(question)} characters", hint="ask in 1 to 300 characters")
    if ties and kind == "two_alternative":
        hint = "leave --ties out: whoever cannot tell guesses, and that is what is measured"
        raise UsageError("E-TIES", "one of the two images of a two-alternative study is real, so there is no tie", hint=hint)


def check_free(out: Path) -> None:
    """A folder that holds something else is left alone."""
    if out.exists() and not out.is_dir():
        raise UsageError("E-STUDY-EXISTS", f"{out} is a file", hint="choose another folder with -o")
    names = sorted(path.name for path in out.iterdir()) if out.is_dir() else []
    if other := [name for name in names if name not in (FILE, IMAGES) and not name.startswith(VOTES)]:
        hint = "choose a new or an empty folder with -o"
        raise UsageError("E-STUDY-EXISTS", f"{out} holds something else: {other[0]!r}", hint=hint)


def refuse_another(study: Study, out: Path) -> None:
    """A study that is there stays."""
    if (out / FILE).exists() and (there := load_study(out)).id != study.id:
        hint = "choose another folder with -o; the votes in this one belong to the study that is there"
        raise UsageError("E-STUDY-EXISTS", f"{out} holds another study, {there.id}", hint=hint)


def _check_name(system: str, kind: Kind) -> None:
    if not 0 < len(system) <= 200 or not system.isprintable():
        hint = "name systems in 1 to 200 characters, without line breaks"
        raise UsageError("E-SYSTEMS", f"a system is called {system[:200]!r}", hint=hint)
    if system == REAL and kind == "two_alternative":
        hint = "give real images with --real, and call a system otherwise"
        raise UsageError("E-SYSTEMS", f"no system of a two-alternative study is called {REAL}", hint=hint)


def _twice(specs: Sequence[Any]) -> str | None:
    """A path or name that is given more than once."""
    seen = set()
    for spec in specs:
        if isinstance(spec, (str, Path)):
            path = Path(spec).expanduser()
            key = str(path.resolve()) if path.exists() else str(spec)
            if key in seen:
                return str(spec)
            seen.add(key)
    return None
