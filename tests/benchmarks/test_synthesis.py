"""The benchmark of synthetic rows: parts that do not meet, resuming, and rows of another environment."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.benchmarks.loading import load

synthetic, synthesis, conditions = load("synthetic"), load("synthesis"), load("conditions")
augmentation = load("augmentation")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small table instead of adult."""
    folder, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    (folder / "mixed").mkdir()
    age = rng.integers(17, 90, 150)
    table = pd.DataFrame(
        {"age": age, "work": rng.choice(["own", "other", "?"], 150), "pay": rng.normal(age, 9).round(2)}
    )
    table["income"] = np.where(table["pay"] > 50, ">50K", "<=50K")
    table.to_csv(folder / "mixed" / "adult_train.csv", index=False)
    return folder


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["synthesis.py", *map(str, arguments)])
    synthesis.main()


def test_the_parts_of_a_table_do_not_meet(data: Path) -> None:
    table = synthetic.read(data, "adult")
    assert table["work"].isna().any()
    sample = synthetic.parts(table.assign(row=range(150)), "income", 40, seed=1)
    rows = [part["row"].tolist() for part in (sample.train, sample.holdout, sample.test, sample.fresh)]
    assert [len(part) for part in rows] == [40, 40, 70, 0]
    assert sorted(row for part in rows for row in part) == list(range(150))
    assert rows[0] != synthetic.parts(table.assign(row=range(150)), "income", 40, seed=2).train["row"].tolist()


def test_a_run_goes_on_where_it_was_and_a_failure_is_a_status(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, summary = tmp_path / "out.csv", tmp_path / "s.md"
    arguments = ("--data", data, "--tables", "adult", "--rows", 40, "--seeds", "0", "--out", out, "--summary", summary)
    run(monkeypatch, *arguments, "--models", "bootstrap", "--save", tmp_path, "--made", "other")
    before = out.read_text()
    found = pd.read_csv(out).set_index("method")
    assert found.loc["bootstrap", "status"] == "ok"
    assert found.loc["bootstrap", ["dcr", "copied"]].tolist() == [1, 1]
    assert "FileNotFoundError" in found.loc["other", "status"]
    run(monkeypatch, *arguments, "--models", "bootstrap", "--save", tmp_path, "--made", "other")
    assert out.read_text() == before
    assert "other, seed 0: FileNotFoundError" in summary.read_text()


def test_rows_of_another_environment_are_evaluated(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sample = synthetic.parts(synthetic.read(data, "adult"), "income", 40, seed=0)
    folder = synthetic.folder_of(tmp_path, 40, "adult", 0)
    synthetic.save(sample, folder)
    assert json.loads((folder / "categories.json").read_text()) == ["work", "income"]
    pd.read_csv(folder / "train.csv").to_csv(folder / "other.csv", index=False)
    (folder / "other.json").write_text('{"fit_s": 4.5, "sample_s": 0.5}')
    arguments = ("--data", data, "--tables", "adult", "--rows", 40, "--seeds", "0", "--out", tmp_path / "out.csv")
    run(monkeypatch, *arguments, "--save", tmp_path, "--made", "other")
    found = pd.read_csv(tmp_path / "out.csv").iloc[0]
    assert (found["copied"], found["fit_s"], found["rows_per_s"], found["status"]) == (1, 4.5, 80, "ok")
    assert found["tstr"] == found["trtr"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--tables", "none"), "--tables none: expected some of adult, housing"),
        (("--made", "other"), "--made: expected --save"),
        (("--models", "smotte"), "no model is named 'smotte'"),
    ],
)
def test_a_wrong_option_ends_the_program(
    arguments: tuple[str, ...], message: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    with pytest.raises(SystemExit):
        run(monkeypatch, "--data", data, "--out", tmp_path / "out.csv", *arguments)
    assert message in capsys.readouterr().err


def test_a_condition_of_one_row_in_a_thousand_is_timed_and_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table = conditions.rare(np.random.default_rng(0))
    assert (table["kind"] == "rare").mean() == 0.001
    monkeypatch.setattr(sys, "argv", ["conditions.py", "cost", "--models", "mixture"])
    conditions.main()
    printed = re.fullmatch(r"mixture: (\d+\.\d\d) of .*, kept by 100 %\n", capsys.readouterr().out)
    assert printed is not None
    assert float(printed[1]) > 0


def test_many_levels_are_made_again_and_their_memory_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["conditions.py", "levels", "--models", "bootstrap", "--levels", "300"])
    conditions.main()
    printed = re.fullmatch(
        r"bootstrap: 300 levels, 300 of them in 5,000 rows, peak [\d,]+ MiB\n", capsys.readouterr().out
    )
    assert printed is not None


def test_a_summary_without_simple_ways_to_compare_with_says_so() -> None:
    rows = pd.DataFrame({"set": ["a", "b"], "method": "edm", "ap": [0.4, 0.6], "status": "ok"})
    assert "| edm | 0.500 | none of none, weights, smote was run | |" in augmentation.summary(rows)
    rows = pd.concat([rows, rows.assign(method="none", ap=[0.3, 0.4])])
    assert "| edm | 0.500 | +0.150 (" in augmentation.summary(rows)
