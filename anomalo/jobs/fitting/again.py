"""Fit a saved model again: the options with which it was fitted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anomalo.errors import UsageError
from anomalo.workspace.records import ModelRecord

_LISTS = {"drop": "--drop", "missing": "--missing", "keep": "--keep", "constraints": "--constraint"}
_SINGLE = {"id": "--id", "label": "--label", "infinite": "--inf", "device": "--device", "max_memory": "--max-memory"}
_DEFAULTS = {"infinite": "error", "device": "auto"}


def fit_options(record: ModelRecord, defaults: Mapping[str, Any]) -> list[str]:
    """Return the options of `anomalo fit`, but for the table and the name, that fit a model as it was fitted.

    Parameters
    ----------
    defaults : mapping
        Of the model's parameters; those that have them are left out.

    Raises
    ------
    UsageError
        How it was fitted is not known: an older version of anomalo fitted it, or it cleans tables.
    """
    summary = record.summary
    asked = summary.get("lineage", {}).get("options")
    if asked is None or "parameters" not in summary:
        raise UsageError(f"{record.reference} does not say how it was fitted; fit it again by its options")
    found = ["--model", record.model]
    for name, value in summary["parameters"].items():
        if name not in defaults or _text(value) != _text(defaults[name]):
            found += ["--set", f"{name}={_text(value)}"]
    found += [part for name, kind in asked.get("kinds", {}).items() for part in ("--kind", f"{name}={kind}")]
    for name, option in _LISTS.items():
        found += [part for value in asked.get(name, ()) for part in (option, str(value))]
    for name, option in _SINGLE.items():
        if asked.get(name) is not None and asked[name] != _DEFAULTS.get(name):
            found += [option, str(asked[name])]
    found += ["--supervised"] if asked.get("supervised") else []
    found += [part for goal in summary.get("goals", ()) for part in ("--for", goal)]
    found += ["--seed", str(summary["seed"])] if summary.get("seed") else []
    parent = summary.get("lineage", {}).get("parent")
    return found + (["--from", parent["reference"]] if isinstance(parent, dict) and "reference" in parent else [])


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
