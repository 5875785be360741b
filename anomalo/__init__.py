"""Anomaly detection and data imputation for tables, with models as plugins."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anomalo.augmenter import TableAugmenter
    from anomalo.classifier import TableClassifier
    from anomalo.estimators import AnomalyDetector, TableEmbedder, TableImputer
    from anomalo.pooling import pool

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
        from anomalo.pooling import pool

        return pool
    if name == "TableAugmenter":
        from anomalo.augmenter import TableAugmenter

        return TableAugmenter
    if name == "TableClassifier":
        from anomalo.classifier import TableClassifier

        return TableClassifier
    from anomalo import estimators

    return getattr(estimators, name)
