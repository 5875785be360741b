"""The surface of plugin authors: mechanisms that hide known cells (MCAR, MAR, MNAR)."""

from anomalo.evaluation.masking import DRIVERS, MECHANISMS, Mask, Mechanism, mar, mcar, mnar

__all__ = [
    "DRIVERS",
    "MECHANISMS",
    "Mask",
    "Mechanism",
    "mar",
    "mcar",
    "mnar",
]
