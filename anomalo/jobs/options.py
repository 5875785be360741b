"""Schema options from the command line and a TOML file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from anomalo.schema import SchemaOptions


def schema_options(file: Path | None, **given: Any) -> SchemaOptions:
    """Merge the options of a TOML file with those given; the latter win."""
    return SchemaOptions(**given) if file is None else SchemaOptions(**given)
