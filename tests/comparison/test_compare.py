"""Comparisons of two results and of many: words, ranks, refusals, and every format they are shown in."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from making_results import gaussian, key_of, measured, numbered, random, result_of, scored

import genbench
from genbench.bench.record import Quality, Record
from genbench.comparison.compare import Comparison
from genbench.comparison.formats import FORMATS, as_html
from genbench.comparison.holm import holm
from genbench.errors import DataError, IncomparableError, UsageError
from genbench.estimate import Estimate, normal_interval
from genbench.evaluation.result import Result

HOSTILE = [
    "<img src=x onerror=alert(1)>.png",
    "</script>",
    "=cmd",
    "%0A::error",
    'quote"|pipe',
    "two\nlines\x1b[31m",
    "\\end{tabular}",
]


def results(*shifts: float, paired: bool = True, n: int = 400) -> list[Result]:
    generator = random(0)
    real = gaussian(n, generator)
    noise = gaussian(n, generator)
    return [
        measured(real, noise + 0.2 * gaussian(n, generator) + shift, names=numbered(n) if paired else (), subject=f"s{place}")
        for place, shift in enumerate(shifts)
    ]


def test_words_say_what_the_adjusted_p_says() -> None:
    found = genbench.compare(*results(0.3, 0.8))
    assert found["fd"].pairs[0].verdict == "worse"
    back = genbench.compare(*results(0.3, 0.8)[::-1])
    assert back["fd"].pairs[0].verdict == "better"
    assert genbench.compare(*results(0.3, 0.8)[:1] * 2)["fd"].pairs[0].verdict == "not distinguishable"


def test_all_tests_are_adjusted_together() -> None:
    found = genbench.compare(*results(0.3, 0.33, 0.8))
    pairs = [pair for metric in found.metrics for pair in metric.pairs]
    assert found.tests == len(pairs) == 6 * 3
    assert [pair.adjusted for pair in pairs] == holm([pair.p for pair in pairs if pair.p is not None])
    for pair in pairs:
        assert pair.adjusted is not None
        assert (pair.verdict == "not distinguishable") == (pair.adjusted >= 0.05)
        if pair.verdict != "not distinguishable":
            assert (pair.verdict == "worse") == (pair.difference.worsening > 0)


def test_ranks_agree_with_the_verdicts() -> None:
    found = genbench.compare(*results(0.3, 0.33, 0.8))
    for metric in found.metrics:
        for pair in metric.pairs:
            shared = set(metric.ranks[pair.base].letters) & set(metric.ranks[pair.current].letters)
            assert bool(shared) == (pair.verdict == "not distinguishable")


def test_a_smaller_alpha_claims_less() -> None:
    strict = genbench.compare(*results(0.3, 0.33), alpha=1e-12)
    assert all(pair.verdict == "not distinguishable" for metric in strict.metrics for pair in metric.pairs)


def test_what_was_shared_is_said() -> None:
    notes = " ".join(genbench.compare(*results(0.3, 0.8), metrics="fd,precision").notes)
    assert "fd@tiny: the sets share the reference and the images' names" in notes
    assert "precision@tiny: the sets share the images' names" in notes
    assert "share" not in " ".join(genbench.compare(*results(0.3, 0.8, paired=False), metrics="precision").notes)
    bare = [one.with_influence({}) for one in results(0.3, 0.8)]
    assert "without influence.safetensors" in " ".join(genbench.compare(*bare).notes)


def test_near_zero_is_said() -> None:
    generator = random(3)
    real = gaussian(500, generator)
    near = genbench.compare(*(measured(real, gaussian(500, generator)) for _ in range(2)), metrics="fd,kd,precision")
    assert [metric.pairs[0].near_zero for metric in near.metrics] == [True, True, False]
    assert "fd@tiny, kd@tiny: so near zero" in " ".join(near.notes)
    far = genbench.compare(measured(real, gaussian(500, generator)), measured(real, gaussian(500, generator, shift=0.3)))
    assert not far["fd"].pairs[0].near_zero


# -- which metrics ---------------------------------------------------------------------------------------------------------


def test_metrics_that_one_side_lacks_are_listed() -> None:
    one, other = results(0.3, 0.8)
    fewer = other.model_copy(update={"metrics": [m for m in other.metrics if m.name in ("fd", "kd")]})
    found = genbench.compare(one, fewer.with_influence(other.influence, other.image_names))
    assert [metric.name for metric in found.metrics] == ["fd@tiny", "kd@tiny"]
    assert len(found.left_out) == 4
    assert "precision@tiny/1 precision: not in s1" in found.left_out


def test_a_metric_without_a_value_is_listed_with_the_reason() -> None:
    none = Estimate(value=None, n=400, better="higher", reason="no logits")
    score = torch.randn(400, generator=random(0))
    one, other = scored(score), scored(score)
    with_none = [
        result.model_copy(update={"metrics": [*result.metrics, *result_of({"is": none}).metrics]}) for result in (one, other)
    ]
    found = genbench.compare(with_none[0], with_none[1], names=["a", "b"])
    assert [metric.name for metric in found.metrics] == ["score@tiny"]
    assert found.left_out == ("is@tiny/1 is: a has no value (no logits); b has no value (no logits)",)


def test_without_any_value_there_is_nothing_to_compare() -> None:
    none = result_of({"is": Estimate(value=None, n=400, better="higher", reason="no logits")})
    with pytest.raises(IncomparableError, match="no metric has a value in all of them: no logits"):
        genbench.compare(none, none)


def test_a_best_of_zero_between_two_values_is_said() -> None:
    def gap(value: float) -> Result:
        interval = normal_interval(value, 0.1)
        return result_of({"gap": Estimate(value=value, se=0.1, ci=interval, method="influence", n=9, better="zero")})

    notes = [" ".join(genbench.compare(gap(0.5), gap(value), names=["a", "b"]).notes) for value in (-0.5, 0.9)]
    assert [r"|b| - |a|" in said for said in notes] == [True, False]


def test_another_protocol_is_an_error_that_names_both() -> None:
    one, other = (scored(torch.randn(50, generator=random(seed)), version=seed) for seed in (1, 2))
    with pytest.raises(IncomparableError, match="score@tiny differs in protocol: score@tiny/1 and score@tiny/2"):
        genbench.compare(one, other)


def test_only_the_metrics_asked_for_can_be_in_the_way() -> None:
    generator = random(0)
    real = gaussian(200, generator)
    one, other = measured(real, gaussian(200, generator)), measured(real, gaussian(150, generator))
    with pytest.raises(IncomparableError, match="fd@tiny differs in n: 200 and 150 images"):
        genbench.compare(one, other)
    assert [metric.name for metric in genbench.compare(one, other, metrics="kd").metrics] == ["kd@tiny"]


def test_metrics_go_by_several_names() -> None:
    two = results(0.3, 0.8)
    for name in ("fd", "fd@tiny", "fd@tiny/1", "fd@tiny/1 fd"):
        assert [metric.key for metric in genbench.compare(*two, metrics=[name]).metrics] == [key_of("fd")]
        assert genbench.compare(*two)[name].key == key_of("fd")
    with pytest.raises(UsageError, match="did you mean fd"):
        genbench.compare(*two, metrics="fdd")


def test_nothing_in_common_is_an_error() -> None:
    one, other = results(0.3, 0.8)
    first, second = (
        result.model_copy(update={"metrics": [m for m in result.metrics if m.name == name]})
        for result, name in ((one, "fd"), (other, "kd"))
    )
    with pytest.raises(IncomparableError, match="no metric is in all of them: fd@tiny; kd@tiny"):
        genbench.compare(first, second)


def test_another_reference_is_an_error() -> None:
    one, _ = results(0.3, 0.8)
    assert one.reference is not None
    other = one.model_copy(update={"reference": one.reference.model_copy(update={"digest": "sha256:" + "9" * 64})})
    with pytest.raises(IncomparableError, match="reference: "):
        genbench.compare(one, other)


@pytest.mark.parametrize(
    "arguments", [{"alpha": 0.0}, {"alpha": 1e-17}, {"alpha": 1.0}, {"names": ["a"]}, {"names": ["a", "a"]}]
)
def test_arguments_that_cannot_be_right(arguments: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        genbench.compare(*results(0.3, 0.8), **arguments)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="two or more"):
        genbench.compare(results(0.3)[0])


# -- files and names -------------------------------------------------------------------------------------------------------


def test_files_and_folders_and_results_are_one(tmp_path: Path) -> None:
    two = results(0.3, 0.8)
    paths = [one.save(tmp_path / name) for one, name in zip(two, "ab", strict=True)]
    # The influence on disk has half as many digits.
    said = [str(genbench.compare(*things, names=["x", "y"])) for things in (two, paths, [path.parent for path in paths])]
    assert said[0] == said[1] == said[2]
    with pytest.raises(DataError, match="no result"):
        genbench.compare(two[0], tmp_path / "nowhere")


def test_what_results_are_called(tmp_path: Path) -> None:
    two = results(0.3, 0.8)
    assert genbench.compare(*two).names == ("s0", "s1")
    assert genbench.compare(two[0], two[0]).names == ("s0 (1)", "s0 (2)")
    paths = [two[0].save(tmp_path / name) for name in "ab"]
    assert genbench.compare(*paths).names == ("a", "b")
    assert genbench.compare(*(path.parent for path in paths)).names == ("a", "b")


def test_runs_are_results_too(tmp_path: Path) -> None:
    """By their last evaluation, under their labels; a copy of another name is itself, not its neighbour."""
    for label, one in zip("ab", results(0.3, 0.8), strict=True):
        (tmp_path / label).mkdir()
        final = Quality(evaluation=one)
        Record(label=f"run {label}", family="gan", task="unconditional", config={}, final=final).save(tmp_path / label)
    found = genbench.compare(tmp_path / "a", tmp_path / "b" / "result.json")
    assert found.names == ("run a", "run b")
    assert found["fd"].pairs[0].verdict == "worse"
    assert found["fd"].pairs[0].difference.shares == ("reference", "images")
    (tmp_path / "a" / "bad.json").write_bytes((tmp_path / "b" / "result.json").read_bytes())
    beside = genbench.compare(tmp_path / "a", tmp_path / "a" / "bad.json")
    assert beside["fd"].pairs[0].difference.value == found["fd"].pairs[0].difference.value
    assert beside["fd"].pairs[0].verdict == "worse"


def test_two_files_are_compared_without_torch(tmp_path: Path) -> None:
    paths = [one.save(tmp_path / name) for one, name in zip(results(0.3, 0.8), "ab", strict=True)]
    heavy = "{'torch', 'pandas', 'matplotlib', 'scipy', 'PIL'}"
    code = f"""
import sys
from genbench.cli import run
assert run(["compare", {str(paths[0])!r}, {str(paths[1])!r}]) == 0
loaded = {heavy} & set(sys.modules)
assert not loaded, loaded
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "worse" in done.stdout


# -- formats ---------------------------------------------------------------------------------------------------------------


def two_and_three(*names: str) -> list[Comparison]:
    found = results(0.3, 0.33, 0.8)
    return [genbench.compare(*found[:2], names=names[:2]), genbench.compare(*found, names=names[:3])]


def test_the_document_holds_everything() -> None:
    for made in two_and_three("a", "b", "c"):
        document = json.loads(made.to_json())
        assert document["schema"] == "genbench.comparison/1"
        assert len(document["metrics"]) == 6
        count = len(made.names)
        for metric, compared in zip(document["metrics"], made.metrics, strict=True):
            assert len(metric["results"]) == count
            assert len(metric["pairs"]) == count * (count - 1) // 2
            for written, pair in zip(metric["pairs"], compared.pairs, strict=True):
                assert written["difference"] == pytest.approx(pair.difference.value)
                assert written["interval"] == pytest.approx(pair.difference.interval())
                assert (written["p_adjusted"], written["verdict"]) == (pair.adjusted, pair.verdict)
            assert {"rank", "low", "high", "letters", "tied_with_best"} <= set(metric["results"][0])


def test_tables_hold_every_metric_and_name() -> None:
    for made in two_and_three("first", "second", "third"):
        for shape in ("text", "markdown", "csv", "latex"):
            printed = FORMATS[shape](made)
            for word in (*made.names, "precision@tiny"):
                assert word in printed
    rows = list(csv.DictReader(io.StringIO(FORMATS["csv"](made))))
    assert len(rows) == 6 * 3
    assert float(rows[0]["difference"]) == made.metrics[0].pairs[0].difference.value


def test_bold_is_what_is_not_worse_than_the_best() -> None:
    printed = FORMATS["markdown"](two_and_three("a", "b", "c")[1])
    bold = {line.split("|")[2].strip() for line in printed.splitlines()[2:5] if "**" in line}
    fd = two_and_three("a", "b", "c")[1]["fd"]
    assert bold == {name for name, rank in zip("abc", fd.ranks, strict=True) if rank.tied_with_best}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_do_no_harm(name: str) -> None:
    for made in two_and_three(name, "b", "c"):
        lines = len(FORMATS["text"](two_and_three("a", "b", "c")[len(made.names) - 2]).splitlines())
        printed = {shape: render(made) for shape, render in FORMATS.items()}
        assert len(printed["text"].splitlines()) == lines
        assert "\x1b" not in "".join(printed.values())
        assert (
            len({line.replace(r"\|", "").count("|") for line in printed["markdown"].splitlines() if line.startswith("|")}) == 1
        )
        assert not any(cell.startswith(("=", "+cmd", "@")) for row in csv.reader(io.StringIO(printed["csv"])) for cell in row)
        assert printed["latex"].count(r"\end{tabular}") == 1
        assert json.loads(printed["json"])["names"][0] == name
        page = as_html(made)
        assert "<img" not in page
        assert "</script" not in page


def test_values_without_an_error_bar_are_shown_without_a_verdict() -> None:
    bare = [result_of({"fd": Estimate(value=value, n=10, better="lower", reason="moments only")}) for value in (1.0, 2.0)]
    made = genbench.compare(*bare, names=["a", "b"])
    assert made.tests == 0
    assert made.metrics[0].pairs[0].verdict == "not tested"
    assert json.loads(made.to_json())["metrics"][0]["pairs"][0]["p"] is None
    assert "moments only" in str(made)


# -- notebooks -------------------------------------------------------------------------------------------------------------


def test_everything_shows_as_a_table_in_a_notebook() -> None:
    from genbench.bench.table import Cell, Row, Table

    estimate = Estimate(value=1.5, se=0.1, ci=normal_interval(1.5, 0.1), n=1000, n_real=2000, better="lower", reason="<b>")
    result = result_of({"fd": estimate}, subject="<script>alert(1)</script>")
    comparison = genbench.compare(result, result)
    table = Table(
        ["fd"], ["steps"], {"fd": "lower"}, [Row("<b>", {"family": "gan"}, {"fd": Cell(1.5, 0.1), "steps": Cell(10)})]
    )
    for thing in (estimate, result, result["fd"], comparison, comparison["fd"].pairs[0].difference, table):
        page = thing._repr_html_()
        assert page.startswith("<table>")
        assert page.count("<table>") == page.count("</table>")
        assert "1.50 ± 0.10" in page
        assert "<script" not in page
        assert "<b>" not in page
        assert "1.50 ± 0.10" in str(thing) or thing is table or thing is comparison["fd"].pairs[0].difference


def test_notebooks_need_no_pandas() -> None:
    code = """
import sys
sys.modules["pandas"] = None
from genbench.estimate import Estimate
from genbench.evaluation.result import MetricResult
estimate = Estimate(value=1.5, n=10, better="lower", reason="none")
print(MetricResult.of("fd", estimate, protocol="fd/1", layer=None, extractor=None)._repr_html_(), estimate._repr_html_())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.count("<table>") == 2
