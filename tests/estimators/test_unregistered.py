"""A model of a class that no plugin gives, in the estimators: all but a saved artefact works."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from anomalo import AnomalyDetector, TableImputer
from anomalo.errors import UsageError
from anomalo.jobs.context import JobContext
from anomalo.jobs.fitting.fit import fit
from anomalo.pipeline.config import FitConfig
from anomalo.plugin import Encoded, Filled, Model, param
from anomalo.registry.registry import Registry
from anomalo.tabular.schema import SchemaOptions
from anomalo.workspace.workspace import Workspace

NUMBERS = np.random.default_rng(0).normal(size=(60, 2))
QUICK: dict[str, Any] = {"calibrate": False, "random_state": 0}


@dataclass(kw_only=True)
class Extremes(Model):
    """A model that no plugin gives: the largest number, and the middle as the value of a missing one."""

    name = "extremes"
    power: float = param(1.0, low=0.1, high=4.0, help="How much an extreme counts.")
    sign: int = 1

    def fit(self, data: Encoded, run: Any) -> Self:
        self.columns_ = data.values.shape[1]
        return self

    def score(self, data: Encoded) -> np.ndarray:
        return self.sign * np.abs(data.values).max(axis=1).astype(np.float64) ** self.power

    def impute(self, data: Encoded, draws: int = 0) -> Filled:
        return Filled(np.where(data.observed, data.values, 0).astype(np.float32))


def test_an_instance_of_a_class_that_is_not_registered_does_all_that_others_do(tmp_path: Path) -> None:
    X = pd.DataFrame(NUMBERS, columns=["a", "b"])
    X.loc[5, "a"] = 50.0
    detector = AnomalyDetector(Extremes(power=2.0), **QUICK).fit(X)
    assert detector.score_samples(X).argmin() == 5
    assert detector.explain(X).sort_values("contribution").iloc[-1][["row", "column"]].tolist() == [5, "a"]
    assert not np.array_equal(AnomalyDetector(Extremes(), **QUICK).fit(X).score_samples(X), detector.score_samples(X))
    np.testing.assert_array_equal(clone(detector).fit(X).score_samples(X), detector.score_samples(X))
    turned = AnomalyDetector(Extremes(power=2.0, sign=-1), **QUICK).fit(X)
    np.testing.assert_array_equal(turned.score_samples(X), -detector.score_samples(X))
    X.loc[3, "b"] = None
    imputer = TableImputer(Extremes()).fit(X)
    assert imputer.transform(X).notna().all().all()
    with pytest.raises(UsageError, match="model 'extremes' gives no draws: expected one that does, such as auto"):
        imputer.draw(X, 2)
    X.to_csv(tmp_path / "x.csv", index=False)
    context = JobContext(Registry.load(), Workspace(tmp_path / "w"))
    with pytest.raises(UsageError, match="an instance of Extremes, which no plugin gives"):
        fit(context, str(tmp_path / "x.csv"), "m", FitConfig(Extremes()), SchemaOptions())
    assert not (tmp_path / "w").exists()


def test_a_class_without_a_name_says_what_to_do() -> None:
    class Nameless(Extremes):
        name = ""

    with pytest.raises(UsageError, match="expected a class with a name; set name"):
        AnomalyDetector(Nameless()).fit(NUMBERS)
