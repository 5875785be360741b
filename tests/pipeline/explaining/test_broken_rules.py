"""A broken rule raises its row's score by its surprisal, and is the row's first reason."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from anomalo.encoding.encoded import Encoded
from anomalo.encoding.target import label_of
from anomalo.pipeline.cell_tables import cells_table
from anomalo.pipeline.config import FitConfig
from anomalo.pipeline.explaining.reasons import reasons
from anomalo.pipeline.fitted import Fitted
from anomalo.pipeline.saved_model import load_fitted, save_fitted
from anomalo.registry.registry import Registry
from anomalo.tabular.schema import SchemaOptions, infer

ROWS = 300
REGISTRY = Registry.load()
PLANS = {
    "iforest": FitConfig("iforest", {"trees": 10}, seed=1, device="cpu"),
    "linear": FitConfig("linear", {"epochs": 2}, seed=1, device="cpu"),
}


def bills(rows: int = ROWS, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    net, tax = rng.gamma(4, 20, rows).round(2), rng.gamma(2, 3, rows).round(2)
    return pd.DataFrame({"net": net, "tax": tax, "total": (net + tax).round(2), "items": rng.poisson(4, rows)})


def table(frame: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame, preserve_index=False)


def fit(plan: FitConfig, frame: pd.DataFrame) -> Fitted:
    return Fitted.fit(table(frame), infer(table(frame), SchemaOptions()), plan, REGISTRY).fitted


@pytest.fixture(scope="module", params=PLANS)
def fitted(request: pytest.FixtureRequest) -> Fitted:
    return fit(PLANS[request.param], bills())


def one_cent_or_more(more: float) -> tuple[pa.Table, pa.Table]:
    right = bills(8, seed=5)
    return table(right), table(right.assign(total=right["total"] + more))


def test_a_score_rises_by_the_surprisal_of_the_rule(fitted: Fitted) -> None:
    right, wrong = (fitted.encode(rows) for rows in one_cent_or_more(0.1))
    assert right.evidence is None
    assert wrong.evidence is not None
    raised = fitted.score(wrong).score
    plain = fitted.score(Encoded(wrong.values, wrong.observed, wrong.layout)).score
    added = math.log((ROWS + 1) / 0.5) * fitted.calibration.rule_scale
    np.testing.assert_allclose(raised - plain, added, rtol=1e-5)
    assert (fitted.score(wrong).p_value <= fitted.score(right).p_value).all()


def test_the_rule_is_the_first_reason(fitted: Fitted) -> None:
    _, wrong = one_cent_or_more(25.0)
    batch = wrong.to_batches()[0]
    batch = batch.set_column(3, "items", pa.array([4, 900, 4, 4, 4, 4, 4, 4]))  # and an unrelated gross error
    rows, data = np.arange(8), fitted.encode(batch)
    cells = cells_table(fitted, batch, rows, data)
    for row, found in reasons(cells, rows, fitted.explain(data).near).items():
        net, tax, total, _ = (batch.column(at)[row].as_py() for at in range(4))
        right = {
            "total": (net + tax, "net + tax"),
            "net": (total - tax, "total - tax"),
            "tax": (total - net, "total - net"),
        }
        column = found[0]["column"]
        value, formula = right[column]  # any of the three may be wrong
        assert found[0]["expected"] == f"{value:.2f} ({formula})"
        assert float(found[0]["observed"]) == pytest.approx({"total": total, "net": net, "tax": tax}[column])
        assert [reason["contribution"] for reason in found] == sorted(
            (reason["contribution"] for reason in found), reverse=True
        )
        line = cells.to_pylist()[4 * row + ["net", "tax", "total"].index(column)]
        assert line["low"] == line["high"] == pytest.approx(value)


def test_contributions_still_sum_to_the_score() -> None:
    fitted = fit(PLANS["linear"], bills())
    data = fitted.encode(one_cent_or_more(25.0)[1])
    found = fitted.explain(data).contribution
    np.testing.assert_allclose(found.sum(axis=1), fitted.score(data).score, rtol=1e-4)
    assert (found.argmax(axis=1) < 3).all()


def test_training_rows_that_break_a_rule_are_first_and_calibrated(fitted: Fitted) -> None:
    frame = bills(400, seed=2)
    broken = np.array([17, 180, 333])
    frame.loc[broken, "total"] += 0.5
    again = fit(PLANS["linear"], frame)
    data = again.encode(table(frame))
    scored = again.score(data)
    assert sorted(np.argsort(-scored.score)[:3]) == broken.tolist()
    assert set(np.round(400 * scored.p_value[broken])) == {1, 2, 3}
    assert scored.known.all()
    order = np.argsort(-scored.score, kind="stable")
    assert (np.diff(scored.p_value[order]) >= 0).all()


def test_a_saved_model_keeps_its_rules(fitted: Fitted, tmp_path: Path) -> None:
    save_fitted(fitted, tmp_path / "model")
    again = load_fitted(tmp_path / "model", REGISTRY)
    wrong = one_cent_or_more(3.0)[1]
    np.testing.assert_array_equal(again.score(again.encode(wrong)).score, fitted.score(fitted.encode(wrong)).score)


@pytest.mark.slow
def test_a_classifier_takes_no_evidence() -> None:
    frame = bills().assign(kind=["a", "b"] * (ROWS // 2))
    schema = infer(table(frame), SchemaOptions(label="kind"))
    target = label_of(table(frame), schema)
    plan = FitConfig("classifier", seed=1, device="cpu")
    fitted = Fitted.fit(table(frame), schema, plan, REGISTRY, target=target).fitted
    data = fitted.encode(one_cent_or_more(25.0)[1])
    assert data.evidence is not None
    assert fitted.score(data).score.max() <= 1
