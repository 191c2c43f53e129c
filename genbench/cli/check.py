"""`genbench check`: whether images are worse than the baseline beyond noise, as an exit status and a sentence."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genbench.cli import options
from genbench.cli.progress import progress
from genbench.errors import DataError, UsageError
from genbench.pages.escape import log_line

if TYPE_CHECKING:
    from genbench.gate.baseline import Baseline
    from genbench.gate.policy import Policy
    from genbench.gate.verdict import Check

Subject = Annotated[
    str,
    typer.Argument(help="result.json, a folder with one, a run's folder; or images, which are evaluated as the baseline was."),
]
BaselineFile = Annotated[Path, typer.Option("--baseline", help="The baseline file.")]
Against = Annotated[Path | None, typer.Option(help="A result.json or its folder to compare with, instead of the baseline.")]
Name = Annotated[str | None, typer.Option(help="Entry of the baseline; by default the only one, or `default`.")]
PolicyFile = Annotated[
    Path | None,
    typer.Option("--policy", help="By default the nearest genbench.toml, or pyproject.toml with [tool.genbench.check]."),
]
Metric = Annotated[
    list[str] | None, typer.Option("--metric", help="Gate this metric instead of the policy's; repeat for more.")
]
Max = Annotated[float | None, typer.Option("--max", help="Limit of the value of --metric.")]
Min = Annotated[float | None, typer.Option("--min", help="Limit of the value of --metric.")]
MaxIncrease = Annotated[str | None, typer.Option(help="Allowed increase over the baseline: 0.15, or 3% of its value.")]
MaxDecrease = Annotated[str | None, typer.Option(help="Allowed decrease, where higher is better.")]
Test = Annotated[str | None, typer.Option(help="Of --metric: none, difference, noninferiority (default with a margin).")]
Alpha = Annotated[float | None, typer.Option(help="Chance of any false alarm over all gates. Default: the policy's, or 0.01.")]
Ref = Annotated[str | None, typer.Option(help="Of images: the reference, where the baseline's is no named set.")]
HeldOut = Annotated[str | None, typer.Option(help="Of images: held-out images, likewise.")]
Paired = Annotated[str | None, typer.Option(help="Of images: paired images, likewise.")]
Captions = Annotated[str | None, typer.Option(help="Of images: their captions.")]
Strict = Annotated[bool, typer.Option("--strict", help="Exit 4 where a gate is inconclusive.")]
Update = Annotated[bool, typer.Option("--update-baseline", help="Accept the subject as the baseline, and print what changes.")]
Reason = Annotated[str, typer.Option(help="Why, for the baseline file.")]
Format = Annotated[str, typer.Option("--format", help="text, json, markdown or github.")]
JUnit = Annotated[Path | None, typer.Option("--junit", help="Also write this JUnit file.")]
Summary = Annotated[str, typer.Option(help="auto: inside GitHub Actions, add to the step's summary and annotate; or off.")]
Worst = Annotated[Path | None, typer.Option(help="Of images: a PNG file for those that hurt most.")]


def check(
    subject: Subject,
    baseline: BaselineFile = Path("genbench-baseline.json"),
    against: Against = None,
    name: Name = None,
    policy: PolicyFile = None,
    metric: Metric = None,
    maximum: Max = None,
    minimum: Min = None,
    max_increase: MaxIncrease = None,
    max_decrease: MaxDecrease = None,
    test: Test = None,
    alpha: Alpha = None,
    strict: Strict = False,
    update_baseline: Update = False,
    reason: Reason = "",
    format: Format = "text",
    as_json: options.Json = False,
    junit: JUnit = None,
    summary: Summary = "auto",
    worst: Worst = None,
    ref: Ref = None,
    held_out: HeldOut = None,
    paired: Paired = None,
    captions: Captions = None,
    quiet: options.Quiet = False,
    on_bad: options.OnBad = "fail",
    on_size_mix: options.OnSizeMix = "fail",
    background: options.Background = None,
    value_range: options.ValueRange = None,
    device: options.Device = "auto",
    batch_size: options.BatchSize = 64,
    num_workers: options.Workers = None,
    offline: options.Offline = False,
    data_root: options.DataRoot = None,
    cache_dir: options.CacheDir = None,
) -> int:
    """Say whether images are worse than the baseline beyond noise.

    Exit status: 0 not worse, 1 regressed, 3 no baseline or not comparable, 4 inconclusive under --strict, 5 unusable values.

    \b
    genbench evaluate samples/ --ref cifar10 -o out && genbench check out --update-baseline
    genbench check samples/
    genbench check out --metric fid --max 6 --max-increase 0.15
    genbench check new/result.json --against old/result.json --json
    """
    from genbench.gate.formats import FORMATS

    shape = "json" if as_json else options.choice(format, tuple(FORMATS), "--format")
    options.choice(summary, ("auto", "off"), "--summary")
    if worst is not None:
        options.png(worst, "--worst")
    if update_baseline and against is not None:
        raise UsageError("E-USAGE", "--update-baseline with --against", hint="--against compares once and changes no baseline")
    if against is not None and not against.expanduser().exists():
        raise DataError("E-NO-RESULT", f"no result at {against}", hint="genbench evaluate ... -o FOLDER writes one")
    if update_baseline and (shape not in ("text", "json") or junit is not None or worst is not None or strict):
        hint = "an update accepts what was measured and checks nothing; it prints text or --json"
        raise UsageError("E-USAGE", "--update-baseline with options of a check", hint=hint)
    evaluation: dict[str, Any] = {
        "ref": ref,
        "held_out": held_out,
        "paired": paired,
        "captions": captions,
        **options.decoding(on_bad, on_size_mix, background, value_range),
        "device": device,
        "batch_size": batch_size,
        "workers": num_workers,
    }
    options.apply_places(offline, data_root, cache_dir)
    limits = {"max": maximum, "min": minimum, "max_increase": max_increase, "max_decrease": max_decrease, "test": test}
    gates = _policy(policy, metric or [], {name: value for name, value in limits.items() if value is not None}, alpha)
    with progress(quiet) as update:
        evaluation["progress"] = update
        if update_baseline:
            return _update(subject, baseline, name, reason, gates, evaluation, shape == "json")
        from genbench.gate.check import check as checked

        found = checked(subject, baseline=against or baseline, name=name, policy=gates, worst=worst, **evaluation)
    _show(found, shape, strict, (against or baseline).name, junit, summary)
    return found.exit_code(strict=strict)


def _policy(path: Path | None, metrics: list[str], limits: dict[str, Any], alpha: float | None) -> Policy:
    """The policy of the file, or the gates of the command line in its place."""
    from pydantic import ValidationError

    from genbench.gate.policy import Gate, Policy
    from genbench.gate.policy_file import find_policy, load_policy

    found = find_policy() if path is None else load_policy(path)
    names = [name.strip() for text in metrics for name in text.split(",") if name.strip()]
    if limits and len(names) != 1:
        hint = "limits and margins are of one metric: give it with --metric, or write a policy for several"
        raise UsageError("E-USAGE", f"{', '.join(_option(name) for name in limits)} with {len(names)} metrics", hint=hint)
    for side in ("max_increase", "max_decrease"):
        if str(limits.get(side, "")).endswith("%"):
            limits[f"{side}_rel"] = limits.pop(side)
    try:
        gates = [Gate(metric=name, **limits) for name in names]
        return Policy(alpha=found.alpha if alpha is None else alpha, gate=gates or found.gate)
    except ValidationError as error:
        first = error.errors()[0]
        where = _option(str(first["loc"][0])) if first["loc"] else "--metric"
        hint = "`genbench check --help` and docs/check.md show how"
        raise UsageError("E-USAGE", f"{where}: {first['msg'].removeprefix('Value error, ')}", hint=hint) from error


def _option(name: str) -> str:
    return f"--{name.removesuffix('_rel').replace('_', '-')}"


def _update(
    subject: str, path: Path, name: str | None, reason: str, policy: Policy, evaluation: dict[str, Any], as_json: bool
) -> int:
    """Accept the subject, and say what that changes."""
    from genbench.gate.baseline import Baseline, beside, locked
    from genbench.gate.changes import changes
    from genbench.gate.subject import measured, result_of

    known: Baseline = Baseline.load(path) if path.exists() else Baseline()
    entry = known.choose(name)
    old = known.entries[entry].result if entry in known.entries else None
    result = result_of(subject, evaluation) or measured(subject, old, policy, evaluation)
    with locked(path) as stored:  # only now: measuring may take long, and others may update other entries meanwhile
        old = stored.entries[entry].result if entry in stored.entries else None
        stored.update(entry, result, reason=reason)
        stored.save(path)
    for note in stored.notes:
        print(log_line(f"note: {note}"), file=sys.stderr)
    written = [path.name] + ([beside(path).name] if beside(path).exists() else [])
    if as_json:
        content = {"schema": "genbench.update/1", "entry": entry, "reason": reason, "files": written}
        print(json.dumps({**content, "changes": changes(old, result)}, indent=2))
        return 0
    print(log_line(f"{path.name}: {entry}"))
    for line in changes(old, result):
        print(log_line(f"  {line}"))
    print(f"commit {' and '.join(written)}", file=sys.stderr)
    return 0


def _show(found: Check, format: str, strict: bool, against: str, junit: Path | None, summary: str) -> None:
    from genbench.gate.formats import github, render

    if text := render(found, format, strict=strict, against=against):
        print(text)
    if junit is not None:
        from genbench.gate.formats.junit import write_junit

        write_junit(found, junit, strict=strict)
    if summary == "auto" and github.in_actions():
        github.summarise(render(found, "markdown", strict=strict, against=against))
        if format != "github":  # not a second time
            github.annotate(found, strict=strict)
