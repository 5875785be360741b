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
from anomalo.workspace.decisions import WHAT, Decided
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
    assert "Suggested repair" in [head.value for head in app.header]
    shown = table(app, "before", "after")
    assert shown[["column", "before", "after"]].values.tolist() == lines[["column", "before", "after"]].values.tolist()
    assert shown["before"].tolist() == ["190.25"]
    (caption,) = (caption.value for caption in app.caption if "the score falls" in caption.value)
    assert f"{lines['score_before'].iloc[0]:.4g} to {lines['score_after'].iloc[0]:.4g}" in caption
    assert "no alert (alerts: the 4 most anomalous rows)" in caption
    normal = next(row for row in range(240) if row not in data.repairs(run)["row"].to_pylist())
    app = opened("row", row=normal)
    assert "Suggested repair" not in [head.value for head in app.header]
    assert "Suggest repairs" not in labels(app)


def test_a_row_without_a_repair_says_so(home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Threshold, "boundary", lambda *arguments: Boundary(1.0))
    run = home("repair", *RULE, "--cells", "2")
    info = opened("row", row=17).info[0].value
    assert "Replacing 2 cells or fewer does not make this row normal" in info
    assert "then pairs with the 8 best cells" in info
    app = opened("repairs", run=run.id)
    assert "no cell is suggested" in app.info[0].value
    assert "Why 4 alerts have no repair" in [box.label for box in app.expander]
    assert "at most 2 cells, that make the row normal" in app.expander[0].markdown[0].value
    without = table(app, "score_after")
    assert without["row"].tolist() == sorted(set(data.repairs(run)["row"].to_pylist()))
    assert without["name"].tolist() == [f"p{row:03}" for row in without["row"]]


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
    assert "Suggested repair" in [head.value for head in opened("row", row=17).header]


def test_a_model_that_cannot_is_not_asked(home: Any) -> None:
    run = home("score", *RULE, model="near")
    assert "Suggest repairs" not in labels(opened("row", run=run.id, row=17))
    assert "Suggest repairs" in labels(opened("row", row=17, run="0001-score"))


def listed(app: AppTest) -> list[tuple[str, str, str]]:
    """Return row, column and change of each line of the list."""
    rows = [button.label for button in app.button if (button.key or "").startswith("row ")]
    texts = [text.value.replace("\u2060", "").replace("\\", "") for text in app.markdown]
    at = next(number for number, text in enumerate(texts) if "; showing" in text) + 1
    return [(row, texts[at + 2 * line], texts[at + 2 * line + 1]) for line, row in enumerate(rows)]


def said(app: AppTest) -> str:
    return next(caption.value for caption in app.caption if "undecided" in caption.value)


def decided(run: RunRecord) -> list[str]:
    found = Workspace(data.workspace()).decisions.of(run.id)
    return [WHAT[state] for state in Decided.of(found, len(data.suggestions(run))).state.tolist()]


def test_all_suggestions_are_on_one_page_to_filter(home: Any) -> None:
    run = home("repair", *RULE)
    lines = data.suggestions(run).to_pandas()
    app = opened("repairs")
    assert app.query_params["run"] == run.id
    number = len(lines)
    assert f"{number} suggested cell" in said(app)
    shown = listed(app)
    assert [row for row, *_ in shown] == [f"{row} (p{row:03})" for row in lines["row"]]
    assert [column for _, column, _ in shown] == lines["column"].tolist()
    assert shown[0][2] == f"~~{lines['before'][0]}~~ → **{lines['after'][0]}**"
    assert table(app, "cells").set_index("column")["cells"].to_dict() == lines["column"].value_counts().to_dict()
    app.number_input(key="fill_row").set_value(17).run()
    assert {row for row, *_ in listed(app)} == {"17 (p017)"}
    app.selectbox(key="fill_column").set_value("weight").run()
    assert [column for _, column, _ in listed(app)] == ["weight"]
    app.number_input(key="fill_row").set_value(200000).run()
    assert "No suggested cell matches" in app.info[0].value


def test_cells_are_accepted_edited_and_rejected_and_this_is_undone(home: Any) -> None:
    run = home("repair", *RULE)
    total = len(data.suggestions(run))
    app = opened("repairs")
    app.text_input(key="reviewer").set_value("ann").run()
    app.button(key="accept 0").click().run()
    assert decided(run)[0] == "accepted"
    assert f"{total - 1} undecided" in said(app)
    assert "accept 0" not in [button.key for button in app.button]
    app.button(key="edit 1").click().run()
    app.text_input(key="value 1").set_value("typed, and cancelled")
    app.button(key="cancel 1").click().run()
    assert decided(run)[1] == "undecided"
    app.button(key="edit 1").click().run()
    app.text_input(key="value 1").set_value("heavy")
    app.button(key="save 1").click().run()
    assert "takes" in app.error[0].value
    assert "got 'heavy'" in app.error[0].value
    assert decided(run)[1] == "undecided"
    app.text_input(key="value 1").set_value("3")
    app.button(key="save 1").click().run()
    assert not app.error
    assert decided(run)[:3] == ["accepted", "edited", "undecided"]
    app.button(key="reject 2").click().run()
    assert decided(run)[2] == "rejected"
    app.button(key="undo last").click().run()
    assert decided(run)[2] == "undecided"
    assert app.button(key="undo last").disabled
    app = opened("repairs", decision="All")
    assert len(listed(app)) == total
    assert listed(app)[1][2].endswith("**3**")
    assert "edited by ann" in [caption.value for caption in app.caption]
    app.button(key="reopen 0").click().run()
    assert decided(run)[0] == "undecided"
    (history,) = (box for box in app.expander if box.label.startswith("History"))
    assert history.label == "History: 4 decisions"
    assert "1 cell edited to '3'" in " ".join(text.value for text in history.markdown).replace("\\", "")
    app.button(key="undo 1").click().run()
    app.button(key="undo 2").click().run()
    assert set(decided(run)) == {"undecided"}


def test_all_that_are_listed_are_decided_at_once(home: Any) -> None:
    run = home("impute")
    app = opened("repairs", run=run.id)
    app.selectbox(key="fill_column").set_value("weight").run()
    assert app.button(key="Accept all").label == "Accept all 3"
    app.button(key="Accept all").click().run()
    columns = data.suggestions(run)["column"].to_pylist()
    assert [column for column, what in zip(columns, decided(run), strict=True) if what == "accepted"] == ["weight"] * 3
    assert "No imputed cell matches" in app.info[0].value
    app = opened("repairs", run=run.id)
    app.number_input(key="fill_least").set_value(99).run()
    assert "No imputed cell matches" in app.info[0].value
    app.number_input(key="fill_least").set_value(5).run()
    app.button(key="Reject all").click().run()
    assert sorted(decided(run)) == ["accepted"] * 3 + ["rejected"] * 2
    assert "Every cell is decided" in app.info[0].value
    app.number_input(key="fill_least").set_value(0).run()
    app.button(key="undo last").click().run()
    assert sorted(decided(run)) == ["accepted"] * 3 + ["undecided"] * 2


def test_imputed_and_suggested_cells_are_apart(home: Any) -> None:
    imputed, repaired = home("impute"), home("repair", *RULE)
    app = opened("repairs", run=imputed.id)
    (part,) = (group for group in app.segmented_control if group.key == f"part of {imputed.id}")
    assert part.options == ["Imputed", "Suggested for alerts"]
    part.set_value("repair").run()
    assert app.query_params["run"] == repaired.id
    assert "suggested cell" in said(app)


@pytest.mark.slow
def test_what_was_accepted_is_written_in_the_background(home: Any) -> None:
    run = home("impute")
    app = opened("repairs", run=run.id)
    app.button(key="accept 0").click().run()
    next(button for button in app.button if button.label == "Write the table").click().run()
    (job,) = queue.jobs(data.workspace())
    assert job.commands == (("apply", run.id, "--audit", "audit"),)
    while queue.job(data.workspace(), job.id).status == "running":
        time.sleep(0.2)
    assert queue.job(data.workspace(), job.id).status == "done"
    app = opened("repairs", run=run.id)
    assert "1 cell changed (1 accepted, 0 edited)." in " ".join(text.value for text in app.markdown)
    names = [button.label for button in app.get("download_button")]
    assert names[:3] == ["Repaired table as CSV", "Repaired table as Parquet", "Audit as CSV"]


def test_an_applied_repair_offers_the_table(home: Any, tmp_path: Path) -> None:
    run = home("repair", *RULE, "--apply")
    assert data.output_table(run) == run.path / "repaired.csv"
    app = opened("repairs", run=run.id)
    assert [button.label for button in app.get("download_button")] == [
        "Decisions as CSV",
        "Repaired table as CSV",
        "Repaired table as Parquet",
    ]
    run = home("repair", *RULE, "--apply", "-o", tmp_path / "gone.csv")
    (tmp_path / "gone.csv").unlink()
    assert "The repaired table was written to" in opened("repairs", run=run.id).warning[0].value


def test_without_alerts_there_is_nothing_to_repair(home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Threshold, "largest", lambda self, p_values: -1.0)
    run = home("repair")
    assert "Nothing to repair" in opened("repairs", run=run.id).info[0].value


@pytest.mark.slow
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
        assert f"code is {before}, expected {after}" in app.header[0].value.replace("\\", "")
    changes = {row: change for row, _, change in listed(opened("repairs", run=run.id))}
    assert [changes[row] for row in ("40", "90")] == ["~~N/A~~ → missing", "~~'~~AB-00090~~'~~"]


def test_corrections_of_a_cleaning_are_listed_with_their_reasons(
    anomalo: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = pd.DataFrame({"zip": ["35233", "36302"] * 40, "city": ["Birmingham", "Dothan"] * 40})
    frame.loc[7, "city"] = "Dxthan"
    frame.to_csv(tmp_path / "shops.csv", index=False)
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(tmp_path / "w"))
    assert anomalo("clean", tmp_path / "shops.csv").code == 0
    app = opened("repairs")
    assert "1 suspected cell, 1 undecided" in said(app)
    assert "D~~x~~**o**than" in [text.value.replace("\u2060", "") for text in app.markdown]
    assert "1 character from 'Dothan'" in " ".join(caption.value for caption in app.caption)
    app.button(key="edit 0").click().run()
    app.text_input(key="value 0").set_value("Dothan, AL")
    app.button(key="save 0").click().run()
    assert decided(Workspace(data.workspace()).runs()[-1]) == ["edited"]


def test_decisions_are_shown_as_answers_before_the_table_is_cleaned_with_them(
    anomalo: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = pd.DataFrame({"zip": ["35233", "36302"] * 40, "city": ["Birmingham", "Dothan"] * 40})
    frame.loc[7, "city"] = "Dxthan"
    frame.to_csv(tmp_path / "shops.csv", index=False)
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(tmp_path / "w"))
    assert anomalo("clean", tmp_path / "shops.csv").code == 0
    app = opened("repairs")
    app.session_state["teaching"] = True
    assert "Accept, edit or reject cells first" in " ".join(text.value for text in app.run().markdown)
    Workspace(tmp_path / "w").decisions.decide("0001-clean", [0], "accepted", "bob")
    app.run()
    shown = table(app, "Should hold").iloc[0]
    assert shown.tolist() == [7, "city", "Dxthan", "wrong", "Dothan", "bob", "0001-clean"]
    assert "--decided" in app.code[0].value or "--decided" in app.code[1].value
    outcome = anomalo("clean", tmp_path / "shops.csv", "--decided")
    assert "learned from 1 decision of 0001-clean: 1 wrong cell, 0 right ones" in outcome.out
    captions = " ".join(text.value for text in opened("repairs").caption)
    assert "has learned from 1 decision of 0001-clean: 1 wrong, 0 right" in captions.replace("\\", "")
