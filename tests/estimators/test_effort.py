"""How much work a fit may take: a parameter of `auto`, refused for models without it."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from anomalo import AnomalyDetector, TableImputer
from anomalo.errors import ParameterError, UsageError
from anomalo.registry.registry import Registry


def table() -> pd.DataFrame:
    return pd.DataFrame(np.random.default_rng(0).normal(size=(40, 3)), columns=list("abc"))


def test_effort_is_a_parameter_of_auto_and_refused_for_models_without_it() -> None:
    detector = AnomalyDetector(params={"members": "ecod,hbos"}, effort="fast", calibrate=False).fit(table())
    assert detector.fitted_.facts["parameters"]["effort"] == "fast"
    assert clone(detector).effort == "fast"
    with pytest.raises(ParameterError, match="model 'knn' has no parameter 'effort'"):
        AnomalyDetector("knn", effort="fast").fit(table())
    with pytest.raises(ParameterError, match="model 'mean' has no parameter 'effort'"):
        TableImputer("mean", effort="fast").fit(table())
    with pytest.raises(ParameterError, match="effort='most': expected one of 'fast', 'default', 'thorough'"):
        AnomalyDetector(effort="most").fit(table())
    with pytest.raises(UsageError, match="effort='fast': expected none, for the model is an instance"):
        AnomalyDetector(Registry.load().create("knn"), effort="fast").fit(table())
