"""Residuals of numbers given the rest of their row: those of a ridge regression, by the inverse covariance."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from anomalo.cleaning.coded import CodedTable
from anomalo.cleaning.evidence import regression
from anomalo.cleaning.evidence.regression import RIDGE, residuals


def related(rows: int = 300) -> dict[str, list[str]]:
    random = np.random.default_rng(2)
    x, y = random.normal(10, 2, rows), random.normal(5, 1, rows)
    kind = random.choice(["a", "b", "c"], rows)
    total = x + 2 * y + (kind == "a") * 3 + random.normal(0, 0.05, rows)
    numbers = {"x": x, "y": y, "total": total}
    return {**{name: [f"{value:.3f}" for value in values] for name, values in numbers.items()}, "kind": kind.tolist()}


def test_the_residuals_are_those_of_ridge_regressions() -> None:
    table = CodedTable.of_texts(related())
    parts = [regression._part(column) for column in table.columns]
    data = np.concatenate(parts, axis=1)
    others = np.delete(data, 2, axis=1)
    model = Ridge(alpha=RIDGE * len(data), fit_intercept=False).fit(others, data[:, 2])
    residual = data[:, 2] - model.predict(others)
    expected = np.abs(residual) / max(1.4826 * np.median(np.abs(residual)), regression.LEAST)
    assert residuals(table)[2][:, 0] == pytest.approx(np.minimum(expected, regression.MOST), rel=1e-6)


def test_a_number_that_is_usual_alone_but_not_in_its_row_has_the_largest_residual() -> None:
    columns = related()
    columns["total"][17] = max(columns["total"][:200], key=lambda text: abs(float(text) - float(columns["total"][17])))
    found = residuals(CodedTable.of_texts(columns))
    assert found[2][:, 0].argmax() == 17
    assert found[2][0, 1] > 0.8


@pytest.mark.parametrize(
    "columns", [{}, {"a": ["1"] * 20}, {"a": ["x", "y"] * 10, "b": ["z", "u"] * 10}, {"a": [], "b": []}]
)
def test_without_numbers_there_are_none(columns: dict[str, list[str]]) -> None:
    assert all((found == 0).all() for found in residuals(CodedTable.of_texts(columns)))
