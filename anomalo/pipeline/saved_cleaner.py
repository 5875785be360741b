"""A fitted cleaner as an artefact on disk, and back."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from anomalo.cleaning.cleaner import Cleaner
from anomalo.cleaning.coded import CodedTable
from anomalo.cleaning.learning.learned import Learned
from anomalo.errors import ArtefactError, UsageError
from anomalo.models.results import ModelState
from anomalo.pipeline.characters import spelling_by
from anomalo.registry.registry import Registry
from anomalo.workspace import artifacts
from anomalo.workspace.workspace import ModelRecord, Workspace

CLEANER = "cleaner"
"""What a saved cleaner is called where a model's kind is named."""
PLUGIN = "anomalo"
VERB = "clean"


def save_cleaner(store: Workspace, cleaner: Cleaner, model: str, name: str, source: str, seconds: float) -> ModelRecord:
    """Save a cleaner, and the name of what looks at its spelling, as the next version of a name."""
    reference = cleaner.reference.sampled()
    facts = cleaner_facts(reference)
    write = partial(_write, reference, cleaner.learned, model)
    return store.add_model(name, write, source=source, verb=VERB, **facts | {"seconds": seconds})


def cleaner_facts(reference: CodedTable) -> dict[str, Any]:
    """Return what the record of a saved cleaner holds, by what it learned from."""
    summary = {
        "verbs": [VERB], "goals": [], "parameters": {}, "seed": 0, "kinds": {}, "label": None, "skill": None,
        "errors": {}, "levels": {}, "score_unit": "", "warnings": [],
    }  # fmt: skip
    rows, columns = reference.rows, len(reference.columns)
    return {"model": CLEANER, "plugin": PLUGIN, "rows": rows, "columns": columns, "seconds": 0.0, "summary": summary}


def load_cleaner(record: ModelRecord, registry: Registry) -> Cleaner:
    """Load a saved cleaner; no code in it is executed.

    Raises
    ------
    UsageError
        The saved model is none.
    ArtefactError
        It is absent or damaged.
    """
    if record.model != CLEANER:
        raise UsageError(
            f"{record.reference} is a saved {record.model!r}, not a cleaner; save one: anomalo clean SOURCE --as ID"
        )
    return cleaner_of(record.path, registry)


def cleaner_of(folder: Path, registry: Registry) -> Cleaner:
    """Load the cleaner in a folder.

    Raises
    ------
    ArtefactError
        It is absent or damaged.
    """
    artefact = artifacts.load(folder)
    values = artefact.state.values
    try:
        reference = CodedTable.of_bytes(artefact.state.arrays["reference"])
        learned = None if values["learned"] is None else Learned.from_json(values["learned"])
        return Cleaner(reference, learned, spelling_by(values["model"], registry))
    except (KeyError, TypeError, ValueError) as error:
        raise ArtefactError(f"{folder}: it is no cleaner that this version reads; save it again") from error


def _write(reference: CodedTable, learned: Learned | None, model: str, folder: Path) -> None:
    taught = None if learned is None else learned.to_json()
    artifacts.save(
        folder, {"model": CLEANER}, ModelState({"reference": reference.to_bytes()}, {"learned": taught, "model": model})
    )
