"""Learn from reviewed rows, beside what was learned before."""

from __future__ import annotations

import numpy as np

from anomalo.feedback import expected, false_alarms
from anomalo.feedback.patterns import Feedback
from anomalo.feedback.reviewed import Reviewed


def learn(reviewed: Reviewed, before: Feedback | None = None) -> tuple[Feedback, list[str]]:
    """Return what a model has learned once it has learned from some rows, and plain sentences on what it has not.

    Of what was learned before, a pattern by which a row would be accepted that is confirmed now is dropped.
    """
    alarms, segments = false_alarms.learn(reviewed), expected.learn(reviewed)
    kept = [pattern for pattern in (() if before is None else before.patterns) if not reviewed.contradict(pattern)]
    notes = []
    if alarms.unused:
        notes.append(
            f"{alarms.unused} of {_rows(reviewed, 'false alarm')} false alarms teach nothing: they have no reasons in "
            "columns that the model reads, confirmed alerts like them have no larger scores, or most rows with the "
            "same values are anomalous for other reasons"
        )
    if segments.unused:
        notes.append(
            f"{segments.unused} of {_rows(reviewed, 'expected')} expected rows teach nothing: fewer than "
            f"{expected.FEWEST} of them share what other anomalous rows do not, or confirmed alerts share it too"
        )
    dropped = 0 if before is None else len(before.patterns) - len(kept)
    if dropped:
        notes.append(f"{dropped} of what was learned before is dropped, since alerts that fit it are confirmed now")
    return Feedback.of([*kept, *alarms.patterns, *segments.patterns]), notes


def _rows(reviewed: Reviewed, state: str) -> int:
    return int(np.sum(np.array(reviewed.states, dtype=object) == state))
