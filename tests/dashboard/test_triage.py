"""What analysts say of rows in the dashboard: it is kept, listed, filtered and undone."""

import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from streamlit.testing.v1 import AppTest

import anomalo_dashboard
from anomalo.workspace.reviews import Review
from anomalo.workspace.workspace import Workspace

APP = Path(anomalo_dashboard.__file__).with_name("app.py")


@pytest.fixture
def home(untouched: Path, tables: Path, anomalo: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with a run that scores."""
    workspace = shutil.copytree(untouched, tmp_path / "w")
    common = ("--with", "full", "--device", "cpu", "--workspace", workspace)
    outcome = anomalo("score", tables / "patients.csv", "--threshold", "budget=5", *common)
    assert outcome.code == 0, outcome.err
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(workspace))
    return workspace


@pytest.fixture
def run(home: Path) -> str:
    return next(run.id for run in reversed(Workspace(home).runs()) if run.verb == "score")


def opened(name: str, **query: str) -> AppTest:
    app = AppTest.from_file(APP, default_timeout=600)
    app.run().switch_page(f"views/{name}.py")
    app.query_params.update(query)
    return app.run()


def rows_listed(app: AppTest) -> list[int]:
    return list(app.dataframe[0].value["row"])


def history(app: AppTest) -> str:
    return " ".join(text.value for box in app.expander for text in box.markdown)


def test_a_state_and_a_comment_on_the_page_of_a_row(home: Path, run: str) -> None:
    first = rows_listed(opened("alerts", run=run))[0]
    app = opened("row", run=run, row=str(first))
    app.text_input(key="reviewer").set_value("ann").run()
    app.button(key="mark false alarm").click().run()
    app.text_input(key=f"comment on {run} {first} 0").set_value("a known **device**").run()
    app.text_input(key=f"assignee of {run} {first} ").set_value("bob").run()
    assert not app.exception
    reviews = Workspace(home).reviews
    assert reviews.of(run) == {first: Review("false alarm", "bob", ("a known **device**",))}
    assert {change.who for change in reviews.changes(run)} == {"ann"}
    assert [box.label for box in app.expander if box.label.startswith("History")] == ["History: 3 changes"]
    assert "device" in history(app)
    assert "**device**" not in history(app), "what is said is no Markdown"
    app.button(key="undo 1").click().run()
    assert reviews.of(run)[first].state == "new"
    assert "undone by ann" in history(app)


def test_alerts_are_listed_with_their_states_and_filtered_by_them(home: Path, run: str) -> None:
    everything = rows_listed(opened("alerts", run=run))
    assert len(everything) == 5
    Workspace(home).reviews.change(run, everything[1:3], "ann", state="expected", assignee="bob")
    app = opened("alerts", run=run)
    assert list(app.dataframe[0].value["state"]) == ["new", "expected (bob)", "expected (bob)", "new", "new"]
    assert rows_listed(opened("alerts", run=run, state="Expected")) == everything[1:3]
    assert rows_listed(opened("alerts", run=run, state="New")) == [everything[0], *everything[3:]]
    assert opened("overview").dataframe[0].value.set_index("run")["right"][run] == "0 % (0 to 84 %) of 2"
    assert "No row matches" in opened("alerts", run=run, state="Fixed").info[0].value
    assert rows_listed(opened("alerts", run=run, state="nonsense")) == everything


def test_one_threshold_holds_on_all_pages(home: Path, run: str) -> None:
    table = pq.read_table(Workspace(home).run(run).path / "scores.parquet").to_pandas()
    rows = set(table["row"][table["p_value"] <= 0.2])
    assert len(rows) > 5
    app = opened("alerts", run=run)
    app.number_input(key="percent").set_value(20.0).run()
    assert set(rows_listed(app)) <= rows
    row = int(app.dataframe[0].value["row"].iloc[7])
    app.switch_page("views/row.py").run()
    assert app.number_input(key="percent").value == 20.0
    app.number_input(key="row").set_value(row).run()
    assert " is an alert" in app.header[0].value
    app.number_input(key="percent").set_value(None).run()
    assert " is not an alert" in app.header[0].value
    app.switch_page("views/alerts.py").run()
    assert len(rows_listed(app)) == 5
