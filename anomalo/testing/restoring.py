"""Restore saved models in a process of its own and print checksums of their answers, for the check of saving."""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

from anomalo.models.base import Model
from anomalo.registry.registry import Registry
from anomalo.testing.answers import answers, digests
from anomalo.testing.rows import rows_for
from anomalo.workspace import artifacts


def restored(folder: Path) -> Model:
    """Return the model that is saved in `folder`, of whatever class its manifest names."""
    artefact = artifacts.load(folder)
    cls: Any = importlib.import_module(artefact.manifest["module"])
    for part in artefact.manifest["class"].split("."):
        cls = getattr(cls, part)
    tuples = {parameter.name for parameter in cls.parameters() if isinstance(parameter.default, tuple)}
    params = {
        name: tuple(value) if name in tuples else value for name, value in artefact.manifest["parameters"].items()
    }
    create = Registry.load().create if artefact.state.models else None
    model: Model = cls(**params).restore(artefact.state, create)
    return model


if __name__ == "__main__":
    models = [restored(Path(folder)) for folder in sys.argv[1:]]
    sys.stdout.write(json.dumps([digests(answers(model, rows_for(type(model))[1])) for model in models]))
