"""Suggested repairs in the dashboard: on the page Row, on the page Repairs, and the job that searches them."""

import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

import anomalo_dashboard
from anomalo.calibration.thresholds import Boundary, Threshold
from anomalo.jobs.background import queue
from anomalo.workspace.workspace import RunRecord, Workspace
from anomalo_dashboard import data

APP = Path(anomalo_dashboard.__file__).with_name("app.py")
RULE = ("--threshold", "budget=4")


@pytest.fixture
def home(untouched: Path, tables: Path, anomalo: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A workspace in which `full` has scored the table; call verbs in it."""
    workspace = shutil.copytree(untouched, tmp_path / "workspace")
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(workspace))

    def call(verb: str, *options: object, model: str = "full") -> RunRecord:
        outcome = anomalo(verb, tables / "patients.csv", "--with", model, *options, "--device", "cpu", "--json")
        assert outcome.code == 0, outcome.err
        return Workspace(workspace).run(outcome.json["id"])

    call("score", *RULE)
    return call


def opened(name: str, **query: object) -> AppTest:
    app = AppTest.from_file(APP, default_timeout=600).run()
    app.switch_page(f"views/{name}.py")
    app.query_params.update({name: str(value) for name, value in query.items()})
    app.run()
    assert not app.exception, [error.message for error in app.exception]
    assert not app.error, [error.value for error in app.error]
    return app


def table(app: AppTest, *columns: str) -> pd.DataFrame:
    return next(frame.value for frame in app.dataframe if set(columns) <= set(frame.value))


def labels(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def test_a_row_shows_its_repair(home: Any) -> None:
    run = home("repair", *RULE)
    lines = data.repairs_of(run, 17)
    app = opened("row", row=17)
    assert "Suggested repair" in [head.value for head in app.subheader]
    shown = table(app, "before", "after")
    assert shown[["column", "before", "after"]].values.tolist() == lines[["column", "before", "after"]].values.tolist()
    assert shown["before"].tolist() == ["190.25"]
    (caption,) = (caption.value for caption in app.caption if "the score falls" in caption.value)
    assert f"{lines['score_before'].iloc[0]:.4g} to {lines['score_after'].iloc[0]:.4g}" in caption
    assert "no alert (alerts: the 4 most anomalous rows)" in caption
    normal = next(row for row in range(240) if row not in data.repairs(run)["row"].to_pylist())
    app = opened("row", row=normal)
    assert "Suggested repair" not in [head.value for head in app.subheader]
    assert "Suggest repairs" not in labels(app)


def test_a_row_without_a_repair_says_so(home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Threshold, "boundary", lambda *arguments: Boundary(1.0))
    run = home("repair", *RULE, "--cells", "2")
    assert "Replacing 2 cells or fewer does not make this row normal" in opened("row", row=17).info[0].value
    app = opened("repairs", run=run.id)
    assert table(app, "before")["column"].tolist() == ["no repair found"] * 4
    assert {metric.label: metric.value for metric in app.metric}["Alerts with a repair"] == "0"


@pytest.mark.slow
def test_repairs_are_searched_on_request(home: Any) -> None:
    app = opened("row", row=17)
    next(button for button in app.button if button.label == "Suggest repairs").click().run()
    (job,) = queue.jobs(data.workspace())
    assert job.commands[0][0] == "repair"
    assert job.commands[0][-2:] == RULE
    while queue.job(data.workspace(), job.id).status == "running":
        time.sleep(0.2)
    assert queue.job(data.workspace(), job.id).status == "done"
    assert "Suggested repair" in [head.value for head in opened("row", row=17).subheader]


def test_a_model_that_cannot_is_not_asked(home: Any) -> None:
    run = home("score", *RULE, model="near")
    assert "Suggest repairs" not in labels(opened("row", run=run.id, row=17))
    assert "Suggest repairs" in labels(opened("row", row=17, run="0001-score"))


def test_all_suggestions_are_on_one_page_to_filter_and_to_save(home: Any) -> None:
    run = home("repair", *RULE)
    lines = data.repairs(run).to_pandas()
    app = opened("repairs")
    assert app.query_params["run"] == run.id
    shown = table(app, "before", "after")
    assert shown["row"].tolist() == lines["row"].tolist()
    assert {metric.label: metric.value for metric in app.metric} == {
        "Alerts": "4",
        "Alerts with a repair": str(lines.loc[lines["normal"], "row"].nunique()),
        "Cells to replace": str(lines["column"].notna().sum()),
    }
    assert table(app, "cells").set_index("column")["cells"].to_dict() == lines["column"].value_counts().to_dict()
    assert "--apply -o repaired.csv" in app.code[0].value
    app.number_input(key="fill_row").set_value(17).run()
    assert table(app, "before")["row"].unique().tolist() == [17]
    app.selectbox(key="fill_column").set_value("weight").run()
    assert table(app, "before")["column"].tolist() == ["weight"]
    app.number_input(key="fill_row").set_value(200000).run()
    assert "No suggestion matches" in app.info[0].value


def test_an_applied_repair_offers_the_table(home: Any, tmp_path: Path) -> None:
    run = home("repair", *RULE, "--apply")
    assert data.output_table(run) == run.path / "repaired.csv"
    app = opened("repairs", run=run.id)
    assert [button.label for button in app.get("download_button")][:2] == [
        "Repaired table as CSV",
        "Repaired table as Parquet",
    ]
    assert not app.code
    run = home("repair", *RULE, "--apply", "-o", tmp_path / "gone.csv")
    (tmp_path / "gone.csv").unlink()
    assert "The repaired table was written to" in opened("repairs", run=run.id).warning[0].value


def test_without_alerts_there_is_nothing_to_repair(home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Threshold, "largest", lambda self, p_values: -1.0)
    run = home("repair")
    assert "Nothing to repair" in opened("repairs", run=run.id).info[0].value


def test_texts_that_no_model_reads_are_shown_like_other_cells(
    anomalo: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(3)
    x = random.uniform(-2, 2, 300)
    frame = pd.DataFrame(
        {"code": [f"AB-{at:05}" for at in random.permutation(300)], "x": x, "y": 2 * x + random.normal(size=300) / 10}
    )
    source, workspace = tmp_path / "orders.csv", tmp_path / "w"
    frame.to_csv(source, index=False)
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(workspace))
    assert anomalo("fit", source, "--as", "orders", "--model", "undercomplete", "--set", "epochs=2").code == 0
    frame.loc[[40, 90], "code"] = ["N/A", "'AB-00090'"]
    frame.to_csv(source, index=False)
    for verb in ("score", "repair"):
        assert anomalo(verb, source, "--with", "orders").code == 0
    run = Workspace(workspace).runs()[-1]
    for row, before, after in ((40, "N/A", "missing"), (90, "'AB-00090'", "AB-00090")):
        app = opened("row", row=row)
        assert table(app, "before")[["column", "before", "after"]].values.tolist() == [["code", before, after]]
        assert table(app, "observed").iloc[0][["column", "observed", "expected"]].tolist() == ["code", before, after]
        assert f"code is {before}, expected {after}" in app.subheader[0].value.replace("\\", "")
    shown = table(opened("repairs", run=run.id), "before", "row").set_index("row")
    assert shown.loc[[40, 90], "after"].tolist() == ["missing", "AB-00090"]
