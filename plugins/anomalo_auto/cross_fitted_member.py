"""A member of `auto`: a detector fitted on all rows, and once without each fold of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import Encoded, ModelState, Scores
from anomalo_auto.tail_probability import BULK, fit_tail, surprisal

BY_HEART = 0.9
"""If a larger share of rows lies in the tail of the scores of rows that were seen, these say nothing of new rows."""


@dataclass(frozen=True)
class CrossFittedMember:
    """A detector and the distribution of its scores of the training rows, by which members are made comparable.

    These are the scores by the model that was fitted on all rows, which scores new rows too; those out of fold, if it
    knows its rows by heart. Whether rows are anomalous is calibrated later, out of fold.

    Attributes
    ----------
    name : str
        Of the detector.
    model : model
        Fitted on all rows.
    tail : float64
        The summary of these scores; see `fit_tail`.
    parts : sequence of models
        Fitted without each fold; only after a fit.
    out_of_fold : float64 [n]
        The training rows' surprisals in nats; only after a fit.
    """

    name: str
    model: Any
    tail: Scores
    parts: Sequence[Any] = ()
    out_of_fold: Scores = field(default_factory=lambda: np.zeros(0))

    @classmethod
    def fit(
        cls,
        name: str,
        data: Encoded,
        folds: NDArray[np.intp],
        trusted: NDArray[np.bool_],
        fit: Callable[[Encoded, int], Any],
    ) -> Self:
        """Fit the detector on all rows and without each fold, and score the rows of that fold with it.

        Parameters
        ----------
        data : Encoded [n]
        folds : intp [n]
        trusted : bool [n]
            The rows to learn from; all are scored.
        fit : callable
            `fit(rows, number)` returns fitted number 0, 1, …: without each fold in turn, and on all rows.
        """
        learned = learned_rows(folds, trusted)
        *parts, model = [fit(data.take(rows), number) for number, rows in enumerate(learned)]
        seen = model.score(data)
        scores = seen if not parts else np.empty(len(data))
        for fold, part in enumerate(parts):
            held = np.flatnonzero(folds == fold)
            scores[held] = part.score(data.take(held))
        tail = fit_tail(scores if by_heart(seen, scores) else seen)
        return cls(name, model, tail, parts, surprisal(scores, tail))

    def without(self, fold: int) -> Self:
        """Return the member that was fitted without a fold."""
        return type(self)(self.name, self.parts[fold], self.tail)

    def can(self, capability: type) -> bool:
        """Whether the detector implements a protocol."""
        return isinstance(self.model, capability)

    def surprisal(self, data: Encoded) -> Scores:
        """Return the rows' surprisals, float64 [n] in nats."""
        return surprisal(self.model.score(data), self.tail)


def by_heart(seen: Scores, unseen: Scores) -> bool:
    """Whether a model knows its rows by heart: nearly all of them, scored without having been seen, lie in the tail.

    Parameters
    ----------
    seen, unseen : float64 [n]
        Scores of the training rows, by the model that learned from them and out of fold.
    """
    return bool((unseen > np.quantile(seen, BULK)).mean() > BY_HEART)


def learned_rows(folds: NDArray[np.intp], trusted: NDArray[np.bool_]) -> list[NDArray[np.intp]]:
    """Return the trusted rows outside each fold, and all of them last; these alone where there is one fold.

    Where all trusted rows are in one fold, as equal ones can be, its part learns from the others: never from the fold.
    """
    count = int(folds.max()) + 1
    outside = [folds != fold for fold in range(count if count > 1 else 0)]
    parts = [rows & trusted if (rows & trusted).any() else rows for rows in outside]
    return [np.flatnonzero(rows) for rows in (*parts, trusted)]


def state_of(state: ModelState, members: Sequence[CrossFittedMember]) -> ModelState:
    """Add what members have learned to a state, and return it."""
    state.values["members_"] = len(members)
    for number, member in enumerate(members):
        state.arrays[f"tail_{number}"] = member.tail
        state.models[f"member_{number}"] = (member.name, member.model.params(), member.model.state())
    return state


def members_of(state: ModelState, models: Mapping[str, Any]) -> list[CrossFittedMember]:
    """Return the members whose state `state_of` gave, of restored models by their keys."""
    return [
        CrossFittedMember(model.name, model, state.arrays[f"tail_{number}"])
        for number, model in enumerate(models[f"member_{number}"] for number in range(state.values["members_"]))
    ]
