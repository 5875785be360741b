"""The threshold that is saved with a version of a model: save it, and find the one that a job uses."""

from __future__ import annotations

from dataclasses import dataclass

from anomalo.calibration.thresholds import Threshold
from anomalo.errors import UsageError
from anomalo.workspace.records import ModelRecord
from anomalo.workspace.versions import SavedThreshold
from anomalo.workspace.workspace import Workspace


@dataclass(frozen=True)
class UsedThreshold:
    """The threshold of a job.

    Attributes
    ----------
    threshold : Threshold
        What it is.
    saved_with : str or None
        The version that it is saved with; None if it was given, or is the usual one.
    """

    threshold: Threshold
    saved_with: str | None = None

    @property
    def note(self) -> dict[str, str]:
        """What the summary of a run says of where it comes from; empty unless it is saved."""
        return {} if self.saved_with is None else {"threshold_of": self.saved_with}


def used_threshold(store: Workspace, reference: str, given: Threshold | None = None) -> UsedThreshold:
    """Return the threshold that was given, else the one saved with a version, else the usual one.

    Raises
    ------
    UsageError
        There is no such model.
    """
    if given is not None:
        return UsedThreshold(given)
    record = store.model(reference)
    if record.threshold:
        return UsedThreshold(Threshold.parse(record.threshold), record.reference)
    return UsedThreshold(Threshold())


def scores(record: ModelRecord) -> bool:
    """Return whether a saved model scores rows, as far as is known of it."""
    verbs = record.summary.get("verbs")
    return verbs is None or "score" in verbs


def save_threshold(store: Workspace, reference: str, rule: str | None) -> SavedThreshold:
    """Save the threshold that a version is scored with where no other is given; None takes it away.

    Raises
    ------
    UsageError
        There is no such model, it does not score, it has no threshold that could be taken away, or the rule is none
        that `Threshold.parse` reads.
    """
    record = store.model(reference)
    if rule is not None and not scores(record):
        raise UsageError(f"{record.reference} does not score, so that no threshold is of use to it")
    if rule is None and not record.threshold:
        raise UsageError(f"no threshold is saved with {record.reference}; see `anomalo models {record.reference}`")
    return store.versions.save_threshold(record, "" if rule is None else str(Threshold.parse(rule)))
