"""The surface of plugin authors: metrics of scores, imputed values and intervals."""

from anomalo.evaluation.metrics import accuracy, average_precision, interval_coverage, macro_f1, rmse, roc_auc

__all__ = [
    "accuracy",
    "average_precision",
    "interval_coverage",
    "macro_f1",
    "rmse",
    "roc_auc",
]
