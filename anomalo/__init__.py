"""Anomaly detection and data imputation for tables, with models as plugins."""

from typing import TYPE_CHECKING, Any

from anomalo.version import __version__

if TYPE_CHECKING:
    from anomalo.estimators.augmenter import TableAugmenter
    from anomalo.estimators.classifier import TableClassifier
    from anomalo.estimators.cleaner import TableCleaner
    from anomalo.estimators.detector import AnomalyDetector
    from anomalo.estimators.embedder import TableEmbedder
    from anomalo.estimators.imputer import TableImputer
    from anomalo.evaluation.multiple_imputation import pool
    from anomalo.tabular.column import SchemaOptions

__all__ = [
    "AnomalyDetector",
    "SchemaOptions",
    "TableAugmenter",
    "TableClassifier",
    "TableCleaner",
    "TableEmbedder",
    "TableImputer",
    "__version__",
    "pool",
]


_HOMES = {
    "AnomalyDetector": "anomalo.estimators.detector",
    "SchemaOptions": "anomalo.tabular.column",
    "TableAugmenter": "anomalo.estimators.augmenter",
    "TableClassifier": "anomalo.estimators.classifier",
    "TableCleaner": "anomalo.estimators.cleaner",
    "TableEmbedder": "anomalo.estimators.embedder",
    "TableImputer": "anomalo.estimators.imputer",
    "pool": "anomalo.evaluation.multiple_imputation",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that torch and pandas stay out until needed."""
    if name not in _HOMES:
        raise AttributeError(f"module 'anomalo' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
