"""A suite from file to table: folders, repetition, failure, floor and ceiling."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from genbench import catalog
from genbench.bench.grid import LABEL, side_by_side
from genbench.bench.measure import SAMPLE_SEED
from genbench.bench.pool import run_apart
from genbench.bench.record import Record, records_below
from genbench.bench.runner import HELD_OUT, run_suite
from genbench.bench.suite import Suite, find_suite, load_suite
from genbench.bench.table import FLOOR, FORMATS, make_table, render
from genbench.cli import run
from genbench.errors import DataError, IncomparableError, UsageError
from genbench.images import to_uint8
from genbench.training.saved import load_model


def small(**changes: object) -> Suite:
    table: dict[str, object] = {
        "version": 1,
        "title": "Small",
        "dataset": "digits",
        "metrics": ["fd@tiny", "precision@tiny"],
        "num_images": 120,
        "num_scored": 20,
        "budget": {"steps": 4},
        "entries": [
            {"model": "gaussian"},
            {"model": "vae", "args": {"decoder": "categorical"}},
            {"model": "conditional_gan"},
        ],
    }
    return Suite.model_validate(table | changes)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Record]]:
    folder = tmp_path_factory.mktemp("runs")
    return folder, run_suite(small(seeds=[0, 1]), "small", folder, device="cpu")


def test_every_run_has_a_folder_with_all_of_it(runs: tuple[Path, list[Record]]) -> None:
    folder, records = runs
    assert len(records) == 1 + 3 * 2
    run = folder / "vae" / "seed1"
    names = {path.name for path in run.iterdir()}
    assert {"config.json", "log.jsonl", "model.safetensors", "model.json", "samples.png", "result.json"} <= names
    record = Record.load(run)
    assert record.cost is not None
    assert record.cost.steps == 4
    assert record.cost.parameters > 1_000
    assert record.likelihood is not None
    assert record.likelihood.kind == "lower bound"
    assert record.environment["device"] == "cpu"
    assert record.best is not None
    assert record.final is not None
    assert record.final.evaluation is not None
    assert set(record.final.evaluation.influence) == set(record.final.evaluation.by_protocol)
    assert len(record.final.evaluation.image_names) == 120
    with Image.open(run / "samples.png") as picture:
        assert picture.width > 300


def test_the_quick_diagnostics_of_a_model_s_mechanism_are_recorded(
    runs: tuple[Path, list[Record]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    recorded = {record.family: record.diagnostics for record in runs[1]}
    assert {"active_units", "latent_c2st", "reconstruction_error"} <= set(recorded["vae"])
    assert {"critic_accuracy", "critic_slope"} <= set(recorded["gan"])
    assert "active_units" not in recorded["linear"]
    assert recorded["gan"]["critic_w1"] is None

    def refusing(model: object, x: object) -> None:
        raise DataError("E-NON-FINITE", "nothing is finite here")

    monkeypatch.setattr("genbench.diagnostics.posterior_collapse.posteriors", refusing)
    _, record = run_suite(small(entries=[{"model": "vae"}]), "small", tmp_path, device="cpu")
    assert record.error is None, "a diagnostic that finds no number is no reason to lose a run"
    assert record.diagnostics["active_units"] is None
    assert record.diagnostics["latent_c2st"] is not None


@pytest.mark.parametrize(
    ("part", "error"), [("applies", RuntimeError("CUDA out of memory")), ("compute", ValueError("too few"))]
)
def test_no_failure_of_a_diagnostic_costs_the_model_or_its_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str, error: Exception
) -> None:
    def fail(asked: object) -> None:
        assert (run / "model.safetensors").is_file(), "the model is saved first"
        raise error

    run = tmp_path / "vae" / "seed0"
    with monkeypatch.context() as patched:
        patched.setitem(catalog.find("diagnostics", "posterior_collapse").__dict__, part, fail)
        _, record = run_suite(small(entries=[{"model": "vae"}]), "small", tmp_path, device="cpu")
    assert record.error is None
    assert record.final is not None
    assert record.diagnostics["active_units"] is None
    assert record.diagnostics["latent_c2st"] is not None
    why = (run / "diagnostics-error.txt").read_text()
    assert "posterior_collapse:" in why
    assert str(error) in why
    load_model(run)
    (run / "result.json").unlink()
    _, again = run_suite(small(entries=[{"model": "vae"}]), "small", tmp_path, device="cpu")
    assert again.diagnostics["active_units"] is not None
    assert not (run / "diagnostics-error.txt").exists()


def test_only_the_first_seed_measures_the_untrained(runs: tuple[Path, list[Record]]) -> None:
    folder, _ = runs
    assert Record.load(folder / "vae" / "seed0").untrained is not None
    assert Record.load(folder / "vae" / "seed1").untrained is None


def test_the_stored_model_gives_the_pictured_samples(runs: tuple[Path, list[Record]]) -> None:
    folder, _ = runs
    model = load_model(folder / "gaussian" / "seed0")
    with Image.open(folder / "gaussian/seed0/samples.png") as picture:
        pictured = picture.convert("L").getpixel((5, 5))
    first = to_uint8(model.generate(1, seed=SAMPLE_SEED))[0, 0, 0, 0]
    assert pictured == int(first)


def test_one_picture_shows_every_run_once(runs: tuple[Path, list[Record]], tmp_path: Path) -> None:
    """The samples of a best checkpoint, in a folder of its own, are no run."""
    folder = tmp_path / "runs"
    shutil.copytree(runs[0], folder)
    run = folder / "vae" / "seed0"
    (run / "best").mkdir(exist_ok=True)
    shutil.copy(run / "samples.png", run / "best" / "samples.png")
    (folder / "gaussian" / "seed1" / "samples.png").unlink()
    with Image.open(side_by_side(folder, runs[1])) as page, Image.open(run / "samples.png") as sheet:
        assert page.height == (len(runs[1]) - 1) * (sheet.height // 4 + LABEL)


def test_nothing_finished_is_repeated(runs: tuple[Path, list[Record]]) -> None:
    folder, _ = runs
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    told: list[tuple[str, str]] = []
    run_suite(small(seeds=[0, 1]), "small", folder, device="cpu", tell=lambda *what: told.append(what))
    assert {event for _, event in told} == {"finished before"}
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()} == before


def test_another_configuration_is_refused(runs: tuple[Path, list[Record]]) -> None:
    folder, _ = runs
    with pytest.raises(UsageError, match="budget = 4 steps, now it is 5 steps"):
        run_suite(small(budget={"steps": 5}), "small", folder, device="cpu")


def test_a_failed_entry_is_a_row_and_the_others_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from genbench.models.vae.vae import VAE

    with monkeypatch.context() as patched:
        patched.setattr(VAE, "sample", lambda *_, **__: [][0])
        records = run_suite(small(), "small", tmp_path, device="cpu")
        assert [record.error is None for record in records] == [True, True, False, True]
        text = render(make_table(records), "text")
        assert "failed: VAE: " in text
        assert (tmp_path / "vae/seed0/error.txt").read_text()
    records = run_suite(small(), "small", tmp_path, device="cpu")  # repeated, it is tried again
    assert all(record.error is None for record in records)


def test_processes_give_the_same_numbers(runs: tuple[Path, list[Record]], tmp_path: Path) -> None:
    _, alone = runs
    together = run_suite(
        small(entries=[{"model": "gaussian"}, {"model": "vae", "args": {"decoder": "categorical"}}]),
        "small",
        tmp_path,
        device="cpu",
        jobs=2,
    )
    by_label = {(record.label, record.config.get("seed")): record for record in alone}
    for record in together:
        kept = by_label[record.label, record.config.get("seed")]
        assert record.final is not None
        assert kept.final is not None
        assert record.final.values()["fd@tiny"].value == pytest.approx(kept.final.values()["fd@tiny"].value, rel=1e-4)


def test_a_process_that_dies_takes_no_other_with_it() -> None:
    outcomes = dict(run_apart(dies_at_two, [1, 2, 3, 4], 2))
    assert outcomes == {1: "1", 2: None, 3: "3", 4: "4"}


def dies_at_two(job: int) -> str:
    if job == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return str(job)


def test_runs_do_not_take_the_place_of_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="would be taken for the data"):
        run_suite(load_suite(find_suite("digits")), "digits.toml", Path("digits"))
    assert not Path("digits").exists()


def test_an_interruption_stops_the_processes_and_the_command_goes_on_later(tmp_path: Path) -> None:
    """Ctrl-C in a terminal reaches the whole group; nothing hangs, and the repeated command finishes."""
    suite = tmp_path / "suite.toml"
    lines = ["version = 1", 'title = "T"', 'dataset = "digits"', 'metrics = ["fd@tiny"]', "num_images = 100", "num_scored = 10"]
    lines += ["budget.steps = 100000", "seeds = [0, 1]", "[[entries]]", 'model = "gaussian"', "[[entries]]", 'model = "vae"']
    suite.write_text("\n".join(lines))
    command = [sys.executable, "-m", "genbench", "run", str(suite), "-o", str(tmp_path / "runs"), "--jobs", "2"]
    process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    log = tmp_path / "runs/vae/seed0/log.jsonl"
    for _ in range(600):
        if log.is_file():
            break
        time.sleep(0.1)
    assert log.is_file()
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "repeat the same command" in told
    assert "failed" not in told
    assert not (tmp_path / "runs/vae/seed0/result.json").exists()
    suite.write_text("\n".join(lines).replace("100000", "3"))
    shutil.rmtree(tmp_path / "runs/vae")
    shutil.rmtree(tmp_path / "runs/gaussian")
    assert run(["run", str(suite), "-o", str(tmp_path / "runs"), "-q"]) == 0


def test_points_are_measured_on_their_coordinates(tmp_path: Path) -> None:
    suite = small(dataset="ring", metrics=["mode_coverage", "fid"], entries=[{"model": "gmm", "args": {"components": 8}}])
    records = run_suite(
        suite.model_copy(update={"num_images": 1000, "budget": small(budget={"steps": 60}).budget}),
        "ring",
        tmp_path,
        device="cpu",
    )
    assert [record.error for record in records] == [None, None]
    ceiling = records[0].final
    assert ceiling is not None
    assert ceiling.points["modes_found"].value == 8
    assert ceiling.points["high_quality"].value == pytest.approx(0.989, abs=0.015)
    assert records[1].likelihood is not None
    assert records[1].likelihood.unit == "nats"
    assert "log density" in render(make_table(records), "text")


# -- the table -----------------------------------------------------------------------------------------------------------


def test_the_table_stands_between_floor_and_ceiling(runs: tuple[Path, list[Record]]) -> None:
    table = make_table(runs[1])
    assert table.rows[0].label == HELD_OUT
    assert table.rows[-1].label == FLOOR
    systems = [row.cells["fd@tiny"].mean for row in table.rows[1:-1]]
    assert systems == sorted(systems)
    assert table.rows[0].cells["fd@tiny"].mean < min(systems)
    assert {row.texts["condition"] for row in table.rows} == {"–", "class"}


def test_seeds_are_averaged_and_their_spread_is_shown(runs: tuple[Path, list[Record]]) -> None:
    table = make_table(runs[1])
    row = next(row for row in table.rows if row.label == "VAE")
    values = [record.final.values()["fd@tiny"].value for record in runs[1] if record.label == "VAE" and record.final]
    assert row.cells["fd@tiny"].mean == pytest.approx(sum(values) / 2)
    assert row.cells["fd@tiny"].sd == pytest.approx(abs(values[0] - values[1]) / 2**0.5)
    assert row.texts["seeds"] == "2"


def test_likelihoods_carry_their_kind(runs: tuple[Path, list[Record]]) -> None:
    text = render(make_table(runs[1]), "text")
    assert "bound" in next(line for line in text.splitlines() if line.startswith("VAE"))
    assert "dequantised" in next(line for line in text.splitlines() if line.startswith("Gaussian"))


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_shows_every_system(runs: tuple[Path, list[Record]], format: str) -> None:
    text = render(make_table(runs[1]), format)
    for label in ("VAE", "held-out data", FLOOR):
        assert label in text


def test_csv_and_json_hold_the_numbers(runs: tuple[Path, list[Record]]) -> None:
    table = make_table(runs[1])
    rows = list(csv.DictReader(io.StringIO(render(table, "csv"))))
    assert float(rows[1]["fd@tiny"]) == table.rows[1].cells["fd@tiny"].mean
    document = json.loads(render(table, "json"))
    assert document["rows"][1]["cells"]["fd@tiny"]["se"] == table.rows[1].cells["fd@tiny"].se


def test_hostile_labels_are_harmless(runs: tuple[Path, list[Record]]) -> None:
    records = [
        record.model_copy(update={"label": "=cmd|' /C & 100%_x"}) if record.label == "VAE" else record for record in runs[1]
    ]
    table = make_table(records)
    assert "'=cmd" in render(table, "csv")
    assert r"=cmd\|'" in render(table, "markdown")
    assert r"\& 100\%\_x" in render(table, "latex")


def test_runs_of_one_label_differ_in_the_seed_alone(runs: tuple[Path, list[Record]]) -> None:
    vae = next(record for record in runs[1] if record.label == "VAE")
    longer = vae.model_copy(update={"config": vae.config | {"budget": "9 steps", "seed": 9}})
    for other in (longer, vae):
        with pytest.raises(IncomparableError, match="two runs are called 'VAE'"):
            make_table([*runs[1], other])


def test_runs_of_several_suites_do_not_mix(runs: tuple[Path, list[Record]]) -> None:
    other = runs[1][1].model_copy(update={"config": runs[1][1].config | {"dataset": "mnist"}})
    with pytest.raises(IncomparableError, match="dataset"):
        make_table([*runs[1], other])


def test_a_folder_without_runs_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no finished runs"):
        records_below(tmp_path)
