"""Models: versions side by side, and what can be done with one."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from anomalo.errors import UsageError
from anomalo.jobs.background import queue
from anomalo.workspace.workspace import Workspace
from anomalo_dashboard.managing import saved
from anomalo_dashboard.security.files import ALLOWED
from anomalo_dashboard.starting.score_form import SCORE
from tests.dashboard.test_pages import ended, fine, opened, seen, table


@pytest.fixture(scope="module")
def fitted(tables: Path, anomalo: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with two versions of `a`: the second with a label, other kinds and parameters."""
    workspace = tmp_path_factory.mktemp("fitted")
    common = ("fit", tables / "patients.csv", "--as", "a", "--workspace", workspace, "--device", "cpu")
    first = ("--model", "linear", "--set", "epochs=2", "--id", "name")
    second = ("--model", "undercomplete", "--set", "epochs=2", "--set", "hidden=8,4", "--label", "sick", "--seed", "3")
    for options in (first, (*second, "--kind", "children=category", "--drop", "colour", "--missing", "weight=-9")):
        outcome = anomalo(*common, *options)
        assert outcome.code == 0, outcome.err
    return workspace


@pytest.fixture
def home(fitted: Path, tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    workspace = shutil.copytree(fitted, tmp_path / "workspace")
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(workspace))
    monkeypatch.setenv(ALLOWED, str(tables))
    return workspace


def press(app: AppTest, label: str) -> AppTest:
    found = next(button for button in app.button if button.label == label and not button.disabled)
    return found.click().run()


def test_versions_are_side_by_side_with_their_metrics(home: Path) -> None:
    Workspace(home).tag("a@1", "champion")
    app = opened("models", model="a@2")
    fine(app)
    versions = table(app, "version").set_index("version")
    assert versions.index.tolist() == [2, 1]
    assert versions.loc[1, "tags"] == "champion"
    assert versions["model"].tolist() == ["undercomplete", "linear"]
    assert versions.loc[2, "auroc"] > 0
    assert set(versions["calibrated"]) == {"yes"}
    assert {"version 1", "version 2"} <= set(table(app, "version 1"))


def test_a_version_is_promoted_and_retired(home: Path) -> None:
    press(opened("models", model="a@2"), "Give it to version 2")
    assert Workspace(home).model("a@champion").version == 2
    app = opened("models", model="a@2")
    assert "champion: version 2" in seen(" ".join(part.value for part in app.markdown))
    press(app, "Retire version 2")
    assert Workspace(home).model("a@2").tags == ()
    assert Workspace(home).model("a").version == 1
    app = opened("models", model="a@2")
    assert table(app, "version").set_index("version").loc[2, "tags"] == "retired"
    assert opened("start", door=SCORE).selectbox(key="with").options == ["a@1"]
    assert opened("start", door=SCORE, **{"with": "a@2"}).selectbox(key="with").value == "a@2"
    press(app, "Use it again")
    assert Workspace(home).model("a").version == 2


def test_a_tag_that_is_a_number_is_refused_in_the_dialog(home: Path) -> None:
    app = opened("models", model="a@1")
    app.text_input(key="promote_tag").set_value("7").run()
    app = press(app, "Give it to version 1")
    assert "a number would be taken for a version" in app.error[0].value
    assert Workspace(home).tag_moves("a") == []


def test_a_version_is_deleted_once_it_is_confirmed_and_not_while_it_has_a_tag(home: Path) -> None:
    Workspace(home).tag("a@1", "champion")
    app = opened("models", model="a@1")
    assert not any(button.label == "Delete it" for button in app.button)
    app.checkbox(key="delete a@1").check().run()
    assert "it is tagged 'champion'" in seen(app.error[0].value)
    assert not any(button.label == "Delete it" for button in app.button)
    app = opened("models", model="a@2")
    app.checkbox(key="delete a@2").check().run()
    press(app, "Delete it")
    assert [record.reference for record in Workspace(home).models()] == ["a@1"]
    assert not (home / "models" / "a" / "2").exists()


def test_a_file_is_scored_through_the_second_door(home: Path) -> None:
    app = press(opened("models", model="a@1"), "Score a file")
    fine(app)
    assert app.title[0].value == "Start"
    assert app.selectbox(key="with").value == "a@1"


def test_the_command_that_retrains_has_all_options_of_the_fit(home: Path, tables: Path) -> None:
    first, second = Workspace(home).models("a")
    source = str(tables / "patients.csv")
    fit = ["fit", source, "--as", "a"]
    device = ["--device", "cpu"]
    assert saved.retraining(first, source) == [*fit, "--model", "linear", "--set", "epochs=2", "--id", "name", *device]
    again = saved.retraining(second, source)
    assert again[:4] == fit
    assert " ".join(again[4:]) == (
        "--model undercomplete --set epochs=2 --set hidden=8,4 --kind children=category --drop colour "
        "--missing weight=-9 --label sick --device cpu --seed 3"
    )


def test_a_model_of_which_nothing_is_known_is_not_retrained(home: Path) -> None:
    record = Workspace(home).model("a@1")
    record.summary.pop("lineage")
    with pytest.raises(UsageError, match="does not say how it was fitted"):
        saved.retraining(record, "x.csv")


@pytest.mark.slow
def test_a_model_is_fitted_again_on_its_table(home: Path) -> None:
    app = opened("models", model="a@2")
    app.session_state["retraining"] = True
    app = press(app.run(), "Fit")
    assert app.title[0].value == "Start"
    (job,) = queue.jobs(home)
    done = ended(home, job.id)
    assert done.status == "done", done.message
    assert done.results[0]["repeated"], "the options are those of the fit, so nothing was to be done"
    assert len(Workspace(home).models("a")) == 2
