"""Yardsticks without torch: detectors, fills from means to forests, and synthetic rows from copies to mixtures."""

from collections.abc import Iterable

from anomalo.plugin import Model, hookimpl
from anomalo_baselines.boosted import Boosted
from anomalo_baselines.bootstrap import Bootstrap
from anomalo_baselines.chained import Chained
from anomalo_baselines.copula import Copula
from anomalo_baselines.covariance import RobustCovariance
from anomalo_baselines.forest import Forest
from anomalo_baselines.iforest import IsolationForest
from anomalo_baselines.knn import NearestNeighbours
from anomalo_baselines.knn_impute import NeighbourImputer
from anomalo_baselines.lof import LocalOutlierFactor
from anomalo_baselines.marginal_sampler import Marginals
from anomalo_baselines.mean import Mean
from anomalo_baselines.median import Median
from anomalo_baselines.mixture import Mixture
from anomalo_baselines.mode import Mode
from anomalo_baselines.smote import Smote


@hookimpl
def anomalo_models() -> Iterable[type[Model]]:
    """Return the models of this plugin."""
    detectors = [IsolationForest, RobustCovariance, NearestNeighbours, LocalOutlierFactor]
    imputers = [Mean, Median, Mode, Chained, Forest, Boosted, NeighbourImputer]
    return [*detectors, *imputers, Copula, Mixture, Smote, Marginals, Bootstrap]
