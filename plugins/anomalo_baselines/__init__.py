"""Yardsticks without torch: isolation forest, neighbours, robust covariance, and fills from means to forests."""

from collections.abc import Iterable

from anomalo.plugin import Model, hookimpl
from anomalo_baselines.boosted import Boosted
from anomalo_baselines.chained import Chained
from anomalo_baselines.covariance import RobustCovariance
from anomalo_baselines.forest import Forest
from anomalo_baselines.iforest import IsolationForest
from anomalo_baselines.knn import NearestNeighbours
from anomalo_baselines.knn_impute import NeighbourImputer
from anomalo_baselines.lof import LocalOutlierFactor
from anomalo_baselines.mean import Mean
from anomalo_baselines.median import Median
from anomalo_baselines.mode import Mode


@hookimpl
def anomalo_models() -> Iterable[type[Model]]:
    """Return the models of this plugin."""
    detectors = [IsolationForest, RobustCovariance, NearestNeighbours, LocalOutlierFactor]
    return [*detectors, Mean, Median, Mode, Chained, Forest, Boosted, NeighbourImputer]
