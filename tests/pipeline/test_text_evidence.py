"""Columns that no model reads add to a row's score where their cells are odd: alone, in any batch, saved or not."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from anomalo.jobs.context import JobContext
from anomalo.jobs.fitting.fit import fit
from anomalo.jobs.scoring.score import score
from anomalo.pipeline.cell_tables import cells_table
from anomalo.pipeline.config import FitConfig
from anomalo.pipeline.fitted import FitOutcome, Fitted
from anomalo.pipeline.saved_model import load_fitted, save_fitted
from anomalo.registry.registry import Registry
from anomalo.tabular.schema import SchemaOptions, infer

ROWS = 300
ODD = {("code", 40): "AB00123", ("mail", 90): "user90 at mail.com", ("code", 150): "ab-00150"}


def orders() -> dict[str, list[Any]]:
    """Return orders with a code and an address each, all of one format but those of `ODD`."""
    random = np.random.default_rng(3)
    x = random.normal(size=ROWS)
    columns: dict[str, list[Any]] = {
        "code": [f"AB-{at:05}" for at in random.permutation(ROWS)],
        "mail": [f"user{at}@mail.com" for at in random.permutation(ROWS)],
        "x": x.tolist(),
        "y": (2 * x + random.normal(size=ROWS) / 10).tolist(),
    }
    for (name, row), text in ODD.items():
        columns[name][row] = text
    return columns


def fitted(table: pa.Table, options: SchemaOptions | None = None, **settings: Any) -> FitOutcome:
    config = FitConfig("knn", **settings)
    return Fitted.fit(table, infer(table, options), config, Registry.load())


@pytest.fixture(scope="module")
def outcome() -> FitOutcome:
    return fitted(pa.table(orders()))


def test_rows_with_odd_texts_are_the_most_anomalous(outcome: FitOutcome) -> None:
    assert outcome.fitted.texts is not None
    assert outcome.fitted.texts.columns == ("code", "mail")
    assert outcome.data.texts is not None
    odd = {row for _, row in ODD}
    assert set(np.flatnonzero(outcome.data.texts.any(axis=1))) == odd
    scored = outcome.fitted.score(outcome.data, outcome.scores)
    assert odd <= set(np.argsort(-scored.score)[: 2 * len(odd)])
    without = replace(outcome.data, texts=np.zeros_like(outcome.data.texts))
    assert not odd & set(np.argsort(-outcome.fitted.score_as_new(without))[:6]), "the model sees nothing of it"


def test_the_text_is_the_reason_and_contributions_sum_to_the_score(outcome: FitOutcome) -> None:
    rows = np.array(sorted(row for _, row in ODD))
    data, batch = outcome.data.take(rows), pa.table(orders()).take(pa.array(rows)).combine_chunks().to_batches()[0]
    cells = cells_table(outcome.fitted, batch, rows, data).to_pandas()
    assert cells.groupby("row").size().tolist() == [4, 4, 4]
    assert cells["column"].tolist()[:4] == ["x", "y", "code", "mail"]
    most = cells.loc[cells.groupby("row")["contribution"].idxmax()]
    assert list(zip(most["column"], most["row"], strict=True)) == sorted(ODD, key=lambda at: at[1])
    assert most["observed"].tolist() == [ODD[at] for at in sorted(ODD, key=lambda at: at[1])]


def test_a_new_row_has_its_score_in_any_batch(outcome: FitOutcome) -> None:
    new = pa.table(
        {
            "code": ["AB-99999", "AB-7", "AB-00001", "?!"], "mail": ["a@mail.com"] * 4,
            "x": [0.0, 0.1, 0.2, 0.3], "y": [0.0, 0.2, 0.4, 0.6],
        }
    )  # fmt: skip
    whole = outcome.fitted.score(outcome.fitted.encode(new)).score
    for row in range(4):
        alone = outcome.fitted.score(outcome.fitted.encode(new.slice(row, 1))).score
        assert alone[0] == whole[row]
    assert whole[3] > whole[0]


def test_a_training_row_is_known_again(outcome: FitOutcome) -> None:
    again = outcome.fitted.encode(pa.table(orders()))
    np.testing.assert_array_equal(again.texts, outcome.data.texts)
    assert outcome.fitted.score(again).known.all()


def test_a_saved_model_scores_alike(outcome: FitOutcome, tmp_path: Path) -> None:
    save_fitted(outcome.fitted, tmp_path / "model")
    loaded = load_fitted(tmp_path / "model", Registry.load())
    new = pa.table(orders()).slice(30, 30)
    one, other = (each.score(each.encode(new)).score for each in (outcome.fitted, loaded))
    np.testing.assert_array_equal(one, other)


def test_the_order_of_rows_does_not_matter(outcome: FitOutcome) -> None:
    order = np.random.default_rng(0).permutation(ROWS)
    shuffled = fitted(pa.table(orders()).take(pa.array(order)))
    assert outcome.data.texts is not None
    np.testing.assert_array_equal(shuffled.data.texts, outcome.data.texts[order])
    np.testing.assert_array_equal(
        shuffled.fitted.score(shuffled.data).score, outcome.fitted.score(outcome.data).score[order]
    )


def test_columns_of_texts_may_be_absent(outcome: FitOutcome) -> None:
    new = pa.table(orders()).drop_columns(["code", "mail"])
    data = outcome.fitted.encode(new)
    assert data.texts is not None
    assert not data.texts.any()


def test_what_the_user_drops_or_calls_an_id_or_label_is_not_looked_at() -> None:
    columns = orders() | {"truth": ["normal"] * 150 + ["odd!"] + ["normal"] * 149}
    found = fitted(pa.table(columns), SchemaOptions(drop=("mail",), id="code", label="truth"))
    assert found.fitted.texts is None
    assert found.data.texts is None


def test_a_fit_that_does_not_score_has_no_such_evidence() -> None:
    table = pa.table(orders())
    config = FitConfig("chained", goals=frozenset({"impute"}), calibrate=False)
    assert Fitted.fit(table, infer(table), config, Registry.load()).fitted.texts is None


def test_jobs_give_the_text_as_the_first_reason(tmp_path: Path) -> None:
    source = tmp_path / "orders.parquet"
    pa.parquet.write_table(pa.table(orders()), source)
    context = JobContext.at(tmp_path / "w")
    model = fit(context, str(source), "orders", FitConfig("knn"), SchemaOptions())
    for reference in (model.opened(), "orders"):
        result = score(context, str(source), reference, output=tmp_path / "scores.parquet")
        lines = pa.parquet.read_table(tmp_path / "scores.parquet").to_pylist()
        for (name, row), text in ODD.items():
            first = lines[row]["reasons"][0]
            assert (first["column"], first["observed"]) == (name, text)
        assert result.run.summary["alerts"] > 0


def test_a_row_with_an_odd_text_and_a_missing_cell_counts_the_text_once(outcome: FitOutcome) -> None:
    new = pa.table({"code": ["?!"], "mail": ["a@mail.com"], "x": pa.array([None], pa.float64()), "y": [0.0]})
    data = outcome.fitted.encode(new)
    explained, score = outcome.fitted.explain(data), outcome.fitted.score(data).score[0]
    assert data.texts is not None
    text = data.texts.sum() * outcome.fitted.calibration.rule_scale
    assert explained.texts.sum() == pytest.approx(text, rel=1e-4)
    without = replace(data, texts=np.zeros_like(data.texts))
    assert explained.contribution.sum() == pytest.approx(outcome.fitted.explain(without).contribution.sum(), rel=1e-6)
    assert score > text
