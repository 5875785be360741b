"""The page Synthesize: from a table to a generator, its rows, and how they compare with the real ones."""

import time
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

import anomalo_dashboard
from anomalo.jobs.background import queue
from anomalo_dashboard import data

APP = Path(anomalo_dashboard.__file__).with_name("app.py")


@pytest.fixture
def home(tables: Path, anomalo: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An empty workspace; call verbs in it."""
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(tmp_path / "workspace"))

    def call(*command: object) -> Any:
        outcome = anomalo(*command, "--json")
        assert outcome.code == 0, outcome.err
        return outcome.json

    return call


@pytest.fixture
def maker(home: Any, tables: Path) -> Any:
    """A workspace with a generator."""
    fit = ("fit", tables / "patients.csv", "--as", "maker", "--model", "bootstrap", "--for", "sample")
    home(*fit, "--id", "name", "--label", "sick")
    return home


def opened() -> AppTest:
    app = AppTest.from_file(APP, default_timeout=120).run()
    app.switch_page("views/synthesize.py").run()
    return sound(app)


def sound(app: AppTest) -> AppTest:
    assert not app.exception, [error.message for error in app.exception]
    assert not app.error, [error.value for error in app.error]
    return app


def press(app: AppTest, label: str) -> AppTest:
    return sound(next(button for button in app.button if button.label == label).click().run())


def finished(workspace: Path) -> queue.Job:
    for _ in range(600):
        job = queue.jobs(workspace)[0]
        if job.status != "running":
            break
        time.sleep(0.2)
    assert job.status == "done", job.message
    return job


def test_an_empty_workspace_offers_to_fit_a_generator(home: Any, tmp_path: Path) -> None:
    app = opened()
    assert "No generator has been fitted yet" in app.markdown[0].value
    app.selectbox(key="learner").select("marginals")
    app.text_input(key=f"label {data.BUNDLED}").input("Target").run()
    press(app, "Fit the generator")
    job = finished(tmp_path / "workspace")
    assert job.commands[0][:4] == ("fit", str(data.BUNDLED), "--as", "hypothyroid-rows")
    assert [record.model for record in data.models()] == ["marginals"]
    assert "sample" in data.manifest("hypothyroid-rows@1")["goals"]


def test_rows_are_made_and_compared(maker: Any, tables: Path, tmp_path: Path) -> None:
    app = opened()
    app.number_input(key="rows").set_value(150)
    app.text_input(key="holdout").input(str(tables / "patients.parquet"))
    app.multiselect(key="where maker@1").select("smoker").run()
    app.selectbox(key="where maker@1 smoker").select("yes").run()
    press(app, "Make rows")
    job = finished(tmp_path / "workspace")
    assert [command[0] for command in job.commands] == ["augment", "evaluate"]
    assert job.commands[0][-2:] == ("--where", "smoker=yes")
    app = opened()
    assert {metric.label for metric in app.metric} >= {"Quality", "Told apart", "Nearer to training", "Copies"}
    run = next(run for run in data.runs() if run.verb == "augment")
    assert run.summary["rows"] == 150
    assert "150 rows like those of patients.csv, made by maker@1" in app.caption[0].value
    report = data.report(next(run for run in data.runs() if run.verb == "evaluate"))
    assert f"{report['quality']:.3f}" in [metric.value for metric in app.metric]
    assert report["copied"] > 0.9


def test_rows_of_the_command_line_can_be_compared(maker: Any, tmp_path: Path) -> None:
    maker("augment", "--with", "maker", "-n", 60)
    app = opened()
    assert "have not been compared" in app.info[0].value
    press(app, "Compare")
    finished(tmp_path / "workspace")
    assert opened().metric
