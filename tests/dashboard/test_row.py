"""The page Row: strips, normal rows beside it, other scores of its id, Explain now, and the order of the list."""

import shutil
import time
import xml.dom.minidom
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from streamlit.testing.v1 import AppTest

import anomalo_dashboard
from anomalo.evaluation.distributions import Bar, Strip
from anomalo.jobs.background import queue
from anomalo.jobs.scoring.neighbours import FILE, NORMAL
from anomalo.workspace.workspace import RunRecord, Workspace
from anomalo_dashboard import data
from anomalo_dashboard.cells import drawing

APP = Path(anomalo_dashboard.__file__).with_name("app.py")


@pytest.fixture(scope="module")
def made(untouched: Path, tables: Path, anomalo: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which the same table was scored twice, first with reasons for few rows."""
    workspace = shutil.copytree(untouched, tmp_path_factory.mktemp("rows") / "workspace")
    for explain in ("0", "1000"):
        common = ("--with", "full", "--device", "cpu", "--workspace", workspace, "--threshold", "budget=5")
        outcome = anomalo("score", tables / "patients.csv", "--explain", explain, *common)
        assert outcome.code == 0, outcome.err
    return workspace


@pytest.fixture
def home(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(made))
    return made


def run_of(home: Path, at: int) -> RunRecord:
    return [run for run in Workspace(home).runs() if run.verb == "score"][at]


def opened(name: str, **query: str) -> AppTest:
    app = AppTest.from_file(APP, default_timeout=600)
    app.run().switch_page(f"views/{name}.py")
    app.query_params.update(query)
    app.run()
    assert not app.exception, [error.message for error in app.exception]
    return app


def table(app: AppTest, column: str) -> pd.DataFrame:
    return next(frame.value for frame in app.dataframe if column in frame.value)


def button(app: AppTest, label: str) -> Any:
    return next(button for button in app.button if button.label == label)


def test_each_cell_has_a_picture_of_its_column(home: Path) -> None:
    app = opened("row", run=run_of(home, -1).id, row="17")
    shown = table(app, "strip").set_index("column")
    assert shown["strip"].notna().all()
    for address in shown["strip"]:
        assert xml.dom.minidom.parseString(unquote(address).partition(",")[2]).documentElement.tagName == "svg"
    weight, smoker = (unquote(shown.loc[name, "strip"]) for name in ("weight", "smoker"))
    assert ">191<" in weight, "the strip reaches to the observed value"
    assert weight.count("<path") == 4, "the ground, both marks, and a triangle"
    assert ">yes<" in smoker
    assert ">no<" in smoker


def test_a_picture_holds_texts_only_as_texts() -> None:
    names = ("<script>alert(1)</script>", 'a"&b\x00\u202e', "c")
    bars = tuple(Bar(at / 3, (at + 1) / 3, 1.0, name) for at, name in enumerate(names))
    for theme in ("light", "dark", None):
        address = drawing.picture(Strip(bars, 0.5, None), theme)
        drawn = xml.dom.minidom.parseString(unquote(address).partition(",")[2])
        assert {element.tagName for element in drawn.getElementsByTagName("*")} == {"svg", "path", "rect", "text"}
        assert address.isascii()
    assert drawing.picture(Strip(bars, 0.5, None), "light") != drawing.picture(Strip(bars, 0.5, None), "dark")


def test_a_row_is_shown_beside_its_nearest_normal_rows(home: Path) -> None:
    run = run_of(home, -1)
    app = opened("row", run=run.id, row="17")
    near = pq.read_table(run.path / FILE, filters=[("row", "==", 17)]).to_pandas()["neighbour"].tolist()
    normal = pq.read_table(run.path / NORMAL).to_pandas().set_index("row")
    shown = table(app, "0").set_index("column")
    assert list(shown.columns) == ["row", *map(str, range(len(near)))]
    assert shown.index[0] == "weight", "the cell that contributes most comes first"
    assert set(shown.index) == set(normal.columns)
    assert shown.loc["weight", "row"] == "190.25"
    for at, row in enumerate(near):
        assert shown.loc["weight", str(at)] == f"≠ {normal.loc[row, 'weight']}"
        same = normal.loc[row, "smoker"] == shown.loc["smoker", "row"]
        assert shown.loc["smoker", str(at)] == ("" if same else "≠ ") + normal.loc[row, "smoker"]


def test_other_scores_of_the_same_id_are_listed(home: Path) -> None:
    first, second = run_of(home, 0), run_of(home, -1)
    app = opened("row", run=second.id, row="17")
    shown = table(app, "when")
    assert shown[["run", "row", "alert"]].values.tolist() == [[first.id, 17, True]]
    assert shown["score"].tolist() == [data.scores(first).score[17]]
    assert "Other scores of p017" in [head.value for head in app.header]


def test_previous_and_next_go_through_the_list_that_was_seen(home: Path) -> None:
    run = run_of(home, -1)
    scores = data.scores(run)
    app = opened("alerts", run=run.id, column="colour", show="all rows")
    listed = table(app, "reasons")["row"].tolist()
    assert 2 < len(listed) < 240
    app.session_state["_arriving"] = {"run": run.id, "row": listed[1]}
    app.switch_page("views/row.py").run()
    assert app.number_input(key="row").value == listed[1]
    captions = " ".join(caption.value for caption in app.caption)
    assert f"Number 2 of the {len(scores.columns['colour']):,} rows listed on Alerts" in captions
    button(app, "Next").click().run()
    assert app.number_input(key="row").value == listed[2]
    button(app, "Previous").click().run()
    button(app, "Previous").click().run()
    assert app.number_input(key="row").value == listed[0]
    assert button(app, "Previous").disabled
    other = next(int(row) for row in scores.order if row not in set(scores.columns["colour"]))
    app.number_input(key="row").set_value(other).run()
    button(app, "Next").click().run()
    assert app.number_input(key="row").value == scores.order[scores.rank[other] + 1], "a row outside of the list"


@pytest.mark.slow
def test_a_row_without_reasons_is_explained_now_and_stays_so(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = shutil.copytree(made, tmp_path / "w")
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(home))
    run = run_of(home, 0)
    row = str(data.scores(run).order[-1])
    app = opened("row", run=run.id, row=row)
    assert "most anomalous rows" in app.info[0].value
    button(app, "Explain now").click().run()
    assert not app.exception
    job = queue.jobs(home)[0]
    assert job.commands[0][:1] == ("explain",)
    while (job := queue.job(home, job.id)).status == "running":
        time.sleep(0.1)
    assert job.status == "done", job.message
    app = opened("row", run=run.id, row=row)
    whole = pq.read_table(run_of(home, -1).path / "cells.parquet", filters=[("row", "==", int(row))]).to_pandas()
    assert table(app, "contribution")["column"].tolist() == (
        whole.sort_values("contribution", ascending=False)["column"].tolist()
    )
    assert "0" in table(app, "row").columns, "its nearest normal rows are there, too"
    assert not [one for one in app.button if one.label == "Explain now"]


def test_a_run_of_an_older_version_is_shown_without_what_it_lacks(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = shutil.copytree(made, tmp_path / "w")
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(home))
    run = run_of(home, -1)
    (run.path / FILE).unlink()
    (run.path / NORMAL).unlink()
    shutil.rmtree(Workspace(home).model("full").path)
    app = opened("row", run=run.id, row="17")
    assert not app.error
    shown = table(app, "contribution")
    assert "strip" not in shown
    assert "The nearest normal rows" not in [head.value for head in app.header]
    assert np.isfinite(shown["contribution"]).all()
