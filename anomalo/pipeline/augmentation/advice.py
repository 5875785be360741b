"""What is known of ways to train a classifier of a rare class, and the advice: the simplest that is not beaten."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
WORTH = 0.01
"""The smallest gain in average precision that is worth a change."""


@dataclass
class Trial:
    """One way to train a classifier.

    Attributes
    ----------
    method : str
        "none", "weights", or the name of the generator whose rows are added.
    precision : list of float
        The average precision on each held-out part.
    seconds : float
        The time of all parts together.
    failure : str or None
        Why it could not be tried.
    hopeless : bool
        Whether it was dropped before the last part, since no remaining outcome could have shown that it helps.
    """

    method: str
    precision: list[float] = field(default_factory=list)
    seconds: float = 0.0
    failure: str | None = None
    hopeless: bool = False

    def mean(self) -> float:
        """Return the mean average precision of the parts that it was tried on; nan if it was not."""
        return float(np.mean(self.precision)) if self.precision and not self.failure else float("nan")


@dataclass(frozen=True)
class Advice:
    """What helps to learn a rare class.

    Attributes
    ----------
    label, positive : str
        The column, and its value that is rarest.
    positives, rows : int
        How many rows have it, of how many.
    trials : list of Trial
        "none" first.
    held_out : float
        Rows held out in each part, relative to those trained on.
    """

    label: str
    positive: str
    positives: int
    rows: int
    trials: list[Trial]
    held_out: float

    def gain(self, trial: Trial, over: Trial) -> tuple[float, float, float]:
        """Return the mean gain in average precision, and the ends of its 95 % interval.

        Of the parts that `trial` was tried on; `over` was on all. The corrected resampled t interval: the parts'
        training rows overlap, so that a plain one would be too narrow.

        Reference: Nadeau and Bengio (2003), Inference for the generalization error, Machine Learning 52.
        """
        gains = _gains(trial, over)
        half = _reach(len(gains), self.held_out) * float(gains.std(ddof=1)) if len(gains) > 1 else float("inf")
        mean = float(gains.mean())
        return mean, mean - half, mean + half

    def best(self) -> Trial:
        """Return what to do: the simplest, unless another is better beyond doubt.

        Class weights have to beat none, and a generator the better of those two, each by an interval above 0 and by at
        least `WORTH`.
        """
        simple = self.trials[0]
        if self._better(self.trials[1], simple):
            simple = self.trials[1]
        tried = [trial for trial in self.trials[2:] if not (trial.failure or trial.hopeless)]
        rivals = [trial for trial in tried if self._better(trial, simple)]
        return max(rivals, key=Trial.mean, default=simple)

    def _better(self, trial: Trial, over: Trial) -> bool:
        mean, low, _ = self.gain(trial, over)
        return low > 0 and mean >= WORTH

    def recommendation(self) -> str:
        """Return in one sentence what to do."""
        best, none = self.best(), self.trials[0]
        what = f"{self.label} = {self.positive}"
        if best is none:
            return f"don't: neither weights nor synthetic rows help to find {what} beyond doubt; train on what you have"
        mean, low, high = self.gain(best, none)
        gain = f"average precision {none.mean():.3f} → {best.mean():.3f} ({mean:+.3f}, {low:+.3f} to {high:+.3f})"
        if best.method == "weights":
            return f"don't add synthetic rows: weight the classes instead, {gain}"
        return f"add rows of {best.method!r} for {what}: {gain}"


def hopeless(gains: NDArray[np.float64], parts: int, held_out: float) -> bool:
    """Whether no gains in the parts that are left could put the interval of all `parts` gains (see `gain`) above 0.

    The mean is greatest beside the standard deviation where all gains x to come are equal, and then where the cosine
    between (gains, x, …, x) and (1, …, 1) is. Its greatest square is (left + (Σ gains)² / Σ gains²) / parts, at
    x = Σ gains² / Σ gains, or left / parts if Σ gains is not above 0, as x grows.

    Parameters
    ----------
    gains : float64 [tried]
        Those so far.
    held_out : float
        Rows held out in each part, relative to those trained on.
    """
    total, squares = max(float(gains.sum()), 0.0), float(gains @ gains)
    cosine = (parts - len(gains) + (total**2 / squares if squares else 0.0)) / parts
    return cosine * (parts - 1) <= _reach(parts, held_out) ** 2 * parts * (1 - cosine)


def give_up(trials: list[Trial], parts: int, held_out: float) -> None:
    """Mark the generators that are hopeless beside each of the simple ways that may yet be the better one."""
    none, weights = trials[:2]
    simple = [none] if hopeless(_gains(weights, none), parts, held_out) else [none, weights]
    for trial in trials[2:]:
        if not (trial.failure or trial.hopeless):
            trial.hopeless = all(hopeless(_gains(trial, over), parts, held_out) for over in simple)


def _gains(trial: Trial, over: Trial) -> NDArray[np.float64]:
    """Return the gains in average precision in the parts that `trial` was tried on."""
    return np.asarray(np.subtract(trial.precision, over.precision[: len(trial.precision)]), dtype=np.float64)


def _reach(parts: int, held_out: float) -> float:
    """Return how many standard deviations of the parts' gains the interval reaches to either side."""
    from scipy.stats import t

    return float(t.ppf((1 + LEVEL) / 2, parts - 1)) * float(np.sqrt(1 / parts + held_out))
