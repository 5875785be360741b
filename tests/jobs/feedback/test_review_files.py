"""Reviews are written as CSV and read from it: whole or not at all, and nothing twice."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from anomalo.errors import SourceError, UsageError
from anomalo.jobs.feedback.review_files import export_reviews, import_reviews
from anomalo.workspace.reviews import Review
from anomalo.workspace.workspace import Workspace


@pytest.fixture
def home(untouched: Path, tables: Path, anomalo: Any, tmp_path: Path) -> Path:
    workspace = shutil.copytree(untouched, tmp_path / "w")
    common = ("--threshold", "budget=5", "--device", "cpu", "--workspace", workspace)
    assert anomalo("score", tables / "patients.csv", "--with", "full", *common).code == 0
    return workspace


def take(home: Path, file: Path, text: str) -> int:
    store = Workspace(home)
    file.write_text(text, encoding="utf-8")
    return import_reviews(store, store.run("0001-score"), file, "bob")


def test_what_is_exported_changes_nothing_when_it_is_imported(home: Path, tmp_path: Path) -> None:
    store, file = Workspace(home), tmp_path / "reviews.csv"
    run = store.run("0001-score")
    store.reviews.change(run.id, [17, 3], "ann", state="false alarm", assignee="bob", comment="=1+1")
    store.reviews.change(run.id, [17], "ann", comment='two, "three"')
    assert export_reviews(store, run, file) == 2
    assert "'=1+1" in file.read_text(), "a spreadsheet finds no formula"
    changes = len(store.reviews.changes(run.id))
    assert import_reviews(store, run, file, "bob") == 0
    assert len(store.reviews.changes(run.id)) == changes


def test_reviews_are_taken_in_by_one_action(home: Path, tmp_path: Path) -> None:
    text = "row,state,comment\n17,false alarm,known\n101,fixed,\n5,,\n"
    assert take(home, tmp_path / "r.csv", text) == 2
    reviews = Workspace(home).reviews
    assert reviews.of("0001-score") == {17: Review("false alarm", "", ("known",)), 101: Review("fixed")}
    reviews.undo(1, "bob")
    assert set(reviews.of("0001-score")) == set()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("240,fixed", "row '240': expected a number from 0 to 239"),
        ("-1,fixed", "row '-1'"),
        ("17,wrong", "state 'wrong': expected one of new, acknowledged"),
        ("101,fixed", "row 101 stands there twice"),
    ],
)
def test_a_wrong_line_is_named_and_nothing_is_taken_in(home: Path, tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(UsageError, match=rf"line 3: .*{said}"):
        take(home, tmp_path / "r.csv", f"row,state\n101,fixed\n{line}\n")
    assert Workspace(home).reviews.of("0001-score") == {}


def test_reviews_of_another_run_or_without_columns_are_refused(home: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="run '0009-score', not of 0001-score"):
        take(home, tmp_path / "r.csv", "run,row,state\n0009-score,3,fixed\n")
    with pytest.raises(SourceError, match="columns row and state"):
        take(home, tmp_path / "r.csv", "row;state\n3;fixed\n")
    with pytest.raises(SourceError, match="cannot read"):
        import_reviews(Workspace(home), Workspace(home).run("0001-score"), tmp_path / "absent.csv", "bob")


def test_the_command_shows_applies_and_exports(home: Path, anomalo: Any, tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("row,state\n17,false alarm\n101,fixed\n")
    here = ("--workspace", home)
    shown = anomalo("feedback", "0001-score", "--import", tmp_path / "r.csv", *here)
    assert shown.code == 0, shown.err
    assert "would remove 1 of 5 alerts, of which 0 were confirmed; to save it: add --apply" in shown.out
    saved = anomalo("feedback", "0001-score", "--apply", "--json", *here).json
    assert (saved["saved"], saved["removed"], saved["patterns"][0]["rows"]) == ("full@2", 1, [17])
    again = anomalo("feedback", "0001-score", "--apply", *here)
    assert (again.code, "applied already: full@2" in again.err) == (2, True)
    exported = anomalo("feedback", "0001-score", "--export", tmp_path / "out.csv", *here)
    assert exported.out == f"the reviews of 2 rows are in {tmp_path / 'out.csv'}\n"
