"""What a run of series keeps, read once for each run and channel; no page reads all channels."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from anomalo.jobs.series import kept
from anomalo.workspace.workspace import RunRecord
from anomalo_dashboard.data import files_of


def of_series(run: RunRecord) -> bool:
    """Whether the rows of a run are points of series that it keeps."""
    return kept.has_points(run.path)


def channels(run: RunRecord) -> list[str]:
    """Return the channels of numbers."""
    with files_of(run):
        return kept.channels(run.path)


def categories(run: RunRecord) -> list[str]:
    """Return the channels of categories."""
    with files_of(run):
        return kept.categories(run.path)


def category(run: RunRecord, name: str) -> kept.Category:
    """Return a channel of categories, by row."""
    with files_of(run):
        return _category(run.path, run.created, name)


@st.cache_resource(max_entries=16, show_spinner="Reading the points")
def _category(folder: Path, created: str, name: str) -> kept.Category:
    return kept.category(folder, name)


def timeline(run: RunRecord) -> kept.Timeline:
    """Return when the points of a run were, and of which series."""
    with files_of(run):
        return _timeline(run.path, run.created)


# Resources, not data: immutable, and too large to be copied for each interaction.
@st.cache_resource(max_entries=4, show_spinner="Reading the points")
def _timeline(folder: Path, created: str) -> kept.Timeline:
    return kept.timeline(folder)


def channel(run: RunRecord, name: str) -> kept.Numbers:
    """Return the numbers of a channel, by row."""
    with files_of(run):
        return _channel(run.path, run.created, name)


@st.cache_resource(max_entries=16, show_spinner="Reading the points")
def _channel(folder: Path, created: str, name: str) -> kept.Numbers:
    return kept.channel(folder, name)


def bands(run: RunRecord, name: str) -> kept.Bands:
    """Return what was expected of a channel at the explained rows."""
    with files_of(run):
        return _bands(run.path, run.created, name)


@st.cache_resource(max_entries=16, show_spinner=False)
def _bands(folder: Path, created: str, name: str) -> kept.Bands:
    return kept.bands(folder, name)


def intervals(run: RunRecord) -> pd.DataFrame:
    """Return the intervals of alerts, the most anomalous first."""
    with files_of(run):
        return _intervals(run.path, run.created)


@st.cache_resource(max_entries=4, show_spinner=False)
def _intervals(folder: Path, created: str) -> pd.DataFrame:
    return kept.intervals(folder)


def changes(run: RunRecord) -> pd.DataFrame:
    """Return the changes, in the order of their rows."""
    with files_of(run):
        return _changes(run.path, run.created)


@st.cache_resource(max_entries=4, show_spinner=False)
def _changes(folder: Path, created: str) -> pd.DataFrame:
    return kept.changes(folder)
