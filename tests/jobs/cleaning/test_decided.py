"""What was decided about cells of earlier runs of a table is learned from, as answers in a file are."""

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from anomalo.cleaning.learning.labels import Answer
from anomalo.errors import UsageError
from anomalo.jobs.cleaning.clean import FILE, clean
from anomalo.jobs.cleaning.decided import decided_cells
from anomalo.jobs.context import JobContext
from anomalo.workspace.workspace import RunRecord
from tests.jobs.cleaning.test_clean import visits


@pytest.fixture
def source(tmp_path: Path) -> Path:
    frame = visits(160)
    frame.loc[11, "town"], frame.loc[50, "town"] = "Sprxngfield", "Riversid"
    frame.to_csv(tmp_path / "visits.csv", index=False)
    return tmp_path / "visits.csv"


@pytest.fixture
def context(tmp_path: Path) -> JobContext:
    return JobContext.at(tmp_path / "w")


@pytest.fixture
def run(context: JobContext, source: Path) -> RunRecord:
    return clean(context, str(source)).run


def line_of(run: RunRecord, row: int) -> int:
    listed = pq.read_table(run.path / FILE).to_pandas()
    return int(listed.index[(listed["row"] == row) & (listed["column"] == "town")][0])


def decide(context: JobContext, run: RunRecord, row: int, what: Any, value: str | None = None) -> int:
    return context.store.decisions.decide(run.id, [line_of(run, row)], what, "ann", value=value)


def test_decisions_are_answers_and_the_last_one_holds(context: JobContext, run: RunRecord, source: Path) -> None:
    assert decided_cells(context.store, str(source)) == []
    decide(context, run, 11, "accepted")
    decide(context, run, 50, "accepted")
    last = decide(context, run, 50, "rejected")
    found = decided_cells(context.store, str(source))
    assert [cell.answer for cell in found] == [Answer(11, "town", True, "Springfield"), Answer(50, "town", False)]
    assert [(cell.observed, cell.run, cell.who) for cell in found] == [
        ("Sprxngfield", run.id, "ann"),
        ("Riversid", run.id, "ann"),
    ]
    context.store.decisions.undo(last, "ann")
    assert decided_cells(context.store, str(source))[1].answer == Answer(50, "town", True, "Riverside")
    decide(context, run, 50, "edited", "Franklin")
    assert decided_cells(context.store, str(source))[1].answer.value == "Franklin"
    decide(context, run, 50, "edited", None)
    assert decided_cells(context.store, str(source))[1].answer.value == "", "it should have been empty"
    assert decided_cells(context.store, "other.csv") == []


def test_the_cleaner_learns_what_answers_in_a_file_would_teach_it(
    context: JobContext, run: RunRecord, source: Path, tmp_path: Path
) -> None:
    decide(context, run, 11, "accepted")
    decide(context, run, 50, "rejected")
    again = clean(context, str(source), decided=True)
    facts = again.run.summary["learned"]
    assert facts == {"wrong": 1, "right": 1, "changed": 0, "runs": [run.id]}
    answers = {"row": [11, 50], "column": ["town"] * 2, "wrong": ["yes", "no"], "value": ["Springfield", ""]}
    pd.DataFrame(answers).to_csv(tmp_path / "answers.csv", index=False)
    by_file = clean(context, str(source), labels=str(tmp_path / "answers.csv"))
    cells = pq.read_table(again.run.path / FILE)
    assert cells == pq.read_table(by_file.run.path / FILE)
    assert 50 not in cells.filter(cells["column"].to_numpy(zero_copy_only=False) == "town")["row"].to_pylist()


def test_decisions_about_cells_that_have_changed_are_left_out(
    context: JobContext, run: RunRecord, source: Path
) -> None:
    decide(context, run, 11, "accepted")
    decide(context, run, 50, "rejected")
    frame = pd.read_csv(source, dtype=str, keep_default_na=False)
    frame.loc[11, "town"] = "Springfield"
    frame.to_csv(source, index=False)
    again = clean(context, str(source), decided=True)
    assert again.run.summary["learned"]["changed"] == 1
    assert "1 decision left out: their cells hold something else by now" in again.warnings[-1]
    with pytest.raises(UsageError, match="2 decisions are about cells that hold something else"):
        clean(context, str(source), decided=True, drop=("town",))


def test_a_cell_that_was_edited_to_what_it_holds_is_right(context: JobContext, run: RunRecord, source: Path) -> None:
    decide(context, run, 50, "edited", "Riversid")
    assert clean(context, str(source), decided=True).run.summary["learned"]["right"] == 1


def test_nothing_to_learn_from_is_said(context: JobContext, source: Path) -> None:
    with pytest.raises(UsageError, match=r"nobody has decided about cells of this table; .* or give answers with"):
        clean(context, str(source), decided=True)
