"""Baselines without torch: detectors, imputers from means to forests, generators from the bootstrap to mixtures."""

from collections.abc import Iterable

from anomalo.plugin import Model, hookimpl
from anomalo_baselines.detectors.covariance import RobustCovariance
from anomalo_baselines.detectors.ecod import EmpiricalTails
from anomalo_baselines.detectors.hbos import Histograms
from anomalo_baselines.detectors.iforest import IsolationForest
from anomalo_baselines.detectors.knn import NearestNeighbours
from anomalo_baselines.detectors.lof import LocalOutlierFactor
from anomalo_baselines.generators.bootstrap import Bootstrap
from anomalo_baselines.generators.copula import GaussianCopula
from anomalo_baselines.generators.marginal_sampler import MarginalSampler
from anomalo_baselines.generators.mixture import Mixture
from anomalo_baselines.generators.smote import Smote
from anomalo_baselines.imputers.boosted import BoostedImputer
from anomalo_baselines.imputers.chained import ChainedImputer
from anomalo_baselines.imputers.forest import ForestImputer
from anomalo_baselines.imputers.knn_impute import NeighbourImputer
from anomalo_baselines.imputers.mean import MeanImputer
from anomalo_baselines.imputers.median import MedianImputer
from anomalo_baselines.imputers.mode import ModeImputer


@hookimpl
def anomalo_models() -> Iterable[type[Model]]:
    """Return the models of this plugin."""
    detectors = [IsolationForest, RobustCovariance, NearestNeighbours, LocalOutlierFactor, EmpiricalTails, Histograms]
    marginal = [MeanImputer, MedianImputer, ModeImputer]
    conditional = [ChainedImputer, ForestImputer, BoostedImputer, NeighbourImputer]
    generators = [GaussianCopula, Mixture, Smote, MarginalSampler, Bootstrap]
    return [*detectors, *marginal, *conditional, *generators]
