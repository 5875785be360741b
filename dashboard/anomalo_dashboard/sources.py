"""Tables to read: those that users choose by a path, the bundled one, and those that runs and models have read."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path

import streamlit as st

from anomalo.errors import UsageError
from anomalo.workspace.workspace import ModelRecord, RunRecord
from anomalo_dashboard import data
from anomalo_dashboard.security import named
from anomalo_dashboard.security.bounds import check_unpacked
from anomalo_dashboard.security.files import openable

BUNDLED = Path(str(files("anomalo.datasets") / "hypothyroid.csv")).resolve()
"""A real table for a first try; its label is the column `Target`."""


def chosen(source: str, images: bool = False) -> Path:
    """Return the file that a user chose by its path, if it may be opened and is not too large once unpacked.

    Tables that a run or a model of the workspace has read may be opened: the workspace's owner chose them.

    Parameters
    ----------
    images : bool
        Whether it may also be a folder of images.

    Raises
    ------
    UsageError
        It may not be opened, or is too large.
    """
    recorded = [*(run.source for run in data.runs()), *(model.source for model in data.models())]
    path = openable(source, [BUNDLED, *filter(is_certain, recorded)], images)
    if path.is_file():
        _bounded(path, path.stat().st_mtime_ns)
    return path


def opened(source: str) -> str:
    """Return what a job reads for a table that a user chose: by its path, or by a name that was allowed.

    Raises
    ------
    UsageError
        It may not be read.
    """
    name = named.name_in(source)
    if name is None:
        return str(chosen(source, images=True))
    if name not in named.names():
        raise UsageError(f"the dashboard has no source {name!r}: start it with --allow-source {name}=URL")
    return source


@st.cache_data(max_entries=64, show_spinner="Checking the file")
def _bounded(path: Path, changed: int) -> None:
    check_unpacked(path)


def is_certain(source: str) -> bool:
    """Return whether a recorded table is the one that was read: not without its folder, a namesake of a file here."""
    return os.path.isabs(source) or not os.path.exists(source)


ELSEWHERE = ("images", "masks")
"""Options of reading that name files beside the table, which who uploads one must not choose."""


def flags(record: RunRecord | ModelRecord, source: str | None = None) -> list[str]:
    """Return the options with which the table of a run or a model was read, for a command that reads it again.

    Parameters
    ----------
    source : str, optional
        What the command reads, if it may be another table: that must not say where images and masks are.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> flags(SimpleNamespace(summary={"reading": {"encoding": "cp1252", "header": "none"}}))
    ['--encoding', 'cp1252', '--header', 'none']
    """
    said = record.summary.get("reading", {})
    same = source in (None, record.source)
    kept = {name: value for name, value in said.items() if same or name not in ELSEWHERE}
    return [text for name, value in kept.items() for text in (f"--{name}", str(value))]


def again(record: RunRecord | ModelRecord) -> str:
    """Return the table that a run or a model has read, to read it again.

    Raises
    ------
    UsageError
        It was recorded without its folder, and here a file has its name.
    """
    if not is_certain(record.source):
        raise UsageError(
            f"the table {record.source!r} was recorded without its folder, and the file of this name here may be "
            "another one: run the command again"
        )
    return record.source
