"""Pool the results of analyses of several imputed tables by Rubin's rules."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from anomalo.errors import UsageError


@dataclass(frozen=True)
class Pooled:
    """The pooled estimate of one quantity from several imputations.

    Attributes
    ----------
    estimate : float
        The mean of the estimates.
    within, between : float
        The mean of their variances, and the variance of the estimates, which the missing values cause.
    variance : float
        Of the pooled estimate.
    degrees : float
        Degrees of freedom of Student's t distribution that the pooled estimate follows; infinite if the imputations
        agree.
    missing : float
        The share of the variance that is due to the missing values, from 0 to 1.
    """

    estimate: float
    within: float
    between: float
    variance: float
    degrees: float
    missing: float

    @property
    def error(self) -> float:
        """The standard error."""
        return math.sqrt(self.variance)

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Return the ends of a confidence interval.

        Raises
        ------
        UsageError
            The level does not lie between 0 and 1.
        """
        from scipy.stats import t

        if not 0 < level < 1:
            raise UsageError(f"level={level}: expected a number between 0 and 1, such as 0.95")
        reach = self.error * float(t.ppf((1 + level) / 2, self.degrees))
        return self.estimate - reach, self.estimate + reach


def pool(estimates: ArrayLike, variances: ArrayLike, degrees: float = math.inf) -> Pooled:
    """Combine estimates of one quantity, each from another imputation of the same table.

    With m imputations, mean variance W and variance B of the estimates, the variance is T = W + (1 + 1/m) B.

    Parameters
    ----------
    estimates : float [m]
        At least two, such as the coefficient of a regression on each table.
    variances : float [m]
        Their squared standard errors.
    degrees : float
        Degrees of freedom that an analysis of the complete table would have; infinite in large tables.

    Raises
    ------
    UsageError
        There are fewer than two, not as many variances as estimates, a negative variance, or one is not finite.

    Reference: Rubin (1987), Multiple imputation for nonresponse in surveys, section 3.1; Barnard and Rubin (1999),
    Small-sample degrees of freedom with multiple imputation, Biometrika 86, equation 3.

    Examples
    --------
    >>> pooled = pool([1.0, 2.0, 3.0], [0.5, 0.5, 0.5])
    >>> pooled.estimate, round(pooled.variance, 3), round(pooled.degrees, 2)
    (2.0, 1.833, 3.78)
    """
    estimate, variance = (np.asarray(values, dtype=np.float64) for values in (estimates, variances))
    if estimate.ndim != 1 or estimate.shape != variance.shape or len(estimate) < 2:
        raise UsageError(
            f"estimates of shape {estimate.shape} and variances of shape {variance.shape}: expected two of the same "
            "length, with one number for each of at least 2 imputations"
        )
    if not (np.isfinite(estimate).all() and np.isfinite(variance).all() and (variance >= 0).all()):
        raise UsageError("estimates must be finite and variances finite and not negative; leave failed analyses out")
    count, within, between = len(estimate), float(variance.mean()), float(estimate.var(ddof=1))
    added = (1 + 1 / count) * between
    total = within + added
    share = added / total if total else 0.0
    return Pooled(float(estimate.mean()), within, between, total, _degrees(share, count, degrees), share)


def _degrees(share: float, count: int, complete: float) -> float:
    """Return the degrees of freedom, with `share` of the variance due to the missing values."""
    imputed = (count - 1) / share**2 if share else math.inf
    if math.isinf(complete):
        return imputed
    observed = (complete + 1) / (complete + 3) * complete * (1 - share)
    return 1 / (1 / imputed + 1 / observed) if observed else 0.0
