"""What analysts say of rows in the dashboard: it is kept, listed, filtered and undone."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

import anomalo_dashboard
from anomalo.workspace.reviews import Review
from anomalo.workspace.workspace import Workspace
from anomalo_dashboard import charts, data
from anomalo_dashboard.inbox import filters, listing, past, threshold
from anomalo_dashboard.security.files import ALLOWED
from anomalo_dashboard.starting.score_form import SCORE

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


def seen(app: AppTest) -> str:
    return " ".join(text.value for text in app.markdown)


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
    listed = next(frame.value for frame in opened("overview").dataframe if "right" in frame.value)
    assert listed.set_index("run")["right"][run] == "0 % (0 to 84 %) of 2"
    assert "No row matches" in opened("alerts", run=run, state="Fixed").info[0].value
    assert rows_listed(opened("alerts", run=run, state="nonsense")) == everything


def test_the_threshold_is_saved_with_the_model_and_taken_back(home: Path, run: str) -> None:
    app = opened("alerts", run=run)
    app.session_state["save_threshold"] = True
    app.number_input(key="percent").set_value(20.0).run()
    assert "full@1** at **p-value at most 1\N{NO-BREAK SPACE}%**, as no threshold" in seen(app)
    app.button(key="save it").click().run()
    store = Workspace(home)
    assert store.model("full").threshold == "share=0.2"
    assert app.button(key="save it").disabled
    app.button(key="undo saving").click().run()
    assert store.model("full").threshold == ""
    app.number_input(key="percent").set_value(None).run()
    app.button(key="save it").click().run()
    assert store.model("full").threshold == "budget=5", "the threshold of the run"
    app.button(key="save none").click().run()
    assert [line.details for line in store.activity() if line.action == "threshold"] == [
        "budget=5 removed", "budget=5", "share=0.2 removed", "share=0.2"
    ]  # fmt: skip
    app.number_input(key="percent").set_value(0.0).run()
    app.button(key="save it").click().run()
    assert "expected share=S" in app.error[0].value


def test_a_table_is_scored_at_the_saved_threshold_if_no_other_is_given(
    home: Path, tables: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ALLOWED, str(tables))
    store = Workspace(home)
    store.versions.save_threshold(store.model("full"), "fdr=0.1")
    app = AppTest.from_file(APP, default_timeout=600)
    app.query_params.update({"door": SCORE, "source": str(tables / "patients.csv"), "with": "full@1"})
    app.run()
    assert "--threshold" not in app.code[0].value
    app.number_input(key="alert_on_saved").set_value(2.0).run()
    assert "--threshold share=0.02" in app.code[0].value


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


def in_view(app: AppTest) -> str:
    return app.header[0].value.split(" ")[1]


def test_after_a_state_the_next_row_is_in_view_and_the_state_can_be_undone(home: Path, run: str) -> None:
    app = opened("alerts", run=run)
    listed = rows_listed(app)
    assert in_view(app) == str(listed[0])
    app.button(key="mark false alarm").click().run()
    assert in_view(app) == str(listed[1])
    app.button(key="inbox J").click().run()
    app.button(key="mark fixed").click().run()
    reviews = Workspace(home).reviews
    assert {row: review.state for row, review in reviews.of(run).items()} == {
        listed[0]: "false alarm",
        listed[2]: "fixed",
    }
    app.button(key="undo last").click().run()
    assert set(reviews.of(run)) == {listed[0]}
    app.button(key="inbox K").click().run()
    assert in_view(app) == str(listed[2])
    assert not app.exception


def test_a_row_that_no_longer_matches_leaves_the_list_and_the_next_one_is_in_view(home: Path, run: str) -> None:
    app = opened("alerts", run=run, state="New")
    listed = rows_listed(app)
    app.button(key="mark expected").click().run()
    assert rows_listed(app) == listed[1:]
    assert in_view(app) == str(listed[1])


def test_the_row_in_view_is_on_the_page_that_is_shown(run: str) -> None:
    order = data.scores(Workspace(data.workspace()).run(run)).order
    app = opened("alerts", run=run, show="all rows", at=str(order[49]))
    assert in_view(app) == str(order[49])
    app.button(key="inbox J").click().run()
    assert in_view(app) == str(order[50])
    assert app.pagination(key="page").value == 2
    app.pagination(key="page").set_value(3).run()
    assert in_view(app) == str(order[100])


def test_rows_are_chosen_together_and_marked(home: Path, run: str) -> None:
    app = opened("alerts", run=run)
    app.checkbox(key=f"every {run}").check().run()
    app.button(key="mark acknowledged").click().run()
    reviews = Workspace(home).reviews.of(run)
    assert {row: review.state for row, review in reviews.items()} == dict.fromkeys(rows_listed(app), "acknowledged")


def test_rows_are_filtered_by_assignee_and_by_the_value_of_any_column(home: Path, run: str) -> None:
    listed = rows_listed(opened("alerts", run=run))
    Workspace(home).reviews.change(run, listed[3:4], "ann", assignee="bob")
    assert rows_listed(opened("alerts", run=run, assignee="bob")) == listed[3:4]
    kept = pq.read_table(Workspace(home).run(run).path / "rows.parquet").to_pandas().set_index("row").loc[listed]
    colour = kept["colour"].dropna().iloc[0]
    same = kept.index[kept["colour"] == colour].tolist()
    assert rows_listed(opened("alerts", run=run, where="colour", value=f" {colour} ")) == same
    heavy = kept.index[kept["weight"].astype(float) > 100].tolist()
    record = Workspace(home).run(run)
    assert set(heavy) <= set(filters.with_value(record, "weight", "> 100").tolist())
    assert set(filters.with_value(record, "weight", "missing").tolist()) >= set(kept.index[kept["weight"].isna()])
    assert len(filters.with_value(record, "nowhere", "x")) == 0
    assert "No row matches" in opened("alerts", run=run, where="colour", value="no such colour").info[0].value


def test_incidents_and_over_represented_values_filter_the_list(home: Path, run: str) -> None:
    scores = data.scores(Workspace(home).run(run))
    every = np.ones(len(scores.score), dtype=bool)
    largest = scores.incidents.among(every, scores.p_value)[0]
    app = opened("alerts", run=run, show="all rows")
    alone = scores.incidents.among(scores.alert, scores.p_value)
    assert [chip.split(" · ")[1] for chip in app.button_group(key=f"incident of {run}").options] == [
        f"**{each.alerts:,}**" for each in alone
    ]
    assert largest.alerts >= alone[0].alerts
    app.button_group(key=f"incident of {run}").set_value(str(alone[0].number)).run()
    assert rows_listed(app) == [row for row in scores.order if scores.incidents.of_row[row] == alone[0].number][:50]


def test_the_order_of_scores_is_that_of_p_values_and_a_score_gives_a_threshold(home: Path, run: str) -> None:
    scores = data.scores(Workspace(home).run(run))
    assert (np.diff(scores.p_value[scores.order]) >= 0).all()
    assert (np.diff(scores.score[scores.order]) <= 0).all()
    for row in scores.order[[0, 5, 40, 100]]:
        percent = threshold.percent_at(float(scores.score[row]), scores)
        alert = scores.p_value <= percent / 100
        assert alert[row]
        assert scores.score[alert].min() <= scores.score[row]
        assert set(np.flatnonzero(alert)) == set(np.flatnonzero(scores.p_value <= scores.p_value[row]))
    assert threshold.percent_at(1e9, scores) > 0
    event = {"selection": {"range": {"low": [3.0, 9.0]}, "clicked": [{"low": 1.0}]}}
    assert threshold.chosen_score(event) == 3.0
    assert threshold.chosen_score({"selection": {"range": {}, "clicked": [{"low": 1.0}]}}) == 1.0
    assert threshold.chosen_score({"selection": {"range": {}, "clicked": []}}) is None


def test_the_threshold_is_counted_in_past_runs_of_the_model(home: Path, run: str) -> None:
    from anomalo_dashboard.inbox.bar import Bar

    runs = list(reversed(Workspace(home).runs()))
    record = Workspace(home).run(run)
    p_value = data.scores(record).p_value
    found = past.table(Bar(record, 20.0), runs)
    assert found["here"].tolist() == [int((p_value <= 0.2).sum())]
    assert found["then"].tolist() == [5]
    assert past.table(Bar(record, None), runs)["here"].tolist() == [5]


def test_the_counts_that_are_shown_while_the_threshold_is_dragged_are_those_of_the_scores() -> None:
    score = np.random.default_rng(0).lognormal(size=3000).round(2)
    chart = charts.histogram(score, score > 5, "Score")
    tables = [pd.DataFrame(rows) for rows in chart.to_dict()["datasets"].values()]
    (ranks,) = (table for table in tables if list(table) == ["low", "rows"])
    assert len(ranks) <= charts.RANKS
    assert ranks["rows"].tolist() == [int((score >= low).sum()) for low in ranks["low"]]
    high = np.sort(score)[-30:]
    assert set(high) <= set(ranks["low"]), "where thresholds lie, each score is there"


def test_a_mark_that_the_grid_reports_leads_to_no_other_page(monkeypatch: pytest.MonkeyPatch) -> None:
    def clicked(drawn: str, at: str, row: int) -> bool:
        state: dict[str, Any] = {"list": {"selection": {"cells": [(0, "name")]}}, "_list_drawn": drawn}
        monkeypatch.setattr(st, "session_state", state)
        monkeypatch.setattr(st, "query_params", {"at": at})
        listing._clicked("list", np.array([row]))
        return "_row_leads" in state

    assert clicked("list", "7", 3)
    assert not clicked("list", "3", 3), "it is in view"
    assert not clicked("the next page's list", "7", 3), "that page was asked for since"
