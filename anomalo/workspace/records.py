"""The workspace's records of saved models and of finished runs."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class ModelRecord:
    """One version of a saved model.

    Attributes
    ----------
    name, version : str, int
        Together the `reference`, such as `fraud@3`; versions count from 1.
    model, plugin : str
        The kind of model and who provides it.
    source : str
        The table that it was fitted on; the path of a file is absolute.
    rows, columns : int
        The size of that table.
    seconds : float
        How long the fit took.
    summary : dict
        JSON-ready facts for people.
    created : str
        UTC, ISO 8601.
    tags : tuple of str
        In alphabetical order.
    path : Path
        The artefact's folder.
    who : str
        Who made it; empty where it was not recorded yet.
    threshold : str
        The threshold that it is scored with where no other is given, as `--threshold` takes it; empty if none is saved.
    retired : str
        Since when it is no longer to be used, unless it is named: UTC, ISO 8601; empty while it is in use.
    """

    name: str
    version: int
    model: str
    plugin: str
    source: str
    rows: int
    columns: int
    seconds: float
    summary: dict[str, Any] = field(hash=False)
    created: str
    tags: tuple[str, ...]
    path: Path
    who: str = ""
    threshold: str = ""
    retired: str = ""

    @property
    def reference(self) -> str:
        """`name@version`, which always means this version."""
        return f"{self.name}@{self.version}"

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON-ready values."""
        return asdict(self) | {"reference": self.reference, "tags": list(self.tags), "path": str(self.path)}


@dataclass(frozen=True)
class RunRecord:
    """One finished job.

    Attributes
    ----------
    id : str
        A number that sorts by time, and the verb: `0007-score`.
    verb : str
        What was done.
    model : str or None
        The reference of the model that was used.
    source : str
        The table that was read.
    seconds : float
        How long it took.
    summary : dict
        JSON-ready facts for people.
    status : str
        "done".
    created : str
        UTC, ISO 8601.
    path : Path
        The folder with the results.
    who : str
        Who made it; empty where it was not recorded yet.
    """

    id: str
    verb: str
    model: str | None
    source: str
    seconds: float
    summary: dict[str, Any] = field(hash=False)
    status: str
    created: str
    path: Path
    who: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON-ready values."""
        return asdict(self) | {"path": str(self.path)}


@dataclass(frozen=True)
class TagMove:
    """A tag that was given to a version, moved to another or removed.

    Attributes
    ----------
    name, tag : str
        The model and its tag.
    before, after : int or None
        The version that had the tag, and the one that has it; None if there was, or is, none.
    who : str
        Who moved it.
    created : str
        UTC, ISO 8601.
    """

    name: str
    tag: str
    before: int | None
    after: int | None
    who: str
    created: str
