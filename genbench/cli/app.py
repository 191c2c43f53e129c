"""The verbs and their common options. Nothing heavy is imported before a verb runs."""

from __future__ import annotations

from typing import Annotated

import typer

from genbench import __version__
from genbench.cli import (
    bench,
    cache,
    check,
    compare,
    diagnose,
    evaluate,
    inspect,
    leaderboard,
    model,
    neighbours,
    report,
    stats,
    study,
    validate,
)

app = typer.Typer(
    name="genbench",
    help="Measure generative image models: every number with an error bar and the protocol that makes it comparable.",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"genbench {__version__}")
        raise typer.Exit


@app.callback()
def genbench(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    pass


app.command("evaluate")(evaluate.evaluate)
app.command("check")(check.check)
app.command("compare")(compare.compare)
app.command("neighbours")(neighbours.neighbours)
app.command("demo")(bench.demo)
app.command("run")(bench.run)
app.command("table")(bench.table)
app.command("train")(model.train)
app.command("sample")(model.sample)
app.command("diagnose")(diagnose.diagnose)
app.command("sweep")(diagnose.sweep)
app.command("leaderboard")(leaderboard.leaderboard)
app.command("validate")(validate.validate)
app.command("report")(report.report)
app.command("list")(inspect.list_)
app.command("doctor")(inspect.doctor)
app.add_typer(study.app, name="study")
app.add_typer(stats.app, name="stats")
app.add_typer(cache.app, name="cache")
