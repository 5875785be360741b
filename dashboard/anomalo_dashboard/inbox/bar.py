"""The bar of the pages that show a run: table, model and version, run and date, and the threshold they all share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st

from anomalo.workspace.workspace import RunRecord
from anomalo_dashboard import data, formatting, navigation
from anomalo_dashboard.inbox import saved_threshold
from anomalo_dashboard.security.literal import literal
from anomalo_dashboard.security.uploads import name_of

NO_BREAK = "\N{NO-BREAK SPACE}"
LARGEST = 50.0
"""The largest threshold that can be chosen, in percent."""
HELP = (
    "The p-value is the share of normal rows with an anomaly score at least this high: at 1 %, about one normal row in "
    "100 is a false alert. The threshold holds on all pages; the saved run does not change. Empty: as in the run. "
    "The button beside it saves the threshold with the model, for new files."
)


@dataclass(frozen=True)
class Bar:
    """What the bar says.

    Attributes
    ----------
    run : RunRecord
        The run in view.
    percent : float or None
        The threshold that the user chose, a p-value in percent; None for the threshold of the run.
    """

    run: RunRecord
    percent: float | None

    @property
    def rule(self) -> str:
        """The threshold as `--threshold` takes it; empty for a run that has none."""
        of_run = _rule(self.run)
        return of_run if self.percent is None else f"share={self.percent / 100:.12g}"

    def alerts(self, scores: data.Scores) -> data.Mask:
        """Return which rows of the run, or of one of the same table, are alerts at the threshold, bool [n]."""
        if self.percent is None:
            return scores.alert
        return np.asarray(scores.p_value <= self.percent / 100)


def bar(runs: Sequence[RunRecord], everything: Sequence[RunRecord]) -> Bar:
    """Show the bar, and return the run and the threshold that the URL or the user chose.

    Parameters
    ----------
    runs : sequence of RunRecord
        Those that the page can show, newest first; at least one.
    everything : sequence of RunRecord
        All runs, newest first.
    """
    run = navigation.run_in_view(runs, everything)
    said, chosen, label, threshold, save = st.columns([3.8, 2.3, 1.7, 2.35, 0.95], vertical_alignment="center")
    said.markdown(_facts(run))
    with chosen:
        navigation.run_box(runs)
    label.container(key="threshold_label").markdown("Alert if p ≤ … %", help=HELP, text_alignment="right")
    with threshold:
        percent = _threshold(run)
    navigation.keep_threshold(percent)
    found = Bar(run, percent)
    with save:
        saved_threshold.popover(run, found.rule)
    return found


def _facts(run: RunRecord) -> str:
    """Return the table, the model and the date of a run, as Markdown; a date stays on one line."""
    model = f" · {literal(run.model)}" if run.model else ""
    return f"**{literal(name_of(run.source))}**{model} · {formatting.moment(run.created).replace(' ', NO_BREAK)}"


def _rule(run: RunRecord) -> str:
    found = run.summary.get("threshold")
    return found if isinstance(found, str) else ""  # that of `clean` is a probability


def _threshold(run: RunRecord) -> float | None:
    rule = _rule(run)
    found: float | None = st.number_input(
        "Alert if the p-value is at most … %",
        0.0,
        LARGEST,
        None,
        0.1,
        format="%g",
        key=navigation.THRESHOLD,
        bind="query-params",
        on_change=navigation.first_page,
        placeholder=_of_run(rule),
        label_visibility="collapsed",
    )
    return found


def _of_run(rule: str) -> str:
    """Return what stands in the box while nothing is chosen.

    Examples
    --------
    >>> _of_run("share=0.05"), _of_run("budget=100"), _of_run("fdr=0.1"), _of_run("")
    ('5 (as in the run)', '100 rows, as run', '10 % false, as run', 'as in the run')
    """
    kind, _, value = rule.partition("=")
    if kind == "share":
        return f"{100 * float(value):.6g} (as in the run)"
    if kind == "budget":
        return f"{int(value):,} rows, as run"
    return f"{100 * float(value):.6g} % false, as run" if rule else "as in the run"
