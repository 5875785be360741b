"""`anomalo evaluate` and its job: the figures, the files, what is refused, and a page that needs nothing else."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from anomalo.jobs.synthesis import evaluate as job
from anomalo.workspace.workspace import Workspace


@pytest.fixture(scope="module")
def folder(patients: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real rows in two halves, copies of some of the first, and rows whose columns are unrelated."""
    folder = tmp_path_factory.mktemp("evaluate")
    table = patients.drop(columns="sick")
    train, holdout = table.iloc[:120], table.iloc[120:]
    rng = np.random.default_rng(0)
    loose = pd.DataFrame({name: rng.permutation(column.to_numpy()) for name, column in train.items()})
    for name, rows in {"train": train, "holdout": holdout, "copies": train.iloc[:60], "loose": loose}.items():
        rows.to_csv(folder / f"{name}.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def outcome(anomalo: Any, folder: Path) -> Any:
    common = ("--real", folder / "train.csv", "--holdout", folder / "holdout.csv", "--label", "smoker")
    return anomalo(
        "evaluate",
        "--synthetic",
        folder / "copies.csv",
        *common,
        "-o",
        folder / "report",
        "--workspace",
        folder / "w",
        "--json",
    )


@pytest.mark.slow
def test_copies_are_called_copies(outcome: Any) -> None:
    assert outcome.code == 0, outcome.err
    assert outcome.json["assessment"]["title"] == "copies of the training rows"
    assert outcome.json["copied"] == 1
    assert outcome.json["closeness"]["nearer_share"] == 1
    assert outcome.json["distinguishability"]["holdout"] > 0.3
    assert outcome.json["usefulness"]["measure"] == "AUROC"
    assert "name" in outcome.err  # the column of names is not compared


def test_the_report_is_written_and_stored_as_a_run(outcome: Any, folder: Path) -> None:
    run = Workspace(folder / "w").run(outcome.json["run"])
    assert run.verb == "evaluate"
    assert run.summary["quality"] == outcome.json["quality"]
    for written in (folder / "report", run.path):
        assert sorted(path.name for path in written.iterdir()) == ["report.html", "report.json"]
    value = json.loads((folder / "report" / "report.json").read_text())
    assert [entry["column"] for entry in value["columns"]] == ["height", "weight", "children", "colour", "smoker"]
    assert outcome.json["files"] == [str(folder / "report" / name) for name in ("report.json", "report.html")]


def test_the_page_needs_nothing_else_and_no_two_pictures_share_a_name(outcome: Any, folder: Path) -> None:
    text = (folder / "report" / "report.html").read_text()
    assert "Copies of the training rows" in text
    assert text.count("<svg") == 5 + 2
    assert not re.search(r"""(?:src|href)=["']\s*(?:https?:)?//|<script|@import""", text)
    names = re.findall(r'\bid="([^"]+)"', text)
    assert len(names) == len(set(names))
    assert set(re.findall(r"url\(#([^)]+)\)", text)) <= set(names)


def test_equal_seeds_give_equal_files_and_what_is_there_is_replaced(anomalo: Any, folder: Path, outcome: Any) -> None:
    before = {path.name: path.read_bytes() for path in (folder / "report").iterdir()}
    common = ("--real", folder / "train.csv", "--holdout", folder / "holdout.csv", "--label", "smoker")
    again = anomalo(
        "evaluate", "--synthetic", folder / "copies.csv", *common, "-o", folder / "report", "--workspace", folder / "w"
    )
    assert again.code == 0, again.err
    assert again.out.startswith("Copies of the training rows\n")
    assert {path.name: path.read_bytes() for path in (folder / "report").iterdir()} == before


def test_without_further_rows_it_says_what_was_not_checked(anomalo: Any, folder: Path) -> None:
    tables = ("--synthetic", folder / "loose.csv", "--real", folder / "train.csv")
    outcome = anomalo("evaluate", *tables, "--workspace", folder / "w")
    assert outcome.code == 0, outcome.err
    assert "not checked:" in outcome.out
    assert "--holdout" in outcome.out
    assert "report in" in outcome.out


def test_without_the_extra_there_is_json_only(anomalo: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    tables = ("--synthetic", folder / "loose.csv", "--real", folder / "train.csv")
    outcome = anomalo("evaluate", *tables, "-o", folder / "bare", "--workspace", folder / "w")
    assert outcome.code == 0, outcome.err
    assert "anomalo-engine[report]" in outcome.err
    assert [path.name for path in (folder / "bare").iterdir()] == ["report.json"]


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"--label": "smokes"}, 2, "smoker"),
        ({"--synthetic": "none.csv"}, 1, "none.csv"),
        ({"-o": "train.csv"}, 1, "train.csv"),
        ({"--synthetic": "wrong.csv"}, 4, "synthetic rows lack column"),
    ],
)
def test_what_cannot_be_done_is_refused(
    anomalo: Any, folder: Path, change: dict[str, str], code: int, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    Path("wrong.csv").write_text("height\n1\n2\n")
    options = {"--synthetic": "loose.csv", "--real": "train.csv", "--workspace": "w"} | change
    outcome = anomalo("evaluate", *(word for pair in options.items() for word in pair))
    assert outcome.code == code
    assert words in outcome.err
    assert "Traceback" not in outcome.err


def test_a_label_of_two_numbers_is_a_class() -> None:
    import pyarrow as pa

    table = pa.table({"x": np.arange(50.0), "y": np.repeat([0.0, 1.0], 25), "z": np.arange(50.0) ** 2})
    assert job._schema(table, "y").column("y").kind == "category"
    assert job._schema(table, "z").column("z").kind in ("number", "integer")
