"""Anomaly detection and data imputation for tables, with models as plugins."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anomalo.estimators.augmenter import TableAugmenter
    from anomalo.estimators.classifier import TableClassifier
    from anomalo.estimators.detector import AnomalyDetector
    from anomalo.estimators.embedder import TableEmbedder
    from anomalo.estimators.imputer import TableImputer
    from anomalo.evaluation.multiple_imputation import pool

__all__ = [
    "AnomalyDetector",
    "TableAugmenter",
    "TableClassifier",
    "TableEmbedder",
    "TableImputer",
    "__version__",
    "pool",
]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that torch and pandas stay out until needed."""
    if name not in __all__:
        raise AttributeError(f"module 'anomalo' has no attribute {name!r}")
    if name == "pool":
        from anomalo.evaluation.multiple_imputation import pool

        return pool
    if name == "TableAugmenter":
        from anomalo.estimators.augmenter import TableAugmenter

        return TableAugmenter
    if name == "TableClassifier":
        from anomalo.estimators.classifier import TableClassifier

        return TableClassifier
    from anomalo import estimators

    return getattr(estimators, name)
