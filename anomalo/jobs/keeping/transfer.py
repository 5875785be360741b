"""Move saved models between workspaces, each in one file."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from anomalo.errors import AnomaloError, ArtefactError, UsageError
from anomalo.jobs.fitting.fit import summary_of
from anomalo.persistence.atomic import atomic_folder
from anomalo.persistence.checksums import files_digest
from anomalo.pipeline.saved_cleaner import CLEANER, cleaner_facts, cleaner_of
from anomalo.pipeline.saved_model import load_fitted
from anomalo.registry.registry import Registry
from anomalo.workspace import bundle
from anomalo.workspace.authorship import who
from anomalo.workspace.bundle import Bundle
from anomalo.workspace.workspace import ModelRecord, Workspace

LONGEST = 4_096
"""Characters of a text in an export."""


@dataclass(frozen=True)
class Exported:
    """A model that was written to a file: its version, and the file's size and checksum."""

    reference: str
    bytes: int
    sha256: str


def export_model(store: Workspace, reference: str, file: Path) -> Exported:
    """Write a saved model to a file, with where it comes from; the same model makes the same bytes.

    Raises
    ------
    UsageError
        There is no such model.
    ArtefactError
        It is damaged.
    OutputError
        The file cannot be written.
    """
    record = store.model(reference)
    facts = {name: getattr(record, name) for name in ("name", "version", "source", "created")}
    bundle.write(file, record.path, facts | {"lineage": record.summary.get("lineage", {})})
    return Exported(record.reference, file.stat().st_size, files_digest([file]))


def import_model(store: Workspace, registry: Registry, file: Path, name: str | None = None) -> ModelRecord:
    """Take in the model of a file as the next version of its name, or of another.

    Nothing is written to the workspace before every byte was checked and the model loaded. What lists show of it is
    computed from the model; of the file are its name, its source and its lineage.

    Raises
    ------
    SourceError, ArtefactError
        The file cannot be read, is damaged, or is no export; or the plugin of its model is not installed.
    UsageError
        The name is not allowed.
    """
    if name is not None:
        store.check_name(name)
    with tempfile.TemporaryDirectory(prefix="anomalo-") as folder, bundle.read(file, Path(folder)) as found:
        document = _checked(store, file, found.document)
        facts = _facts(found, registry, file)
        origin = {"file": file.name, "sha256": files_digest([file]), "who": who(), "created": document["created"]}
        origin["reference"] = f"{document['name']}@{document['version']}"
        facts["summary"]["lineage"] = document["lineage"] | {"imported": origin}
        write = partial(_copy, found.folder)
        return store.add_model(name or document["name"], write, source=document["source"], verb="import", **facts)


def _copy(source: Path, folder: Path) -> None:
    with atomic_folder(folder) as temporary:
        shutil.copytree(source, temporary, dirs_exist_ok=True)


def _facts(found: Bundle, registry: Registry, file: Path) -> dict[str, Any]:
    """Load the model, and return what a record holds of it.

    Raises
    ------
    ArtefactError
        It cannot be loaded.
    """
    try:
        if found.manifest.get("model") == CLEANER:
            return cleaner_facts(cleaner_of(found.folder, registry).reference)
        fitted = load_fitted(found.folder, registry, "cpu")
        facts = fitted.facts
        return {
            "model": str(facts["model"]),
            "plugin": str(facts["plugin"]),
            "rows": int(facts["rows"]),
            "columns": len(fitted.schema.features),
            "seconds": float(facts["seconds"]),
            "summary": summary_of(fitted, tuple(fitted.warnings)),
        }
    except AnomaloError as error:
        raise ArtefactError(f"{file}: {str(error).replace(f'{found.folder} ', 'it ')}") from error
    except Exception as error:  # its entries are anything, sealed by whoever made the file
        raise ArtefactError(f"{file}: it holds no model that can be loaded ({type(error).__name__})") from error


def _checked(store: Workspace, file: Path, document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of an export.

    Raises
    ------
    ArtefactError
        One is not as `export_model` writes it.
    """
    try:
        store.check_name(document["name"])
        lineage = document["lineage"]
        datetime.fromisoformat(document["created"])
        fine = (
            isinstance(document["version"], int)
            and _is_text(document["source"])
            and isinstance(lineage, dict)
            and _is_text(lineage.get("who", ""))
            and all(_is_text(key) and _is_number(value) for key, value in lineage.get("metrics", {}).items())
        )
    except (KeyError, TypeError, ValueError, AttributeError, UsageError):
        fine = False
    if not fine:
        raise ArtefactError(f"{file}: it is damaged: it does not say where its model comes from as exports do")
    return dict(document)


def _is_text(value: Any) -> bool:
    """Whether a value is a text that a terminal can show."""
    return isinstance(value, str) and len(value) <= LONGEST and value.isprintable()


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
