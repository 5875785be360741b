"""The surface of plugin authors: metrics of scores, imputed values and intervals."""

from anomalo.evaluation.metrics import accuracy, average_precision, interval_coverage, macro_f1, rmse, roc_auc
from anomalo.evaluation.series import point_f1, range_f1, vus_pr

__all__ = [
    "accuracy",
    "average_precision",
    "interval_coverage",
    "macro_f1",
    "point_f1",
    "range_f1",
    "rmse",
    "roc_auc",
    "vus_pr",
]
