"""Yardsticks without torch: isolation forest, neighbours, robust covariance, and mean, median and mode fills."""

from collections.abc import Iterable

from anomalo.plugin import Model, hookimpl
from anomalo_baselines.covariance import RobustCovariance
from anomalo_baselines.iforest import IsolationForest
from anomalo_baselines.knn import NearestNeighbours
from anomalo_baselines.lof import LocalOutlierFactor
from anomalo_baselines.mean import Mean
from anomalo_baselines.median import Median
from anomalo_baselines.mode import Mode


@hookimpl
def anomalo_models() -> Iterable[type[Model]]:
    """Return the models of this plugin."""
    return [IsolationForest, RobustCovariance, NearestNeighbours, LocalOutlierFactor, Mean, Median, Mode]
