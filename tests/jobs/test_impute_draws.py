"""Imputation: draws on the command line and in Python, intervals, fits for one verb only, serving."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from anomalo import TableImputer
from anomalo.errors import UsageError

pytestmark = pytest.mark.filterwarnings("ignore:nothing predicts:UserWarning")

Call = Callable[..., Any]


@pytest.fixture(scope="module")
def filler(anomalo: Call, tables: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A workspace with `auto` fitted to impute only, and the output of the fit."""
    space = tmp_path_factory.mktemp("filler") / "w"
    options = ("--label", "sick", "--id", "name", "--workspace", space)
    return space, anomalo("fit", tables / "patients.csv", "--as", "filler", "--for", "impute", *options)


@pytest.fixture(scope="module")
def incomplete(patients: pd.DataFrame) -> pd.DataFrame:
    """The features, with more missing values."""
    frame = patients.drop(columns=["name", "sick"])
    frame["smoker"] = frame["smoker"].where(frame.index % 5 > 0)
    frame["children"] = frame["children"].astype("Int64").where(frame.index % 9 > 0)
    return frame


def test_a_fit_reports_the_expected_error_of_each_column_with_missing_values(filler: tuple[Path, Any]) -> None:
    outcome = filler[1]
    assert outcome.code == 0, outcome.err
    lines = {line.split()[0]: line for line in outcome.out.splitlines() if line}
    assert "expected error" in lines["column"]
    assert "wrong" in lines["colour"]
    assert float(lines["weight"].split()[-2]) < float(lines["weight"].split()[-1])
    assert "height" not in lines
    assert "p-value" not in outcome.err


def test_draws_are_written_beside_the_table(anomalo: Call, tables: Path, filler: Any, tmp_path: Path) -> None:
    output = tmp_path / "filled.csv"
    arguments = ("--with", "filler", "-o", output, "--draws", 7, "--workspace", filler[0], "--json")
    outcome = anomalo("impute", tables / "patients.csv", *arguments)
    assert outcome.code == 0, outcome.err
    cells = pd.read_parquet(tmp_path / "filled.cells.parquet")
    run = Path(outcome.json["path"])
    pd.testing.assert_frame_equal(cells, pd.read_parquet(run / "fills.parquet"))
    assert outcome.json["summary"]["draws"] == 7
    table = pd.read_csv(output, dtype=str)
    for line in cells.itertuples():
        assert table.loc[line.row, line.column] == line.value
        assert len(line.draws) == 7
    weight = cells[cells["column"] == "weight"]
    drawn = np.stack(weight["draws"].to_numpy()).astype(float)
    assert (drawn.std(axis=1) > 0).all()
    assert ((weight["low"] < weight["value"].astype(float)) & (weight["value"].astype(float) < weight["high"])).all()
    colour = cells[cells["column"] == "colour"]
    assert set(np.concatenate(colour["draws"].to_numpy())) <= {"red", "green", "blue"}
    assert colour["probability"].between(1 / 3, 1).all()


def test_the_same_draws_come_again_and_more_of_them_begin_alike(
    anomalo: Call, tables: Path, filler: Any, tmp_path: Path
) -> None:
    kept = []
    for draws in (3, 3, 5):
        arguments = ("--with", "filler", "-o", tmp_path / "o.parquet", "--draws", draws, "--workspace", filler[0])
        assert anomalo("impute", tables / "patients.parquet", *arguments).code == 0
        kept.append(np.stack(pd.read_parquet(tmp_path / "o.cells.parquet")["draws"].to_numpy()))
    assert (kept[0] == kept[1]).all()
    assert (kept[0] == kept[2][:, :3]).all()


def test_what_was_fitted_to_impute_cannot_score(anomalo: Call, tables: Path, filler: Any) -> None:
    outcome = anomalo("score", tables / "patients.csv", "--with", "filler", "--workspace", filler[0])
    assert outcome.code == 2
    assert "was fitted to impute only; fit it again, also for score" in outcome.err


def test_an_unknown_goal_and_a_negative_number_of_draws_are_refused(anomalo: Call, tables: Path, filler: Any) -> None:
    outcome = anomalo("fit", tables / "patients.csv", "--as", "x", "--for", "explain", "--workspace", filler[0])
    assert (outcome.code, "--for explain: expected score, impute, embed" in outcome.err) == (2, True)
    arguments = ("--with", "filler", "--draws", "-1", "--workspace", filler[0])
    assert anomalo("impute", tables / "patients.csv", *arguments).code == 2


def test_a_model_without_draws_refuses_them_before_anything_is_written(
    anomalo: Call, tables: Path, tmp_path: Path
) -> None:
    space, output = tmp_path / "w", tmp_path / "filled.csv"
    fit = ("fit", tables / "patients.csv", "--as", "z", "--model", "zscore", "--id", "name", "--workspace", space)
    assert anomalo(*fit).code == 0
    before = sorted(tmp_path.rglob("*"))
    impute = ("impute", tables / "patients.csv", "--with", "z", "-o", output, "--workspace", space)
    outcome = anomalo(*impute, "--draws", 3)
    assert (outcome.code, outcome.out) == (2, "")
    assert "model 'zscore' gives no draws: expected one that does, such as auto, chained or denoising" in outcome.err
    assert sorted(tmp_path.rglob("*")) == before
    assert anomalo(*impute).code == 0


@pytest.mark.slow
def test_an_imputer_draws_whole_tables(incomplete: pd.DataFrame) -> None:
    imputer = TableImputer().fit(incomplete)
    first, second = imputer.draw(incomplete, 2)
    for drawn in (first, second):
        assert not drawn.isna().any().any()
        pd.testing.assert_frame_equal(
            drawn.where(incomplete.notna()), incomplete.where(incomplete.notna()), check_dtype=False
        )
        assert (drawn["children"] == drawn["children"].round()).all()
        assert drawn["children"].between(incomplete["children"].min(), incomplete["children"].max()).all()
    assert not first.equals(second)
    with pytest.raises(UsageError, match="draws=0: expected a whole number from 1"):
        imputer.draw(incomplete, 0)


def test_cells_list_every_imputed_value_and_integers_have_integer_ends(incomplete: pd.DataFrame) -> None:
    imputer = TableImputer(round=False).fit(incomplete)
    cells = imputer.cells(incomplete)
    assert len(cells) == int(incomplete.isna().sum().sum())
    assert cells["row"].is_monotonic_increasing
    filled = imputer.transform(incomplete)
    children = cells[cells["column"] == "children"]
    assert np.allclose(children["value"].astype(float), filled.loc[children["row"], "children"].astype(float))
    assert (children["low"] % 1 == 0).all()
    assert (children["value"].astype(float) % 1 != 0).any()


def test_a_row_alone_is_filled_as_in_the_table_by_the_default(incomplete: pd.DataFrame) -> None:
    imputer = TableImputer(round=False).fit(incomplete)
    whole = imputer.transform(incomplete)
    for row in (0, 3, 9, 45, 50):
        pd.testing.assert_frame_equal(
            imputer.transform(incomplete.iloc[[row]]), whole.iloc[[row]], check_dtype=False, check_exact=True
        )


def test_rows_without_any_cell_and_unseen_levels(incomplete: pd.DataFrame) -> None:
    imputer = TableImputer().fit(incomplete)
    new = incomplete.head(4).copy()
    new.loc[0] = None
    new.loc[1, "colour"] = "violet"
    filled = imputer.transform(new)
    assert not filled.isna().any().any()
    assert filled.loc[1, "colour"] == "violet"


def test_scan_scores_and_fills_by_one_fit(anomalo: Call, tables: Path, tmp_path: Path) -> None:
    options = ("--set", "members=knn", "--id", "name", "--label", "sick")
    outcome = anomalo("scan", tables / "patients.csv", *options, "--workspace", tmp_path / "w")
    assert outcome.code == 0, outcome.err
    assert "5 missing values imputed" in outcome.out
