"""Ask the engine what reviews would teach the model of a run; it is asked again once anything was reviewed."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from anomalo.calibration.thresholds import Threshold
from anomalo.jobs.feedback.propose import Proposal, apply, propose
from anomalo.registry.registry import Registry
from anomalo.workspace.reviews import Review
from anomalo.workspace.workspace import ModelRecord, RunRecord, Workspace
from anomalo_dashboard import data, formatting
from anomalo_dashboard.inbox.filters import states_of
from anomalo_dashboard.navigation import workspace


@st.cache_resource
def _registry() -> Registry:
    return Registry.load()


def proposal(run: RunRecord, rule: str) -> Proposal:
    """Return what the reviews would teach the model of a run, and which alerts at a threshold they would remove.

    Raises
    ------
    AnomaloError
        The model is no longer there, or a file of it or of a run is missing or damaged.
    """
    versions = tuple(record.reference for record in data.models())
    return _proposal(str(workspace()), run.id, rule, Workspace(workspace()).reviews.state(), versions)


@st.cache_resource(max_entries=16, show_spinner="Looking at what was reviewed")
def _proposal(folder: str, run: str, rule: str, reviewed: tuple[int, int], versions: tuple[str, ...]) -> Proposal:
    return propose(Workspace(Path(folder)), _registry(), run, Threshold.parse(rule))


def accept(found: Proposal, who: str) -> None:
    """Apply a proposal.

    Raises
    ------
    AnomaloError
        There is nothing to learn, or the workspace cannot be written.
    """
    apply(Workspace(workspace()), found, who)


def knowledge(found: Proposal) -> pd.DataFrame:
    """Return what the next version would know, a line each: `what`, `rows`, `alerts`, `confirmed`."""
    by = {id(each.pattern): each for each in found.removed}
    lines = [(pattern, by.get(id(pattern))) for pattern in found.feedback.patterns]
    table = pd.DataFrame(
        [
            {
                "kind": pattern.kind,
                "what": ", ".join(map(str, pattern.conditions)),
                "rows": pattern.rows,
                "alerts": 0 if removed is None else removed.alerts,
                "confirmed": 0 if removed is None else removed.confirmed,
            }
            for pattern, removed in lines
        ]
    )
    return table.sort_values(["alerts", "rows"], ascending=False, ignore_index=True) if len(table) else table


def removed(found: Proposal, scores: data.Scores, said: dict[int, Review]) -> pd.DataFrame:
    """Return the alerts that would be none, most anomalous first: as they are listed, with `state` and `why`."""
    why = {row: str(each.pattern) for each in found.removed for row in each.rows}
    rows = scores.order[pd.Index(scores.order).isin(list(why))]
    table = scores.table(rows, scores.alert)
    return table.assign(state=states_of(said, rows), why=[why[row] for row in rows.tolist()])


def versions(record: ModelRecord) -> pd.DataFrame:
    """Return the versions of a model, newest first: what each was made from, by whom, and how much it was taught."""
    lines = []
    for one in reversed(Workspace(workspace()).models(record.name)):
        lineage = one.summary.get("lineage", {})
        origin = lineage.get("feedback", {})
        lines.append(
            {
                "version": one.reference,
                "tags": formatting.tags(one),
                "from": origin.get("from", "a fit"),
                "knows": len(one.summary.get("feedback", [])),
                "reviews": ", ".join(f"{rows:,} {state}" for state, rows in origin.get("reviews", {}).items()),
                "who": lineage.get("who", ""),
                "created": one.created,
            }
        )
    return pd.DataFrame(lines)
