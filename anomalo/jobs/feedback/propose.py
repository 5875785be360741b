"""Propose what a model learns from reviewed alerts, with what would change of a run's alerts, and apply it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from anomalo.calibration.results import Scored
from anomalo.calibration.thresholds import Threshold
from anomalo.errors import UsageError
from anomalo.feedback.learning import learn
from anomalo.feedback.patterns import NONE, Feedback, Pattern
from anomalo.feedback.reviewed import CONFIRMED
from anomalo.jobs.feedback.collect import KeptRows, kept_rows, reviewed, root_of
from anomalo.jobs.scoring.score import FILE
from anomalo.persistence.checksums import digest
from anomalo.pipeline.saved_model import Recalibrated, load_recalibrated, save_with_feedback
from anomalo.registry.registry import Registry
from anomalo.tabular.quantities import count
from anomalo.version import __version__
from anomalo.workspace import authorship
from anomalo.workspace.workspace import ModelRecord, RunRecord, Workspace


@dataclass(frozen=True)
class Removed:
    """Alerts of a run that a pattern would remove: how many, how many of them were confirmed, and their rows."""

    pattern: Pattern
    alerts: int
    confirmed: int
    rows: tuple[int, ...]


@dataclass(frozen=True)
class Proposal:
    """What a model would learn.

    Attributes
    ----------
    run : RunRecord
        The run whose alerts are shown.
    record : ModelRecord
        The version that scored it.
    feedback : Feedback
        What the next version would know.
    learned : int
        How many of its patterns the present version does not know.
    alerts : int
        Alerts of the run, at the threshold.
    removed : tuple of Removed
        Those that would be none, by pattern; the pattern of most alerts first.
    states : dict of str to int
        How many reviewed rows there are in each state, in all runs that are learned from.
    runs : tuple of str
        These runs.
    notes : tuple of str
        Plain sentences on what teaches nothing.
    applied : str or None
        The version that knows exactly this already; None if there is none.
    """

    run: RunRecord
    record: ModelRecord
    feedback: Feedback
    learned: int
    alerts: int
    removed: tuple[Removed, ...]
    states: dict[str, int]
    runs: tuple[str, ...]
    notes: tuple[str, ...]
    applied: str | None

    @property
    def sha256(self) -> str:
        """The checksum of the feedback."""
        return digest(json.dumps(self.feedback.to_json(), sort_keys=True).encode())

    def __str__(self) -> str:
        """Say what would change, such as "would remove 12 of 33 alerts, of which you confirmed 0"."""
        gone, confirmed = (sum(getattr(each, name) for each in self.removed) for name in ("alerts", "confirmed"))
        return f"would remove {gone:,} of {count(self.alerts, 'alert')}, of which {confirmed:,} were confirmed"

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON-ready values."""
        return {
            "run": self.run.id,
            "model": self.record.reference,
            "alerts": self.alerts,
            "removed": sum(each.alerts for each in self.removed),
            "confirmed": sum(each.confirmed for each in self.removed),
            "patterns": [
                {"pattern": str(each.pattern), "alerts": each.alerts, "rows": list(each.rows)} for each in self.removed
            ],
            "learned": self.learned,
            "states": self.states,
            "runs": list(self.runs),
            "notes": list(self.notes),
            "applied": self.applied,
        }


def propose(store: Workspace, registry: Registry, run: str, threshold: Threshold | None = None) -> Proposal:
    """Return what the model of a run would learn from the reviews of its runs; nothing is changed.

    Parameters
    ----------
    threshold : Threshold, optional
        Which rows are the alerts of which some would be removed; by default that of the run.

    Raises
    ------
    UsageError
        There is no such run, it is none of `score`, or its model is no longer there.
    ArtefactError
        A file of a run or of the model is missing or damaged.
    """
    found = store.run(run)
    if found.verb != "score" or found.model is None:
        raise UsageError(f"run {run} is one of {found.verb}: expected one of `score`, whose alerts were reviewed")
    record = store.model(found.model)
    model = load_recalibrated(record.path, registry)
    rows, runs = reviewed(store, record, model)
    states = Counter(state for state in rows.states if state != "new")
    feedback, notes = (model.feedback or Feedback(), []) if not runs else learn(rows, model.feedback)
    known = {(one.kind, one.conditions) for one in (model.feedback or Feedback()).patterns}
    learned = sum((one.kind, one.conditions) not in known for one in feedback.patterns)
    limit = threshold or Threshold.parse(found.summary["threshold"])
    alerts, removed = _removed(found, kept_rows(store, found, model.schema), model, feedback, limit)
    names = tuple(run.id for run in runs)
    proposal = Proposal(found, record, feedback, learned, alerts, removed, dict(states), names, tuple(notes), None)
    return replace(proposal, applied=_applied(store, proposal))


def _applied(store: Workspace, proposal: Proposal) -> str | None:
    known = {one.reference: one.summary.get("lineage", {}).get("feedback", {}) for one in _versions(store, proposal)}
    return next((name for name, origin in known.items() if origin.get("sha256") == proposal.sha256), None)


def _versions(store: Workspace, proposal: Proposal) -> list[ModelRecord]:
    """Return the versions that feedback has made of the same fit, newest first."""
    root = root_of(proposal.record)
    return [one for one in reversed(store.models(proposal.record.name)) if root_of(one) == root]


def apply(store: Workspace, proposal: Proposal, who: str | None = None) -> ModelRecord:
    """Save a copy of the proposal's model that knows its feedback as the next version; the model itself stays.

    Parameters
    ----------
    who : str, optional
        Who does it; by default `authorship.who`.

    Raises
    ------
    UsageError
        There is nothing to learn, a version knows it already, or nobody is named.
    ArtefactError
        The model is damaged.
    OutputError
        The workspace cannot be written.
    """
    if not proposal.learned:
        raise UsageError(
            f"the reviews of {proposal.run.id} teach {proposal.record.reference} nothing new; mark alerts as "
            "false alarm or expected first"
        )
    if (known := _applied(store, proposal)) is not None:
        raise UsageError(f"the reviews of {proposal.run.id} are applied already: {known} knows what they teach")
    record, by = proposal.record, authorship.who() if who is None else who.strip()
    if not by:
        raise UsageError("nobody is named who applies this feedback; give a name")
    origin = {
        "from": record.reference,
        "root": root_of(record),
        "runs": list(proposal.runs),
        "reviews": proposal.states,
        "sha256": proposal.sha256,
    }
    lineage = record.summary.get("lineage", {}) | {"who": by, "anomalo": __version__, "feedback": origin}
    said = {"feedback": [str(pattern) for pattern in proposal.feedback.patterns], "lineage": lineage}
    return store.add_model(
        record.name,
        partial(_write, record, proposal.feedback),
        model=record.model,
        plugin=record.plugin,
        source=record.source,
        rows=record.rows,
        columns=record.columns,
        seconds=record.seconds,
        summary=record.summary | said,
        verb="feedback",
    )


def _write(record: ModelRecord, feedback: Feedback, folder: Any) -> None:
    save_with_feedback(record.path, folder, feedback)


def _removed(
    run: RunRecord, kept: KeptRows, model: Recalibrated, feedback: Feedback, threshold: Threshold
) -> tuple[int, tuple[Removed, ...]]:
    """Return how many alerts a run has at a threshold, and those that would be none."""
    known = np.zeros(len(kept.rows), dtype=np.bool_)
    scored = Scored(kept.scores, kept.p_values, known)
    after = feedback.applied(scored, feedback.match(kept.columns), model.calibration)
    pattern = np.full(len(kept.rows), NONE) if after.accepted is None else after.accepted.pattern
    table = pq.read_table(run.path / FILE, columns=["score", "p_value"])
    score, p_value = (table[name].to_numpy().copy() for name in ("score", "p_value"))
    alerts = threshold.alerts(p_value, score)
    score[kept.rows], p_value[kept.rows] = after.score, after.p_value
    gone = (alerts & ~threshold.alerts(p_value, score))[kept.rows] & (pattern != NONE)
    found = []
    for at in np.unique(pattern[gone]).tolist():
        some = np.flatnonzero(gone & (pattern == at))
        confirmed = sum(kept.states[row] in CONFIRMED for row in some.tolist())
        rows = tuple(kept.rows[some].tolist())
        found.append(Removed(feedback.patterns[at], len(rows), confirmed, rows))
    return int(alerts.sum()), tuple(sorted(found, key=lambda each: -each.alerts))
