"""Overview's lines: alerts beside what is expected, drift, reviews and owner of each table, and one table in detail."""

import doctest
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

import anomalo_dashboard
from anomalo.calibration.expected_alerts import expected_alerts
from anomalo.jobs.comparing.histories import History, histories
from anomalo.workspace.authorship import who
from anomalo.workspace.workspace import Workspace
from anomalo_dashboard import data
from anomalo_dashboard.histories import charts, detail, lines

APP = Path(anomalo_dashboard.__file__).with_name("app.py")


@pytest.fixture(scope="module")
def scored(
    untouched: Path, tables: Path, patients: pd.DataFrame, anomalo: Any, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A workspace where `full` scored the table, and then another one, taller and with missing weights."""
    folder = tmp_path_factory.mktemp("histories")
    workspace = shutil.copytree(untouched, folder / "workspace")
    tomorrow = patients.assign(height=patients["height"] + 40, weight=patients["weight"].where(patients.index % 2 == 0))
    tomorrow.to_csv(folder / "tomorrow.csv", index=False)
    for table in (tables / "patients.csv", folder / "tomorrow.csv"):
        given = ("--with", "full", "--threshold", "share=0.05", "--device", "cpu", "--workspace", workspace)
        assert anomalo("score", table, *given).code == 0
    return workspace


@pytest.fixture
def home(scored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    workspace = shutil.copytree(scored, tmp_path / "workspace")
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(workspace))
    return workspace


def opened(**query: str) -> AppTest:
    app = AppTest.from_file(APP, default_timeout=600).run()
    app.switch_page("views/overview.py")
    app.query_params.update(query)
    app.run()
    assert not app.exception, [error.message for error in app.exception]
    assert not app.error, [error.value for error in app.error]
    return app


def line(app: AppTest) -> dict[str, Any]:
    (found,) = next(frame.value for frame in app.dataframe if "band" in frame.value).to_dict("records")
    return found


def history(workspace: Path) -> History:
    store = Workspace(workspace)
    (found,) = histories(store.models(), store.runs())
    return found


def test_a_table_has_one_line_for_all_files_that_its_models_scored(home: Path) -> None:
    first, last = history(home).runs
    found = line(opened())
    shares = [100 * run.summary["alerts"] / 240 for run in (first, last)]
    low, high = (count / 240 for count in expected_alerts(240, 0.05, 240))
    assert (found["name"], found["size"], found["who"]) == ("patients.csv", 240, who())
    assert list(found["rates"]) == pytest.approx(shares)
    assert found["share"] == pytest.approx(shares[1])
    assert found["band"] == f"above {lines.interval((low, high))}"
    assert shares[0] / 100 <= high < shares[1] / 100
    assert set(found["drift"].split(", ")) == {"height", "weight"}
    assert found["missing"] == pytest.approx(100 * last.summary["drift"]["missing"])
    assert found["unreviewed"] == last.summary["alerts"]


def test_reviews_count_where_the_row_is_an_alert(home: Path) -> None:
    store, last = Workspace(home), history(home).runs[-1]
    order = data.scores(last).order.tolist()
    store.reviews.change(last.id, [*order[:3], order[-1]], "mary", state="acknowledged")
    store.reviews.change(last.id, order[3:4], "mary", state="false alarm")
    store.reviews.change(last.id, order[4:5], "mary", comment="?")
    found = line(opened())
    assert found["unreviewed"] == last.summary["alerts"] - 4
    assert found["precision"].startswith("80 % (")
    assert found["precision"].endswith(" of 5")


def test_the_detail_has_a_point_for_each_run_and_the_drift_of_the_last(home: Path) -> None:
    table = history(home)
    found = charts.frame(table, lines.shown(table))
    assert found["group"].tolist() == [charts.WITHIN, charts.OUTSIDE]
    assert found["file"].tolist() == ["patients.csv", "tomorrow.csv"]
    for chart in (charts.rates(found), charts.volumes(found), charts.missing(found)):
        assert chart.to_dict()
    app = opened()
    assert "patients.csv over time" in app.header[1].value
    drift = next(frame.value for frame in app.dataframe if "distance" in frame.value).set_index("column")
    assert drift.index[0] == "height"
    assert drift.loc[["height", "colour"], "differs"].tolist() == [True, False]
    assert drift["now"]["weight"] > 50 > drift["before"]["weight"]


def test_a_line_opens_the_alerts_of_the_last_run(home: Path) -> None:
    app = opened()
    app.session_state["open_table"] = SimpleNamespace(row=0)
    app.run()
    assert app.title[0].value == "Alerts"
    assert app.query_params["run"] == history(home).runs[-1].id


def test_tables_of_one_name_are_distinguished(home: Path) -> None:
    table = history(home)
    other = History("/elsewhere/patients.csv", (), table.runs)
    assert lines.names([table, other, other]) == ["patients.csv (fill, full, near)", "patients.csv", "patients.csv (2)"]


def test_a_table_that_was_not_scored_yet_has_a_line(untouched: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(untouched))
    found = line(opened())
    assert (found["name"], found["last"], found["open"]) == ("patients.csv", "not scored yet", "Model")
    assert found["band"] == found["drift"] == found["precision"] == ""


@pytest.mark.parametrize("module", [lines, charts, detail])
def test_examples_in_the_docstrings(module: Any) -> None:
    assert doctest.testmod(module).failed == 0


def test_who_did_what_is_listed(scored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(scored))
    run = Workspace(scored).runs()[-1]
    Workspace(scored).reviews.change(run.id, [3], "ada", state="fixed")
    app = AppTest.from_file(APP, default_timeout=300).run()
    app.switch_page("views/overview.py").run()
    shown = next(frame.value for frame in app.dataframe if "action" in frame.value)
    assert shown[["who", "action", "subject"]].iloc[0].tolist() == ["ada", "review", run.id]
    assert "score" in shown["action"].tolist()
