"""An unseen level counts in every model: the row is anomalous, and the level is its first reason."""

import numpy as np
import pandas as pd
import pytest

from anomalo.calibration.conformal import Calibration
from anomalo.calibration.novelty import contributions_with_novelty, score_with_novelty
from anomalo.calibration.regimes import ComparableModel, Regimes
from anomalo.estimators.detector import AnomalyDetector
from anomalo.models.capabilities import verbs_of
from anomalo.models.guarded import GuardedModel
from anomalo.plugin import UNSEEN, Block, Encoded, Floats, Layout, Mask, Model, Run, Scores
from anomalo.registry.registry import Registry

ROWS = 400
SCORING = [
    name
    for name, models in sorted(Registry.load().models.items())
    if "table" in models[0].modalities and "score" in verbs_of(models[0]) and "proba" not in verbs_of(models[0])
]

QUICK = {"auto", "covariance", "ecod", "hbos", "iforest", "knn", "linear", "lof", "rbm", "residual", "variational"}


def table() -> pd.DataFrame:
    """Two numbers and a side that depend on each other, and a colour that depends on nothing."""
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=ROWS)
    return pd.DataFrame(
        {
            "a": (10 + hidden + 0.3 * rng.normal(size=ROWS)).round(2),
            "b": (5 - hidden + 0.3 * rng.normal(size=ROWS)).round(2),
            "colour": rng.choice(["red", "green", "blue"], ROWS),
            "side": np.where(hidden > 0, "up", "down"),
        }
    )


@pytest.mark.filterwarnings("ignore:about .* training rows look anomalous", "ignore:.*predicts hidden cells no better")
@pytest.mark.usefixtures("few_parts")
@pytest.mark.parametrize(
    "model", [pytest.param(name, marks=() if name in QUICK else pytest.mark.matrix) for name in SCORING]
)
def test_an_unseen_level_is_the_first_reason_of_an_anomalous_row(model: str) -> None:
    frame = table()
    typical = (frame["a"] - 10.8).abs() + (frame["b"] - 4.2).abs()
    row = frame.loc[[typical.idxmin()]].assign(colour="purple")
    names = {parameter.name for parameter in Registry.load().models[model][0].parameters()}
    few = {"epochs": 3, "effort": "fast"}
    detector = AnomalyDetector(model, params={name: few[name] for name in names & set(few)}, random_state=0).fit(frame)
    assert detector.p_values(row)[0] <= 0.05
    cells = detector.explain(row).sort_values("contribution", ascending=False)
    assert cells["column"].iloc[0] == "colour"


class Sum(Model):
    """The sum of observed cells: it scores a row lower the fewer cells it sees."""

    name = "sum"

    def fit(self, data: Encoded, run: Run) -> "Sum":
        return self

    def score(self, data: Encoded) -> Scores:
        return np.where(data.observed, data.values, 0).sum(axis=1).astype(np.float64)


def rows(values: Floats, observed: Mask) -> Encoded:
    blocks = (Block("kind", "category", 0, levels=("a", "b")), Block("size", "number", 1))
    return Encoded(values, observed, Layout("table", (2,), blocks))


def test_a_row_with_an_unseen_level_has_at_least_the_score_of_one_with_the_most_frequent_level() -> None:
    model = ComparableModel(GuardedModel(Sum(), Registry.load().origin("knn", "table")), Regimes.none())
    data = rows(np.array([[UNSEEN, 5], [2, 5]], np.float32), np.array([[False, True], [True, True]]))
    assert model.score(data).tolist() == [5, 7]
    surprisal, calibration = np.log(100 / 0.5), Calibration(np.zeros(0), np.zeros(0, np.uint64), np.zeros(0), 3.0)
    np.testing.assert_allclose(
        score_with_novelty(model, data, model.score(data), 99, calibration), [7 + 3 * surprisal, 7]
    )
    explained = contributions_with_novelty(model, data, model.explain(data), 99, calibration)
    np.testing.assert_allclose(explained, [[2 + 3 * surprisal, 5], [2, 5]])


def test_a_row_with_an_unseen_level_is_as_anomalous_as_training_rows_as_rare() -> None:
    scores = np.random.default_rng(0).exponential(2.0, 9_999) + 100  # a typical row is far below the tail
    calibration = Calibration.from_scores(scores, np.arange(9_999, dtype=np.uint64))
    model = ComparableModel(GuardedModel(Sum(), Registry.load().origin("knn", "table")), Regimes.none())
    data = rows(np.array([[UNSEEN, 5]], np.float32), np.array([[False, True]]))
    score = score_with_novelty(model, data, model.score(data), 9_999, calibration)
    # exceeded with probability 0.5 / 10,000
    np.testing.assert_allclose(score, 100 - 2.0 * np.log(0.5 / 10_000), rtol=0.02)
