"""Start: both doors, tables by name, the columns at a glance, and models with the time that they take."""

import json
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from anomalo.errors import SourceError, UsageError
from anomalo.jobs.background import queue
from anomalo.tabular.read_options import ReadOptions
from anomalo.workspace.workspace import Workspace
from anomalo_dashboard import sources
from anomalo_dashboard.security import named, uploads
from anomalo_dashboard.security.files import ALLOWED
from anomalo_dashboard.starting import predictions, score_form
from tests.dashboard.test_pages import ended, fine, opened, seen, table

DOOR = score_form.SCORE


@pytest.fixture
def home(untouched: Path, tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A workspace with saved models, of which `full@1` is the champion; the tables may be opened."""
    workspace = shutil.copytree(untouched, tmp_path / "workspace")
    Workspace(workspace).tag("full@1", "champion")
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(workspace))
    monkeypatch.setenv(ALLOWED, str(tables))
    yield workspace
    for job in queue.jobs(workspace):
        ended(workspace, job.id)


def scoring(source: Path | str, reference: str = "full@champion", **query: str) -> AppTest:
    return opened("start", door=DOOR, source=str(source), **{"with": reference}, **query)


def texts(app: AppTest) -> str:
    return " ".join(seen(part.value) for part in (*app.caption, *app.info, *app.error, *app.warning))


@pytest.mark.slow
def test_a_table_is_scored_with_a_tagged_model_and_leads_to_its_alerts(home: Path, tables: Path) -> None:
    app = scoring(tables / "patients.csv")
    fine(app)
    assert "it has all 5 columns that the model reads" in texts(app)
    app.number_input(key="alert_on").set_value(5.0).run()
    assert "--with full@champion" in app.code[0].value
    next(button for button in app.button if button.label == "Score").click().run()
    (job,) = queue.jobs(home)
    assert job.commands[0][3:] == ("full@champion", "--threshold", "share=0.05")
    assert job.who
    assert ended(home, job.id).status == "done"
    app.run()
    fine(app)
    assert app.title[0].value == "Alerts"
    (run,) = [run for run in Workspace(home).runs() if run.verb == "score"]
    assert (run.model, run.summary["threshold"]) == ("full@1", "share=0.05")
    assert app.query_params["run"] == run.id


@pytest.mark.slow
def test_the_same_table_again_is_not_scored_again_and_the_former_run_is_shown(
    home: Path, tables: Path, anomalo: Any
) -> None:
    outcome = anomalo("score", tables / "patients.csv", "--with", "full", "--workspace", home)
    assert outcome.code == 0, outcome.err
    app = scoring(tables / "patients.csv", "full@1")
    next(button for button in app.button if button.label == "Score").click().run()
    (job,) = queue.jobs(home)
    ended(home, job.id)
    app.run()
    assert app.title[0].value == "Start"
    assert "Nothing was computed: run 0001-score" in texts(app)
    next(button for button in app.button if button.label.startswith("See the alerts")).click().run()
    assert app.title[0].value == "Alerts"
    assert len(Workspace(home).runs()) == 1


def test_a_table_without_a_column_that_the_model_reads_is_refused_before_a_job(
    home: Path, tmp_path: Path, patients: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    patients.drop(columns=["weight"]).to_csv(tmp_path / "narrow.csv", index=False)
    monkeypatch.setenv(ALLOWED, str(tmp_path))
    app = scoring(tmp_path / "narrow.csv")
    assert not app.exception
    assert "narrow.csv lacks 1 column that full@1 reads: weight" in texts(app)
    assert not any(button.label == "Score" for button in app.button)


def test_an_unknown_model_and_a_forbidden_path_are_said(home: Path) -> None:
    assert "There is no model gone@7 here" in texts(scoring("", "gone@7"))
    assert "the dashboard may not open" in texts(scoring("/etc/passwd"))


def test_a_model_that_only_imputes_imputes(home: Path, tables: Path) -> None:
    app = scoring(tables / "patients.csv", "fill@1")
    fine(app)
    assert [line.split()[1] for line in app.code[0].value.splitlines()] == ["impute"]
    assert any(button.label == "Impute" for button in app.button)


def test_without_a_saved_model_the_second_door_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(tmp_path / "absent"))
    app = opened("start", door=DOOR)
    fine(app)
    assert "learn a table first" in texts(app)


@pytest.fixture
def visits(patients: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a database table that was allowed by the name `visits`."""
    with sqlite3.connect(tmp_path / "clinic.db") as connection:
        patients.to_sql("visits", connection, index=False)
    url = f"sqlite:///{tmp_path / 'clinic.db'}::visits"
    monkeypatch.setenv(named.NAMED, json.dumps(named.parsed([f"visits={url}"])))
    return url


@pytest.mark.usefixtures("home")
def test_a_database_is_chosen_by_its_name_and_its_url_is_nowhere(visits: str) -> None:
    app = opened("start", named="visits")
    fine(app)
    assert table(app, "role")["column"].tolist()[:2] == ["name", "height"]
    assert "source::visits" in app.code[0].value
    assert visits not in str(app.main)
    assert "clinic.db" not in str(app.main)


@pytest.mark.slow
def test_a_job_reads_a_database_by_its_name(home: Path, visits: str) -> None:
    job = queue.start(home, "visits", [["score", "source::visits", "--with", "full"]])
    done = ended(home, job.id)
    assert done.status == "done", done.message
    (run,) = Workspace(home).runs()
    assert run.source == "source::visits"
    assert uploads.name_of(run.source) == "visits"
    assert not [path for path in home.rglob("*") if path.is_file() and b"clinic.db" in path.read_bytes()]


def test_a_source_that_is_not_allowed_is_refused(visits: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sources.opened("source::visits") == "source::visits"
    assert named.read("visits.csv", ReadOptions()) is None
    with pytest.raises(UsageError, match="no source 'other'"):
        sources.opened("source::other")
    with pytest.raises(UsageError, match="may not open"):
        sources.opened(visits)
    monkeypatch.delenv(named.NAMED)
    with pytest.raises(SourceError, match="--allow-source visits=URL"):
        named.read("source::visits", ReadOptions())


@pytest.mark.parametrize("items", [["visits"], ["visits=clinic.csv"], ["a/b=s3://x/y"], ["a=s3://x/y", "a=s3://x/z"]])
def test_a_source_that_has_no_name_or_no_url_is_refused_without_its_password(items: list[str]) -> None:
    with pytest.raises(UsageError, match="--allow-source") as refused:
        named.parsed(items)
    assert "s3://" not in str(refused.value).partition("such as")[0]


@pytest.mark.parametrize(
    "name", ["a.csv", "a.csv.gz", "a.tsv.zst", "a.jsonl.xz", "a.xlsb", "a.ipc", "a.zip", "a.csv.bz2"]
)
def test_every_format_of_the_command_line_can_be_uploaded(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(tmp_path))
    kept = uploads.keep(name, b"x")
    assert kept.name.partition(".")[2] == name.partition(".")[2]


def test_columns_have_their_cells_their_missing_share_and_warnings(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = pd.DataFrame({"x": range(100), "often": ["a"] * 99 + ["b"], "rare": [None] * 99 + ["5"]})
    frame.to_csv(tmp_path / "some.csv", index=False)
    monkeypatch.setenv(ALLOWED, str(tmp_path))
    app = opened("start", source=str(tmp_path / "some.csv"))
    fine(app)
    shown = table(app, "role").set_index("column")
    assert shown.loc["rare", "missing"] == pytest.approx(99)
    assert shown.loc["rare", "note"].startswith("⚠ 99.0 % missing")
    assert len(shown.loc["x", "cells"]) == 12
    assert shown.loc["often", "cells"] == pytest.approx([100, 100 / 99])


def test_models_are_fast_default_or_thorough_and_others_have_a_line_each(home: Path, tables: Path) -> None:
    app = opened("start", source=str(tables / "patients.csv"))
    fine(app)
    effort = app.radio(key="effort")
    assert effort.options == ["Fast", "Default", "Thorough"]
    assert "--effort" not in app.code[0].value
    effort.set_value("Fast").run()
    assert "--effort fast" in app.code[0].value
    box = next(box for box in app.selectbox if box.label == "Model")
    assert box.options[0].startswith("auto (scores, imputes): ")
    assert all(": " in option for option in box.options)
    assert any(option.startswith("median (only imputes): The median") for option in box.options)
    box.set_value("median").run()
    assert [line.split()[1] for line in app.code[0].value.splitlines()] == ["fit", "impute"]
    assert any(button.label == "Fit and impute" for button in app.button)
    next(box for box in app.selectbox if box.label == "Model").set_value("auto").run()
    app.toggle(key="only_impute").set_value(True).run()
    assert "--for impute" in app.code[0].value
    assert "anomalo score" not in app.code[0].value


@pytest.mark.slow
@pytest.mark.usefixtures("home")
def test_the_time_of_a_fit_is_estimated_beside_the_page(tables: Path) -> None:
    source = str(tables / "patients.csv")
    app = opened("start", source=source)
    while predictions.efforts(source) is None:
        time.sleep(0.2)
    known = predictions.efforts(source) or {}
    assert 0 < known["fast"] < known["default"] < known["thorough"]
    app.run()
    fine(app)
    assert "Estimating" not in texts(app)
