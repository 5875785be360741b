"""Yardsticks without torch: detectors, fills from means to forests, and synthetic rows from copies to mixtures."""

from collections.abc import Iterable

from anomalo.plugin import Model, hookimpl
from anomalo_baselines.detectors.covariance import RobustCovariance
from anomalo_baselines.detectors.iforest import IsolationForest
from anomalo_baselines.detectors.knn import NearestNeighbours
from anomalo_baselines.detectors.lof import LocalOutlierFactor
from anomalo_baselines.generators.bootstrap import Bootstrap
from anomalo_baselines.generators.copula import Copula
from anomalo_baselines.generators.marginal_sampler import Marginals
from anomalo_baselines.generators.mixture import Mixture
from anomalo_baselines.generators.smote import Smote
from anomalo_baselines.imputers.boosted import Boosted
from anomalo_baselines.imputers.chained import Chained
from anomalo_baselines.imputers.forest import Forest
from anomalo_baselines.imputers.knn_impute import NeighbourImputer
from anomalo_baselines.imputers.mean import Mean
from anomalo_baselines.imputers.median import Median
from anomalo_baselines.imputers.mode import Mode


@hookimpl
def anomalo_models() -> Iterable[type[Model]]:
    """Return the models of this plugin."""
    detectors = [IsolationForest, RobustCovariance, NearestNeighbours, LocalOutlierFactor]
    imputers = [Mean, Median, Mode, Chained, Forest, Boosted, NeighbourImputer]
    return [*detectors, *imputers, Copula, Mixture, Smote, Marginals, Bootstrap]
