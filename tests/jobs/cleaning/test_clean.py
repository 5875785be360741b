"""`clean`: suspected cells are listed, probable suggestions applied and nothing else, and all of it is taken back."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from anomalo.cleaning.listing import CELLS
from anomalo.errors import SchemaError, SourceError, UsageError
from anomalo.jobs.cleaning.ask import ask
from anomalo.jobs.cleaning.clean import FILE, clean
from anomalo.jobs.cleaning.undo import undo
from anomalo.jobs.context import JobContext
from anomalo.jobs.fitting.fit import fit
from anomalo.pipeline.config import FitConfig
from anomalo.tabular.schema import SchemaOptions

WRONG = {("town", 11): "Sprxngfield", ("town", 50): "Riversid", ("zip", 90): "3O822", ("minutes", 260): "44 min"}
APPLY = 0.8


def visits(rows: int = 400) -> pd.DataFrame:
    """Return visits to clinics, each of which has a town and a zip; cells have spaces and quotes as files do."""
    random = np.random.default_rng(5)
    clinic = random.integers(0, 12, rows)
    towns = ["Springfield", "Riverside", "Franklin", "Clinton"]
    return pd.DataFrame(
        {
            "clinic": [f"clinic {at:02}" for at in clinic],
            "town": [towns[at % 4] for at in clinic],
            "zip": [f"{30000 + at * 137}" for at in clinic],
            "minutes": [str(value) for value in random.integers(5, 60, rows)],
            "note": [f'said "{at}", left ' if at % 3 else "" for at in range(rows)],
        }
    )


@pytest.fixture
def source(tmp_path: Path) -> Path:
    frame = visits()
    for (name, row), text in WRONG.items():
        frame.loc[row, name] = text
    path = tmp_path / "visits.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture
def context(tmp_path: Path) -> JobContext:
    return JobContext.at(tmp_path / "w")


def texts(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def test_wrong_cells_are_listed_with_suggestions_and_reasons(source: Path, context: JobContext, tmp_path: Path) -> None:
    result = clean(context, str(source), output=tmp_path / "cells.parquet")
    cells = pq.read_table(tmp_path / "cells.parquet").to_pylist()
    found = {(cell["column"], cell["row"]): cell for cell in cells}
    assert set(WRONG) <= set(found)
    assert len(found) <= len(WRONG) + 4
    truth = visits()
    for column, row in WRONG:
        cell = found[column, row]
        assert (cell["observed"], cell["suggestion"]) == (WRONG[column, row], truth.loc[row, column])
        assert 0.4 < cell["suggestion_probability"] <= cell["probability"] <= 1
        assert cell["reason"]
    probability = [cell["probability"] for cell in cells]
    assert probability == sorted(probability, reverse=True)
    kept = pq.read_table(result.run.path / FILE)
    assert kept.schema.names == [*CELLS.names, "applied"]
    assert not any(kept["applied"].to_pylist())
    assert result.run.summary["cells"] == len(cells) == sum(column.cells for column in result.columns)
    assert all(sum(one["cells"] for one in column.examples) <= column.cells for column in result.columns)


def test_tokens_of_missing_values_are_all_listed_and_counted_apart(source: Path, context: JobContext) -> None:
    frame = texts(source)
    frame["grade"] = [["NA", "NA", "NA", "NA", "A", "NA", "NA", "B"][row % 8] for row in range(len(frame))]
    frame.to_csv(source, index=False)
    result = clean(context, str(source))
    cells = pq.read_table(result.cells).to_pylist()
    tokens = [cell for cell in cells if cell["observed"] == "NA"]
    assert len(tokens) == 300
    assert {(cell["kind"], cell["suggestion"]) for cell in tokens} == {("missing", "")}
    facts = result.run.summary
    assert facts["cells"] + facts["tokens"] == len(cells)
    assert facts["tokens"] > 0


def test_only_probable_suggestions_are_applied_and_all_is_taken_back(
    source: Path, context: JobContext, tmp_path: Path
) -> None:
    out = tmp_path / "repaired.csv"
    result = clean(context, str(source), output=out, apply=APPLY)
    before, after = texts(source), texts(out)
    cells = pq.read_table(tmp_path / "repaired.cells.parquet").to_pylist()
    expected = {(c["column"], c["row"]): c["suggestion"] for c in cells if (c["suggestion_probability"] or 0) >= APPLY}
    assert expected
    assert {(c["column"], c["row"]) for c in cells if c["applied"]} == set(expected)
    changed = {(name, row) for name in before for row in np.flatnonzero(before[name] != after[name]).tolist()}
    assert {at: after.loc[at[1], at[0]] for at in changed} == expected
    undone = undo(context, result.run.id)
    assert (undone.cells, undone.kept) == (len(expected), 0)
    pd.testing.assert_frame_equal(texts(out), before)
    assert context.store.run(undone.run.id).summary["undone"] == result.run.id


def test_a_cell_that_was_changed_since_stays(source: Path, context: JobContext, tmp_path: Path) -> None:
    out = tmp_path / "repaired.csv"
    result = clean(context, str(source), output=out, apply=APPLY)
    frame = texts(out)
    frame.loc[11, "town"] = "by hand"
    frame.to_csv(out, index=False)
    undone = undo(context, result.run.id, output=tmp_path / "undone.csv")
    assert undone.kept == 1
    assert texts(tmp_path / "undone.csv").loc[11, "town"] == "by hand"
    assert texts(out).loc[11, "town"] == "by hand", "with an output, the repaired table stays as it is"


def test_a_table_that_is_another_one_is_refused(source: Path, context: JobContext, tmp_path: Path) -> None:
    out = tmp_path / "repaired.csv"
    result = clean(context, str(source), output=out, apply=APPLY)
    texts(out).head(20).to_csv(out, index=False)
    with pytest.raises(SourceError, match="it has 20 rows; it had 400 rows"):
        undo(context, result.run.id)
    out.unlink()
    with pytest.raises(SourceError, match=r"not in .* any more"):
        undo(context, result.run.id)
    listed = clean(context, str(source))
    with pytest.raises(UsageError, match="replaced no cells"):
        undo(context, listed.run.id)


def test_types_stay(context: JobContext, tmp_path: Path) -> None:
    frame = visits()
    frame.loc[11, "town"] = "Sprxngfield"
    table = pa.table(
        {
            "town": pa.array(frame["town"]).dictionary_encode(),
            "clinic": pa.array(frame["clinic"]),
            "zip": pa.array(frame["zip"].astype(int)),
            "lists": pa.array([[1]] * len(frame)),
        }
    )
    pq.write_table(table, tmp_path / "visits.parquet")
    result = clean(context, str(tmp_path / "visits.parquet"), output=tmp_path / "out.parquet", apply=APPLY)
    after = pq.read_table(tmp_path / "out.parquet")
    assert after.schema.types == pq.read_table(tmp_path / "visits.parquet").schema.types
    assert after["town"][11].as_py() == "Springfield"
    assert after.drop_columns("town").equals(table.drop_columns("town"))
    assert any("'lists'" in text for text in result.warnings), "what cannot be read is said"


def test_dropped_columns_are_not_looked_at(source: Path, context: JobContext) -> None:
    result = clean(context, str(source), drop=("town", "note"))
    assert {column.column for column in result.columns}.isdisjoint({"town", "note"})
    with pytest.raises(UsageError, match="did you mean 'town'"):
        clean(context, str(source), drop=("twon",))
    with pytest.raises(UsageError, match="no column is left"):
        clean(context, str(source), drop=tuple(visits()))


def test_nothing_is_written_over_the_source(source: Path, context: JobContext) -> None:
    before = source.read_bytes()
    with pytest.raises(UsageError, match="is the table that is read"):
        clean(context, str(source), output=source, apply=0.9)
    with pytest.raises(UsageError, match="expected a probability"):
        clean(context, str(source), apply=1.5)
    assert source.read_bytes() == before


def test_the_command_line_shows_and_undoes(anomalo: Any, source: Path, tmp_path: Path) -> None:
    shown = anomalo("clean", source, "--workspace", tmp_path / "w")
    assert shown.code == 0
    assert "'Sprxngfield' → 'Springfield'" in shown.out
    assert f"anomalo clean {source} --apply 0.9 -o OUT" in shown.out
    out = tmp_path / "out.csv"
    applied = anomalo("clean", source, "--apply", APPLY, "-o", out, "--workspace", tmp_path / "w", "--json").json
    assert applied["summary"]["applied"] > 0
    undone = anomalo("clean", "--undo", applied["id"], "--workspace", tmp_path / "w")
    assert undone.code == 0
    assert "hold again what was there before" in undone.out
    pd.testing.assert_frame_equal(texts(out), texts(source))


@pytest.mark.parametrize(
    "arguments", [(), ("x.csv", "--undo", "0001-clean")], ids=["nothing to clean", "a table and a run"]
)
def test_what_to_do_is_said_once(anomalo: Any, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    outcome = anomalo("clean", *arguments, "--workspace", tmp_path / "w")
    assert outcome.code == 2
    assert "either a table to clean, or --undo" in outcome.err


def test_a_saved_cleaner_cleans_new_rows_and_is_no_model(source: Path, context: JobContext, tmp_path: Path) -> None:
    clean(context, str(source), name="visits")
    new = texts(source).iloc[[11, 50, 3]].reset_index(drop=True)
    new.loc[2, "town"] = "Clintn"
    new.to_csv(tmp_path / "new.csv", index=False)
    cells = clean(context, str(tmp_path / "new.csv"), reference="visits", output=tmp_path / "cells.parquet")
    found = pq.read_table(cells.cells).to_pylist()
    assert {(cell["row"], cell["column"]) for cell in found} >= {(0, "town"), (1, "town"), (2, "town")}
    assert cells.run.model == "visits@1"
    with pytest.raises(UsageError, match="holds a cleaner"):
        context.load("visits", "score", "cpu")
    new.drop(columns="zip").to_csv(tmp_path / "less.csv", index=False)
    with pytest.raises(SchemaError, match="column 'zip' is missing"):
        clean(context, str(tmp_path / "less.csv"), reference="visits")


def test_a_model_is_no_cleaner(source: Path, context: JobContext) -> None:
    fit(context, str(source), "model", FitConfig("mean", calibrate=False), SchemaOptions())
    with pytest.raises(UsageError, match="not a cleaner"):
        clean(context, str(source), reference="model")


def test_answers_teach_what_the_table_does_not_show(source: Path, context: JobContext, tmp_path: Path) -> None:
    """All minutes have a unit, which nothing contradicts; answers about asked rows say that it is wrong."""
    frame = texts(source)
    frame["minutes"] = [f"{text.removesuffix(' min')} min" for text in frame["minutes"]]
    frame.to_csv(source, index=False)
    asked = ask(context, str(source), 15, tmp_path / "answers.csv")
    answers = texts(asked.file)
    assert asked.cells == len(answers) == 15 * frame.shape[1]
    minutes = answers["column"] == "minutes"
    truth = [visits().loc[int(row), name] for row, name in zip(answers["row"], answers["column"], strict=True)]
    wrong = minutes | (answers["observed"] != pd.Series(truth).str.strip())
    answers["wrong"] = np.where(wrong, "yes", "no")
    answers["value"] = np.where(minutes, answers["observed"].str.removesuffix(" min"), np.where(wrong, truth, ""))
    answers.to_csv(asked.file, index=False)
    result = clean(context, str(source), labels=str(asked.file), name="taught", output=tmp_path / "o.csv", apply=0.8)
    assert (texts(tmp_path / "o.csv")["minutes"] == frame["minutes"].str.removesuffix(" min")).all()
    assert sum(result.run.summary["rules"].values()) >= len(frame)
    new = frame.head(5).assign(minutes=[f"{at} min" for at in (7, 12, 33, 41, 58)])
    new.to_csv(tmp_path / "new.csv", index=False)
    clean(context, str(tmp_path / "new.csv"), reference="taught", output=tmp_path / "n.csv", apply=0.8)
    assert texts(tmp_path / "n.csv")["minutes"].tolist() == ["7", "12", "33", "41", "58"]


def test_asking_needs_a_file_and_a_number(source: Path, context: JobContext, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="give its name with -o"):
        ask(context, str(source), 5, None)
    with pytest.raises(UsageError, match="ask=0"):
        ask(context, str(source), 0, tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--ask", 5, "--apply", 0.9), "--ask cannot be given with --apply"),
        (("--with", "x", "--labels", "y"), "--with cannot be given with --labels"),
        (("--with", "x", "--drop", "town"), "--with cannot be given with --drop"),
    ],
)
def test_options_that_exclude_each_other(anomalo: Any, source: Path, tmp_path: Path, arguments: Any, said: str) -> None:
    outcome = anomalo("clean", source, *arguments, "--workspace", tmp_path / "w")
    assert outcome.code == 2
    assert said in outcome.err


def test_a_model_of_texts_looks_at_spelling_and_is_saved_with_the_cleaner(source: Path, context: JobContext) -> None:
    texts(source).head(120)[["clinic", "town", "zip"]].to_csv(source, index=False)
    mine = clean(context, str(source), model="strings", name="spelt")
    usual = clean(context, str(source))
    one, other = (pq.read_table(result.cells)["probability"].to_pylist() for result in (mine, usual))
    assert one
    assert one != other
    again = clean(context, str(source), reference="spelt")
    assert pq.read_table(again.cells).equals(pq.read_table(mine.cells)), "rows that it learned from are recognised"
    with pytest.raises(UsageError, match="did you mean 'strings'"):
        clean(context, str(source), model="string")
