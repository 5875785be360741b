"""The page Feedback: what reviews would change is shown, applied as the next version, and not applied twice."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

import anomalo_dashboard
from anomalo.workspace.workspace import Workspace

APP = Path(anomalo_dashboard.__file__).with_name("app.py")


@pytest.fixture
def home(untouched: Path, tables: Path, anomalo: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with a run that scores, of 5 alerts."""
    workspace = shutil.copytree(untouched, tmp_path / "w")
    common = ("--with", "full", "--device", "cpu", "--workspace", workspace)
    outcome = anomalo("score", tables / "patients.csv", "--threshold", "budget=5", *common)
    assert outcome.code == 0, outcome.err
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(workspace))
    return workspace


def opened() -> AppTest:
    app = AppTest.from_file(APP, default_timeout=600)
    app.run().switch_page("views/feedback.py")
    return app.run()


def said(app: AppTest) -> str:
    assert not app.exception
    return " ".join(text.value for text in (*app.markdown, *app.info, *app.success, *app.error, *app.warning))


def metrics(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


def test_without_reviews_there_is_nothing_to_apply(home: Path) -> None:
    app = opened()
    assert "nothing new to learn" in said(app)
    assert app.button(key="apply").disabled
    found = metrics(app)
    assert (found["Reviewed rows"], found["AUROC"], found["Labelled anomalies"]) == ("0", "1.000", "2")
    assert found["Precision at the threshold"] == "40.0 %"


def test_reviews_are_shown_then_applied_once_and_the_version_before_stays(home: Path) -> None:
    store = Workspace(home)
    store.reviews.change("0001-score", [17], "ann", state="false alarm")
    store.reviews.change("0001-score", [101], "ann", state="fixed")
    app = opened()
    assert "would remove 1 of 5 alerts, of which 0 were confirmed" in said(app)
    assert [(table["alerts"][0], table["confirmed"][0]) for table in [app.dataframe[0].value]] == [(1, 0)]
    assert app.dataframe[0].value["what"][0].startswith("weight from ")
    assert app.dataframe[1].value["row"].tolist() == [17]
    assert metrics(app)["Confirmed"] == "1"
    assert [record.version for record in store.models("full")] == [1], "nothing is applied by looking"
    app.text_input(key="reviewer").set_value("ann").run()
    app.button(key="apply").click().run()
    assert "full@2 knows this" in said(app)
    assert "apply" not in {button.key for button in app.button}
    assert [record.version for record in store.models("full")] == [1, 2]
    assert store.model("full@2").summary["lineage"]["who"] == "ann"
    versions = app.dataframe[2].value
    assert versions["version"].tolist() == ["full@2", "full@1"]
    assert versions["from"].tolist() == ["full@1", "a fit"]
    again = opened()
    assert "full@2 knows this" in said(again)
    store.reviews.undo(1, "ann")
    assert "nothing new to learn" in said(opened()), "what was reviewed is read again"


def test_a_run_whose_model_was_removed_is_an_error_in_words(home: Path) -> None:
    store = Workspace(home)
    store.remove([store.model("full@1")])
    app = opened()
    assert not app.exception
    assert "full" in app.error[0].value
