"""`TableCleaner` passes scikit-learn's checks, repairs frames of any types, and learns from answers."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from anomalo import TableCleaner
from anomalo.errors import UsageError


@parametrize_with_checks([TableCleaner()])
def test_sklearn_checks(estimator: Any, check: Any) -> None:
    check(estimator)


def frame() -> pd.DataFrame:
    """Return orders whose zip decides the city, in several types."""
    rows = np.arange(120)
    return pd.DataFrame(
        {
            "zip": rows % 4 * 100 + 35000,
            "city": np.array(["Birmingham", "Dothan", "Cullman", "Florence"], dtype=object)[rows % 4],
            "kind": pd.Categorical(np.array(["a", "b", "c", "d"])[rows % 4]),
            "amount": rows % 17 + 0.5,
        },
        index=rows + 1000,
    )


def test_a_repaired_frame_keeps_types_index_and_all_other_cells() -> None:
    dirty = frame()
    dirty.iloc[5, 1] = "Dothxn"
    dirty.iloc[7, 0] = 35500
    cleaner = TableCleaner(apply=0.5).fit(dirty)
    repaired = cleaner.transform(dirty)
    assert repaired.dtypes.equals(dirty.dtypes)
    assert repaired.index.equals(dirty.index)
    changed = (repaired != dirty).to_numpy()
    cells = cleaner.cells()
    sure = cells[cells["suggestion_probability"] >= 0.5]
    assert set(zip(*np.nonzero(changed), strict=True)) == {
        (row, list(dirty).index(name)) for row, name in zip(sure["row"], sure["column"], strict=True)
    }
    assert repaired.iloc[5, 1] == "Dothan"
    assert dirty.iloc[5, 1] == "Dothxn", "the frame that is given stays"


def test_a_new_row_is_cleaned_by_the_training_rows_alone() -> None:
    cleaner = TableCleaner(apply=0.5).fit(frame())
    new = frame().iloc[[1, 2, 3]].assign(city=["Dothxn", "Cullman", "Birmingham"])
    together = cleaner.transform(new)
    assert together["city"].tolist()[:2] == ["Dothan", "Cullman"]
    for at in range(3):
        pd.testing.assert_frame_equal(cleaner.transform(new.iloc[[at]]), together.iloc[[at]])


def test_answers_are_learned_from() -> None:
    """All amounts have a unit, which no other cell contradicts: only answers show that it is wrong."""
    dirty = frame().assign(amount=[f"{value:g} kg" for value in frame()["amount"]])
    cleaner = TableCleaner(apply=0.5).fit(dirty)
    assert not (cleaner.transform(dirty)["amount"] != dirty["amount"]).any()
    asked = cleaner.ask(6)
    assert asked["row"].nunique() == 6
    unit = asked["column"] == "amount"
    asked["wrong"] = np.where(unit, "yes", "no")
    asked["value"] = np.where(unit, asked["observed"].str.removesuffix(" kg"), "")
    taught = TableCleaner(apply=0.5).fit(dirty, labels=asked).transform(dirty)
    assert taught["amount"].tolist() == dirty["amount"].str.removesuffix(" kg").tolist()
    pd.testing.assert_frame_equal(taught.drop(columns="amount"), dirty.drop(columns="amount"))


def test_what_is_wrong_is_said() -> None:
    with pytest.raises(UsageError, match="expected a probability"):
        TableCleaner(apply=0).fit(frame())
    answers = pd.DataFrame({"row": [0], "column": ["ctiy"], "wrong": ["no"], "value": [""]})
    with pytest.raises(UsageError, match="did you mean 'city'"):
        TableCleaner().fit(frame(), labels=answers)
    with pytest.raises(UsageError, match="rows=0"):
        TableCleaner().fit(frame()).ask(0)
