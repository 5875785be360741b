"""What a caller decides about columns, and messages in Python's terms."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from anomalo import AnomalyDetector, SchemaOptions, TableImputer
from anomalo.errors import SchemaError, UsageError
from anomalo.estimators.columns import in_python, options_of


def table(rows: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    size = rng.normal(10, 2, rows).round(1)
    return pd.DataFrame(
        {
            "key": [f"K{row:04}" for row in range(rows)],
            "size": size,
            "weight": (2 * size + rng.normal(size=rows)).round(1),
            "zone": rng.choice([101, 205, 400], rows),
            "fraud": rng.random(rows) < 0.1,
        }
    )


def kinds(estimator: Any) -> dict[str, tuple[str, str]]:
    return {column.name: (column.kind, column.role) for column in estimator.fitted_.schema.columns}


def test_kinds_and_roles_are_those_that_were_given() -> None:
    columns = {"key": "id", "zone": "category", "fraud": "label", "weight": "drop"}
    detector = AnomalyDetector("knn", columns=columns).fit(table())
    found = kinds(detector)
    assert found["zone"] == ("category", "feature")
    assert [found[name][1] for name in ("key", "fraud", "weight")] == ["id", "label", "dropped"]
    assert set(detector.explain(table().iloc[:2])["column"]) == {"size", "zone"}
    assert clone(detector).columns == columns


def test_codes_that_are_a_category_are_imputed_with_codes_that_occur() -> None:
    rows = table()
    rows["zone"] = rows["zone"].astype("Int64").where(np.arange(len(rows)) % 5 > 0)
    filled = TableImputer("chained", columns={"zone": "category", "key": "id"}).fit(rows).transform(rows)
    assert filled["zone"].dtype == "Int64"
    assert set(filled["zone"]) == {101, 205, 400}


def test_cells_and_transform_agree_on_what_is_missing() -> None:
    rows = table()
    rows.loc[3, "size"], rows.loc[4, "weight"], rows.loc[5, "weight"] = -999.0, np.nan, -999.0
    options = SchemaOptions({"zone": "integer"}, missing=("size=-999",), id="key")
    imputer = TableImputer("median", columns=options).fit(rows)
    filled, cells = imputer.transform(rows), imputer.cells(rows)
    assert list(zip(cells["row"], cells["column"], strict=True)) == [(3, "size"), (4, "weight")]
    assert filled.loc[3, "size"] == float(cells["value"].iloc[0]) != -999
    assert filled.loc[5, "weight"] == -999
    changed = (filled != rows) & ~(filled.isna() & rows.isna())
    assert changed.to_numpy().sum() == 2


def test_texts_that_are_numbers_can_be_said_to_be() -> None:
    rows = table().assign(size=lambda frame: frame["size"].astype(str))
    rows.loc[7, "size"] = "n/k"
    with pytest.warns(UserWarning, match="1 of 120 cells") as caught:
        detector = AnomalyDetector("knn", columns={"size": "number", "key": "id", "zone": "category"}).fit(rows)
    assert not any("--" in str(warning.message) for warning in caught)
    assert kinds(detector)["size"] == ("number", "feature")
    assert detector.score_samples(rows).argmin() == 7


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"zone": "code"}, "expected one of number, integer"),
        ({"a": "id", "b": "id"}, "names 2 columns the id"),
        ([("zone", "category")], "expected a dict such as {'zone': 'category'}"),
        ({"zoen": "category"}, "did you mean 'zone'"),
    ],
)
def test_wrong_choices_are_refused(columns: Any, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        AnomalyDetector("knn", columns=columns).fit(table())


def test_options_are_taken_as_they_are() -> None:
    options = SchemaOptions(kinds={"zone": "category"}, missing=("-999",))
    assert options_of(options) is options
    assert options_of(None) == SchemaOptions()


def test_errors_speak_python() -> None:
    rows = table()
    detector = AnomalyDetector("knn", columns={"key": "id", "zone": "category"}).fit(rows)
    with pytest.raises(SchemaError) as refused:
        detector.score_samples(rows.assign(size="ten"))
    assert "--" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("give --missing 'size=-999'", "give columns=SchemaOptions(missing=['size=-999'])"),
        ("--keep 'region=NA' keeps them", "columns=SchemaOptions(keep=['region=NA']) keeps them"),
        ("or fit with --inf missing to", "or fit with columns=SchemaOptions(infinite='missing') to"),
        ("(--kind 'a=b=integer')", "(columns={'a=b': 'integer'})"),
        ("the row -- is odd", "the row -- is odd"),
    ],
)
def test_options_of_the_command_line_become_parameters(text: str, expected: str) -> None:
    assert in_python(text) == expected
