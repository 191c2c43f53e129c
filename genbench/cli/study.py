"""`genbench study`: ask people which images are better, or which are real."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from genbench.cli import options, study_analyze
from genbench.errors import UsageError

app = typer.Typer(help="Ask people: which image is better, which is real.", no_args_is_help=True, rich_markup_mode=None)

KINDS = ("pairwise", "two-alternative", "text-match")

Folder = Annotated[Path, typer.Argument(metavar="STUDY", help="Folder that `genbench study new` made.")]
Systems = Annotated[
    list[str], typer.Argument(metavar="NAME=IMAGES...", help="ddpm=samples/ddpm: folder, archive, array or named set.")
]
Kind = Annotated[str, typer.Option(help="pairwise (which is better), two-alternative (which is real) or text-match.")]
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder of the study.")]
Real = Annotated[str | None, typer.Option(help="Real images, for two-alternative.")]
Captions = Annotated[
    str | None, typer.Option(help="What the images were made for, for text-match: .csv, .jsonl or a folder of .txt.")
]
Questions = Annotated[
    int | None, typer.Option(help="Pairs that each rater is shown, without catch trials; 60 where images suffice.")
]
Catch = Annotated[float, typer.Option(help="Catch trials, whose answer is plain, for each question.")]
Question = Annotated[str | None, typer.Option(help="What is asked, in place of the kind's usual words.")]
Ties = Annotated[bool, typer.Option("--ties", help='Offer the answer "I cannot decide".')]
Static = Annotated[Path | None, typer.Option(help="Also write the study as one page that needs no server.")]
Host = Annotated[str, typer.Option(help="Address to listen at; 0.0.0.0 lets everybody in the network in.")]
AllowHost = Annotated[
    list[str] | None, typer.Option(help="A name under which a proxy or tunnel asks, such as study.example; may be repeated.")
]
Port = Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")]


@app.callback()
def study() -> None:
    pass


@app.command("new")
def new(
    systems: Systems,
    kind: Kind,
    out: Out,
    real: Real = None,
    captions: Captions = None,
    questions: Questions = None,
    catch: Catch = 0.1,
    question: Question = None,
    ties: Ties = False,
    static: Static = None,
    seed: options.Seed = 0,
    background: options.Background = None,
    value_range: options.ValueRange = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    offline: options.Offline = False,
    data_root: options.DataRoot = None,
    cache_dir: options.CacheDir = None,
) -> None:
    """Make a study of images that several systems generated.

    \b
    genbench study new --kind pairwise ddpm=samples/ddpm gan=samples/gan -o study/
    genbench study new --kind two-alternative ddpm=samples/ddpm --real cifar10/test -o study/
    genbench study new --kind text-match a=out/a b=out/b --captions prompts.csv -o study/ --static study.html
    """
    options.choice(kind, KINDS, "--kind")
    behind, span = options.colour(background), options.span(value_range)
    options.apply_places(offline, data_root, cache_dir)
    named = _named(systems)
    from genbench.data.base import Policy
    from genbench.study.design import new_study
    from genbench.study.static import static_page

    made = new_study(
        kind.replace("-", "_"),  # type: ignore[arg-type]  # checked above
        named,
        out,
        real=real,
        captions=captions,
        questions=questions,
        seed=seed,
        catch=catch,
        question=question,
        ties=ties,
        policy=Policy(background=behind, value_range=span),
    )
    if static is not None:
        static_page(out, static)
    print(made.model_dump_json(indent=2, by_alias=True) if as_json else out)
    if quiet:
        return
    trials = sum(one.catch for one in made.questions)
    how = "images of the same name beside each other" if made.matched else "images drawn at random"
    _say(f"{len(made.questions) - trials} questions and {trials} catch trials; {how}")
    for warning in made.warnings:
        _say(f"warning[{warning.code}]: {warning.text}")
    _say(
        f"next: genbench study serve {out}"
        if static is None
        else f"next: hand out {static}; collect the votes.jsonl of everybody"
    )


@app.command("serve")
def serve(
    folder: Folder,
    host: Host = "127.0.0.1",
    port: Port = 8765,
    allow_host: AllowHost = None,
    quiet: options.Quiet = False,
) -> None:
    """Show a study at an address of this machine until Ctrl-C. Answers are kept in the study's folder.

    \b
    genbench study serve study/
    genbench study serve study/ --host 0.0.0.0 --port 80
    genbench study serve study/ --allow-host study.example
    """
    for name in allow_host or []:
        if not re.fullmatch(r"[\w.-]+", name):
            raise UsageError("E-USAGE", f"--allow-host {name!r}", hint="give a name alone, such as study.example")
    from genbench.study.serve import serve as run

    def ready(address: str) -> None:
        print(address, flush=True)
        if not quiet:
            _say("Ctrl-C stops; answers are kept, and the same command goes on")

    kept = run(folder, host=host, port=port, allow=allow_host or (), ready=ready)
    if not quiet:
        people = "person" if kept.raters == 1 else "people"
        _say(f"\nstopped; {kept.votes} votes of {kept.raters} {people} are in {folder}")
        _say(f"go on: genbench study serve {folder}\nanalyze: genbench study analyze {folder}")


@app.command("page")
def page(
    folder: Folder,
    out: Annotated[Path, typer.Option("--out", "-o", help="The file.")] = Path("study.html"),
) -> None:
    """Write a study as one page that needs no server. Its raters save their answers as a file and send it to you."""
    from genbench.study.static import static_page

    static_page(folder, out)
    print(out)


@app.command("export")
def export(
    folder: Folder,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The file; by default stdout.")] = None,
    quiet: options.Quiet = False,
) -> None:
    """Write the votes of a study as lines of JSON; a server may be running meanwhile."""
    from genbench import files
    from genbench.study.document import load_study
    from genbench.study.store import kept_votes

    votes = kept_votes(folder, load_study(folder).id)
    lines = "".join(f"{vote.to_json()}\n" for vote in votes)
    if out is None:
        sys.stdout.write(lines)
    else:
        files.write_atomic(out, lines)
        print(out)
    if not quiet:
        _say(f"{len(votes)} votes of {len({vote.rater for vote in votes})} people")


app.command("analyze")(study_analyze.analyze)


def _named(texts: list[str]) -> dict[str, str]:
    """["ddpm=samples/ddpm"] -> {"ddpm": "samples/ddpm"}."""
    named: dict[str, str] = {}
    for text in texts:
        name, equals, images = text.partition("=")
        if not (name and equals and images):
            raise UsageError("E-SYSTEMS", f"{text!r} names no system", hint="write NAME=IMAGES, such as ddpm=samples/ddpm")
        if name in named:
            raise UsageError("E-SYSTEMS", f"two systems are called {name!r}", hint="give every system a name of its own")
        named[name] = images
    return named


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
