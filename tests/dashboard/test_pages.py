"""The dashboard's pages, run by Streamlit's AppTest: what they show, and that nothing in a URL breaks them."""

import doctest
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

import anomalo_dashboard
from anomalo.jobs.background import queue
from anomalo.workspace.workspace import RunRecord, Workspace
from anomalo_dashboard import data, downloads, formatting, plugin, sources
from anomalo_dashboard.security import bounds, failures, literal, uploads
from anomalo_dashboard.security.files import ALLOWED
from anomalo_dashboard.starting import fit_form

APP = Path(anomalo_dashboard.__file__).with_name("app.py")
QUERIES: tuple[dict[str, str], ...] = (
    {"run": "9999-score", "row": "1", "page": "2"},
    {"run": "../../etc", "row": "-1", "page": "0", "percent": "x"},
    {"row": "999999999999999999999", "model": "nobody@3", "job": "0001-fit"},
    {"row": "²", "column": "nowhere", "text": "\x00%[(", "show": "everything", "page": "abc", "source": "/nowhere.csv"},
)


@pytest.fixture(scope="module")
def scored(untouched: Path, tables: Path, anomalo: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with runs of `full`: one that explains few rows, one that explains all, and one that imputes."""
    workspace = shutil.copytree(untouched, tmp_path_factory.mktemp("scored") / "workspace")
    common = ("--with", "full", "--device", "cpu", "--workspace", workspace)
    for arguments in (
        ("score", tables / "patients.csv", "--explain", "0", "--threshold", "budget=3"),
        ("score", tables / "patients.csv", "--threshold", "share=0.05"),
        ("impute", tables / "patients.csv"),
    ):
        outcome = anomalo(*arguments, *common)
        assert outcome.code == 0, outcome.err
    return workspace


@pytest.fixture
def at(scored: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Open pages of the workspace with runs: `at(page, **query)`."""
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(scored))
    return opened


def opened(name: str = "start", /, **query: str) -> AppTest:
    """Open a page as a browser with that address would."""
    app = AppTest.from_file(APP, default_timeout=600)
    if name != "start":
        app.run().switch_page(f"views/{name}.py")
    app.query_params.update(query)
    return app.run()


def as_text(reasons: list[dict[str, Any]]) -> str:
    """Return the first three reasons of a row as the pages write them."""
    texts = []
    for reason in reasons[:3]:
        known = reason["expected"] not in (None, reason["observed"])
        observed = "missing" if reason["observed"] is None else reason["observed"]
        texts.append(f"{reason['column']} is {observed}" + (f", expected {reason['expected']}" if known else ""))
    return "; ".join(texts)


def seen(markdown: str) -> str:
    """Return what a browser shows of a text that `literal` wrote."""
    return re.sub(r"\\([^\w\s])", r"\1", markdown).replace("\u2060", "")


def runs(workspace: Path, verb: str) -> list[RunRecord]:
    return [run for run in Workspace(workspace).runs() if run.verb == verb]


def table(app: AppTest, column: str) -> pd.DataFrame:
    """Return the table on a page that has a column."""
    return next(frame.value for frame in app.dataframe if column in frame.value)


def listed(app: AppTest) -> int:
    """Return how many rows the page Alerts lists, on all of its pages."""
    found = next(text.value for text in app.markdown if ", showing " in text.value)
    return int(found.removeprefix("**").split(" ")[0].replace(",", ""))


def fine(app: AppTest) -> None:
    assert not app.exception, [error.message for error in app.exception]
    assert not app.error, [error.value for error in app.error]


@pytest.mark.parametrize("page", plugin.PAGES)
def test_an_empty_workspace_says_what_to_do_next(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(tmp_path / "absent"))
    app = opened(page)
    fine(app)
    assert app.title[0].value == page.replace("_", " ").capitalize()
    if page not in ("start", "plugins", "synthesize"):
        assert "Start" in app.markdown[0].value
        assert [link.label for link in app.get("page_link")] == ["Go to Start"]
    assert not (tmp_path / "absent").exists()


@pytest.mark.matrix
@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("page", plugin.PAGES)
def test_nothing_in_an_address_breaks_a_page(page: str, query: dict[str, str], at: Any) -> None:
    app = at(page, **query)
    assert not app.exception, [error.message for error in app.exception]
    assert app.title[0].value == page.replace("_", " ").capitalize()


def test_a_page_says_that_a_run_row_model_or_job_is_unknown(at: Any) -> None:
    assert "no run 9999-score" in seen(at("alerts", run="9999-score").warning[0].value)
    assert "no row 5000" in at("row", row="5000").warning[0].value
    assert "no model nobody@3" in at("models", model="nobody@3").warning[0].value
    assert "no job 0007-fit" in seen(at("start", job="0007-fit").warning[0].value)


def test_overview_lists_runs_and_models(at: Any, scored: Path) -> None:
    app = at("overview")
    fine(app)
    listed = table(app, "rate")
    expected = Workspace(scored).runs()[::-1]
    assert listed["run"].tolist() == [run.id for run in expected]
    assert listed["rate"].dropna().tolist() == pytest.approx(
        [100 * run.summary["alerts"] / run.summary["rows"] for run in expected if run.verb == "score"]
    )
    assert {metric.label: metric.value for metric in app.metric}["Runs"] == str(len(expected))
    assert set(table(app, "kind")["model"]) == {"full@1", "near@1", "fill@1"}


def test_alerts_are_those_of_the_run_most_anomalous_first(at: Any, scored: Path) -> None:
    run = runs(scored, "score")[-1]
    written = pq.read_table(run.path / "scores.parquet").to_pandas()
    app = at("alerts")
    fine(app)
    shown = table(app, "reasons")
    expected = written[written["alert"]].sort_values(["p_value", "score"], ascending=[True, False])
    assert app.query_params["run"] == run.id
    assert shown["row"].tolist() == expected["row"].tolist()
    assert shown["name"].tolist() == expected["name"].tolist()
    assert shown["reasons"].tolist() == [as_text(reasons) for reasons in expected["reasons"]]


def test_alerts_can_be_paged_filtered_and_given_another_threshold(at: Any, scored: Path) -> None:
    written = pq.read_table(runs(scored, "score")[-1].path / "scores.parquet").to_pandas()
    app = at("alerts", show="all rows", page="2")
    order = written.sort_values(["p_value", "score"], ascending=[True, False], kind="stable")["row"]
    assert table(app, "reasons")["row"].tolist() == order[50:100].tolist()

    app.text_input(key="text").set_value("P10").run()
    assert sorted(table(app, "reasons")["name"]) == sorted(written["name"][written["name"].str.contains("p10")])
    assert app.pagination(key="page").value == 1

    app.text_input(key="text").set_value("").run()
    app.selectbox(key="column").set_value("weight").run()
    with_weight = written["reasons"].map(lambda reasons: "weight" in [reason["column"] for reason in reasons])
    assert listed(app) == with_weight.sum()

    app.number_input(key="percent").set_value(20.0).run()
    app.selectbox(key="column").set_value(None).run()
    app.button_group(key="show").set_value("alerts").run()
    assert listed(app) == (written["p_value"] <= 0.2).sum()


def test_a_budget_is_kept_as_it_was(at: Any, scored: Path) -> None:
    app = at("alerts", run=runs(scored, "score")[0].id)
    fine(app)
    assert listed(app) == 3
    app.number_input(key="percent").set_value(50.0).run()
    assert listed(app) > 3


def test_a_search_without_a_hit_says_so(at: Any) -> None:
    app = at("alerts", text="nobody is called this")
    assert "No row matches" in app.info[0].value


def test_a_row_shows_its_cells_and_leads_to_the_next(at: Any, scored: Path) -> None:
    run = runs(scored, "score")[-1]
    cells = pq.read_table(run.path / "cells.parquet").to_pandas()
    app = at("row", run=run.id, row="17")
    fine(app)
    expected = cells[cells["row"] == 17].sort_values("contribution", ascending=False)
    shown = table(app, "contribution")
    assert shown["column"].tolist() == expected["column"].tolist()
    assert shown["contribution"].tolist() == expected["contribution"].tolist()
    assert shown["observed"].tolist() == expected["observed"].fillna("missing").tolist()
    assert app.header[0].value.startswith("Row 17 (p017) is an alert: weight is 190.25, expected ")
    raw = table(app, "value").set_index("column")["value"]
    assert (raw["weight"], raw["sick"]) == ("190.25", "yes")

    scores = data.scores(run)
    rank = int(scores.rank[17])
    next(button for button in app.button if button.label == "Next").click().run()
    assert app.number_input(key="row").value == scores.order[rank + 1]
    assert app.metric[0].value.startswith(f"{rank + 2} of")
    next(button for button in app.button if button.label == "Previous").click().run()
    assert app.number_input(key="row").value == 17


def test_a_row_that_was_not_explained_says_so(at: Any, scored: Path) -> None:
    run = runs(scored, "score")[0]
    last = int(data.scores(run).order[-1])
    app = at("row", run=run.id, row=str(last))
    fine(app)
    assert "explained its 3 most anomalous rows" in app.info[0].value
    assert "has rank 240" in app.info[0].value
    assert "Explain now" in [button.label for button in app.button]


def test_a_row_leads_to_its_repairs_and_the_run_is_kept(at: Any, scored: Path) -> None:
    app = at("row", run=runs(scored, "score")[-1].id, row="50")
    next(button for button in app.button if button.label == "Imputed cells of this row").click().run()
    fine(app)
    assert app.title[0].value == "Repairs"
    assert (app.query_params["run"], app.query_params["fill_row"]) == (runs(scored, "impute")[-1].id, "50")
    assert "**2 imputed cells**; showing 1 to 2" in [text.value for text in app.markdown]
    app.switch_page("views/alerts.py").run()
    assert app.query_params["run"] == runs(scored, "score")[-1].id
    app.text_input(key="text").set_value("weight").run()
    app.switch_page("views/repairs.py").run()
    assert "**2 imputed cells**; showing 1 to 2" in [text.value for text in app.markdown]
    app.switch_page("views/alerts.py").run()
    assert app.text_input(key="text").value == "weight"


def test_repairs_show_every_fill(at: Any, scored: Path) -> None:
    run = runs(scored, "impute")[-1]
    fills = pq.read_table(run.path / "fills.parquet").to_pandas()
    app = at("repairs")
    fine(app)
    shown = " ".join(text.value for text in app.markdown).replace("\u2060", "").replace("\\", "")
    assert all(f"missing → **{value}**" in shown for value in fills["value"])
    assert [button.label for button in app.button if (button.key or "").startswith("row ")] == [
        f"{row} ({name})" for row, name in zip(fills["row"], fills["name"], strict=True)
    ]
    assert table(app, "cells").set_index("column")["cells"].to_dict() == run.summary["filled"]
    app.selectbox(key="fill_column").set_value("colour").run()
    assert f"**{(fills['column'] == 'colour').sum()} imputed cells**" in " ".join(text.value for text in app.markdown)
    app.number_input(key="fill_row").set_value(0).run()
    assert "No imputed cell matches" in app.info[0].value


def test_the_imputed_table_is_exported_as_it_is_in_both_formats(scored: Path, tmp_path: Path) -> None:
    path = data.output_table(runs(scored, "impute")[-1])
    assert path is not None
    assert downloads.as_csv(path) == path.read_bytes()
    (tmp_path / "filled.parquet").write_bytes(downloads.as_parquet(path))
    expected = pd.read_csv(path, dtype=str, keep_default_na=False)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "filled.parquet"), expected, check_dtype=False)
    assert downloads.as_csv(tmp_path / "filled.parquet") == path.read_bytes()


def test_tables_saved_as_csv_hold_no_formulas(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text('name,=x\n"=HYPERLINK(""http://evil.example"")",-5\n@a,+1-1\n')
    expected = 'name,\'=x\n"\'=HYPERLINK(""http://evil.example"")",-5\n\'@a,\'+1-1\n'
    assert downloads.as_csv(path).decode() == expected
    frame = pd.DataFrame({"=x": ["=1", None, "-5"], "y": [-1.5, 2.0, 3.0], "z": [True, False, True]}, [7, 8, 9])
    assert downloads.without_formulas(frame).to_csv(index=False) == "'=x,y,z\n'=1,-1.5,True\n,2.0,False\n-5,3.0,True\n"


def test_a_button_that_saves_a_page_writes_no_formulas() -> None:
    column = Mock()
    downloads.csv_button(column, "Save", lambda: pd.DataFrame({"=x": ["=1", "-5"]}), "rows.csv")
    assert column.download_button.call_args.args[1]() == b"'=x\n'=1\n-5\n"


def test_models_show_facts_curve_and_hidden_cells(at: Any, scored: Path) -> None:
    app = at("models", model="full@1")
    fine(app)
    facts = dict(app.table[0].value.values.tolist())
    assert facts["Epochs"] == "3"
    assert facts["Device"] == "cpu"
    assert len(app.get("vega_lite_chart")) + len(app.get("arrow_vega_lite_chart")) == 1
    phases = json.loads((Workspace(scored).model("full").path / "manifest.json").read_text())["training"]["phases"]
    assert any(f"the best was epoch {phases[0]['best']}" in caption.value for caption in app.caption)
    assert set(table(app, "baseline")["column"]) <= {"height", "weight", "children", "colour", "smoker"}


def test_what_pages_show_of_a_model_is_in_its_record_with_units(
    at: Any, scored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = Workspace(scored).model("full")
    monkeypatch.setattr(Workspace, "manifest", lambda record: pytest.fail("the artefact was read"))
    shown = data.hidden_cells(record).set_index("column")
    assert list(shown["less"]) == sorted(shown["less"], reverse=True)
    errors = record.summary["errors"]
    assert shown.loc["weight", "error"] == f"{errors['weight']['error']:.3g}"
    assert shown.loc["colour", "error"] == f"{100 * errors['colour']['error']:.1f} % wrong"
    assert shown.loc["colour", "kind"] == "category"
    assert data.column_kinds("full@1")["children"] == "integer"
    assert (data.score_unit("full@1"), data.score_unit("near@1")) == ("nats", "mean distance")
    assert (data.column_kinds("gone@1"), data.score_unit("gone@1")) == ({}, "")
    app = at("row", run=runs(scored, "score")[0].id)
    fine(app)
    assert app.metric[2].label == "Anomaly score (nats)"


def test_a_warning_begins_with_a_capital_letter(at: Any, scored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = replace(Workspace(scored).model("near"), summary={"warnings": ["model 'knn' warns"], "verbs": []})
    monkeypatch.setattr(data, "models", lambda: [record])
    app = at("models", model="near@1")
    fine(app)
    assert app.warning[0].value == "Model 'knn' warns"


def test_a_model_without_epochs_says_so(at: Any) -> None:
    app = at("models", model="near@1")
    fine(app)
    assert "not trained in epochs" in app.info[0].value


def test_plugins_are_listed_with_their_models_and_capabilities(at: Any) -> None:
    app = at("plugins")
    fine(app)
    listed = app.table[0].value.set_index("Plugin")
    assert {"linear", "undercomplete"} <= set(listed.loc["autoencoders", "Models"].split(", "))
    assert set(listed.loc["autoencoders", "Capabilities"].split(", ")) == {
        "score",
        "proba",
        "explain",
        "impute",
        "embed",
        "sample",
    }


def test_a_plugins_broken_page_takes_nothing_down(
    at: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "broken.py").write_text("import no_such_module\n")
    (tmp_path / "report.py").write_text("import streamlit as st\nst.title('A report')\n")
    (tmp_path / "two_pages.py").write_text(
        "from pathlib import Path\nfrom anomalo.plugin import hookimpl\n"
        "@hookimpl\ndef anomalo_pages():\n"
        "    return [Path(__file__).with_name(name) for name in ('broken.py', 'absent.py', 'report.py')]\n"
    )
    info = tmp_path / "two_pages-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: two-pages\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[anomalo]\ntwo = two_pages\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    st.cache_resource.clear()
    try:
        app = AppTest.from_file(APP, default_timeout=600).run()
        fine(app)
        app._page_hash = next(
            key for key, page in app._registered_pages.items() if page["url_pathname"] == "two-broken"
        )
        app.run()
        shown = re.fullmatch(r"The page Broken failed; the log .* \(error ([0-9a-f]{6})\)", app.error[0].value)
        assert shown, app.error[0].value
        assert f"error {shown[1]}: No module named 'no_such_module'" in caplog.text
        assert "Traceback" in caplog.text
        app._page_hash = next(
            key for key, page in app._registered_pages.items() if page["url_pathname"] == "two-report"
        )
        assert app.run().title[0].value == "A report"
    finally:
        st.cache_resource.clear()


def test_start_infers_the_columns_of_the_bundled_table_and_shows_the_commands(at: Any, scored: Path) -> None:
    app = at("start")
    next(button for button in app.button if "bundled" in button.label).click().run()
    fine(app)
    columns = table(app, "role").set_index("column")
    assert columns.loc["Target", "role"] == "label"
    assert columns.loc["TSH", "kind"] == "number"
    app.number_input(key="auto.epochs").set_value(7).run()
    commands = app.code[0].value.splitlines()
    assert [command.split()[1] for command in commands] == ["fit", "score", "impute"]
    assert "--set epochs=7 --label Target" in commands[0]
    assert "--threshold share=0.01" in commands[1]
    assert all(command.endswith(f"--workspace .../{scored.name}") for command in commands)
    assert str(sources.BUNDLED.parent) not in app.code[0].value
    next(box for box in app.selectbox if box.label == "Model").set_value("classifier").run()
    assert "--model classifier --supervised" in app.code[0].value


def test_start_fills_only_where_values_are_missing(
    at: Any, tmp_path: Path, patients: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    patients.dropna().to_csv(tmp_path / "whole.csv", index=False)
    monkeypatch.setenv(ALLOWED, str(tmp_path))
    app = at("start", source=str(tmp_path / "whole.csv"))
    assert not any("classifier" in option for box in app.selectbox if box.label == "Model" for option in box.options)
    assert "impute" not in app.code[0].value
    app.text_input(key="missing").set_value("red").run()
    assert "impute" in app.code[0].value
    assert "--missing red" in app.code[0].value


def ended(workspace: Path, identity: str) -> queue.Job:
    """Wait until a job no longer runs."""
    while (job := queue.job(workspace, identity)).status == "running":
        time.sleep(0.1)
    return job


@pytest.mark.slow
def test_a_job_that_failed_says_why_in_one_line(at: Any, scored: Path) -> None:
    job = queue.start(scored, "no table", [["fit", "/nowhere/absent.csv", "--as", "lost", "--model", "linear"]])
    message = ended(scored, job.id).message.replace("/nowhere/absent.csv", "absent.csv")
    app = at("start", job=job.id)
    assert not app.exception
    assert app.error[0].value.startswith("The job failed at step 1 of 1")
    assert message in seen(app.error[0].value)
    assert "\n" not in app.error[0].value


def test_a_job_can_be_stopped_and_resumed(at: Any, scored: Path) -> None:
    endless = ["fit", str(sources.BUNDLED), "--as", "endless", "--set", "epochs=100000", "--set", "patience=100000"]
    job = queue.start(scored, "endless", [endless])
    app = at("start", job=job.id)
    fine(app)
    assert "Fitting the model" in app.get("progress")[0].text
    app.button(key="stop").click().run()
    assert ended(scored, job.id).status == "stopped"
    app = at("start", job=job.id)
    assert app.info[0].value.startswith("The job was stopped at step 1 of 1")
    app.button(key="resume").click().run()
    assert queue.job(scored, job.id).status == "running"
    queue.stop(scored, job.id)
    assert ended(scored, job.id).status == "stopped"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("ragged.csv", b"a,b\n1,2\n3\n", "ragged"),
        ("empty.csv", b"", "is empty"),
        ("picture.csv", b"\x89PNG\r\n\x1a\n\x00\x00", "is not a text file"),
        ("renamed.parquet", b"a,b\n1,2\n", "is not a Parquet file"),
    ],
)
def test_an_upload_that_is_no_table_is_refused_in_one_line(
    name: str, content: bytes, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(tmp_path))
    app = opened("start")
    app.file_uploader(key="upload").set_value((name, content, "text/csv")).run()
    assert not app.exception
    assert len(app.error) == 1
    assert name in app.error[0].value
    assert "\n" not in app.error[0].value
    assert pd.Series([app.error[0].value]).str.contains(said).all(), app.error[0].value


def test_corrections_become_options(tables: Path, scored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(scored))
    guessed = fit_form.columns_of(data.look(str(tables / "patients.csv"), fit_form.SchemaOptions()))
    assert guessed.set_index("column").loc["name", "role"] == fit_form.LEAVE
    edited = guessed.set_index("column")
    edited.loc["name", "role"] = fit_form.USE
    edited.loc["sick", "role"] = fit_form.LABEL
    edited.loc["smoker", "role"] = fit_form.LEAVE
    edited.loc["children", "kind"] = "category"
    options = fit_form.schema_options(guessed, edited.reset_index(), ("x",))
    assert fit_form.schema_arguments(options) == [
        *("--kind", "name=category", "--kind", "children=category"),
        *("--drop", "smoker", "--missing", "x", "--label", "sick"),
    ]
    edited.loc["colour", "role"] = fit_form.LABEL
    with pytest.raises(fit_form.UsageError, match="colour, sick all have the role label"):
        fit_form.schema_options(guessed, edited.reset_index(), ())


def test_reasons_of_all_rows_at_once_are_those_of_each(scored: Path) -> None:
    for run in runs(scored, "score"):
        reasons = pq.read_table(run.path / "scores.parquet")["reasons"].to_pylist()
        scores = data.scores(run)
        assert scores.reasons.to_pylist() == [as_text(some) or None for some in reasons]
        for name, rows in scores.columns.items():
            expected = [row for row, some in enumerate(reasons) if name in [reason["column"] for reason in some]]
            assert rows.tolist() == expected
        assert (np.sort(scores.order) == np.arange(len(reasons))).all()


def test_the_dashboard_needs_no_torch() -> None:
    code = (
        "import sys; from anomalo.registry.registry import Registry; Registry.load().pages(); "
        "from anomalo_dashboard import charts, command, data, downloads, job_progress, navigation; "
        "sys.exit(bool({'torch', 'ignite'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("module", [formatting, fit_form, bounds, failures, literal, uploads])
def test_examples_in_the_docstrings(module: Any) -> None:
    assert doctest.testmod(module).failed == 0


@pytest.mark.slow
def test_a_cleaner_among_the_models_and_its_runs_are_shown(
    anomalo: Any, tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = anomalo("clean", tables / "patients.csv", "--as", "tidy", "--workspace", tmp_path)
    assert outcome.code == 0, outcome.err
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(tmp_path))
    for page in ("overview", "models", "repairs", "alerts"):
        assert not opened(page).exception
        assert not any("failed" in error.value for error in opened(page).error)
    assert any("clean TABLE --with tidy" in note.value.replace("\\", "") for note in opened("models").info)
