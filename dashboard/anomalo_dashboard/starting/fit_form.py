"""The form of a fit: kinds and roles of columns, the model's name and its parameters, as command-line options."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from anomalo.errors import UsageError
from anomalo.jobs.describing.preview import Preview
from anomalo.tabular.schema import KINDS, SchemaOptions
from anomalo_dashboard.security.literal import literal, plain_table
from anomalo_dashboard.security.uploads import name_of

USE, LEAVE, LABEL, ID = "use", "leave out", "label", "id"
_ROLES = {"feature": USE, "dropped": LEAVE, "label": LABEL, "id": ID}
_FREE = ("identifier", "text", "empty")  # kinds that no model reads


def columns_of(preview: Preview, label: str | None = None) -> pd.DataFrame:
    """Return one line for each column: `column`, `cells`, `missing`, `example`, `kind`, `role`, `note`.

    `cells` is how often values occur, in percent of the most frequent, `missing` a percentage; the note has the
    reason of the kind, and warnings.
    """
    lines = []
    for column, facts in zip(preview.schema.columns, preview.facts, strict=True):
        cells = preview.head[column.name].drop_null().unique().to_pylist()
        lines.append(
            {
                "column": column.name,
                "cells": [100 * bar / max(facts.bars) for bar in facts.bars],
                "missing": 100 * facts.missing,
                "example": ", ".join(cells[:4]),
                "kind": column.kind,
                "role": LABEL if column.name == label else _ROLES[column.role],
                "note": "; ".join([*(f"⚠ {warning}" for warning in facts.warnings), column.note or column.why]),
            }
        )
    return pd.DataFrame(lines)


def edit_columns(table: pd.DataFrame, key: str) -> pd.DataFrame:
    """Let the user correct the kinds and roles of columns."""
    return st.data_editor(
        plain_table(table),
        key=key,
        hide_index=True,
        height=350,
        num_rows="fixed",
        disabled=["column", "cells", "missing", "example", "note"],
        column_config={
            "column": st.column_config.TextColumn("Column"),
            "cells": st.column_config.BarChartColumn(
                "Cells",
                width=110,
                y_min=0,
                y_max=100,
                help="Numbers and dates from the smallest to the largest; of other columns, the most frequent values",
            ),
            "missing": st.column_config.ProgressColumn(
                "Missing", format="%.0f %%", min_value=0, max_value=100, width=100
            ),
            "example": st.column_config.TextColumn("Examples"),
            "kind": st.column_config.SelectboxColumn("Kind", options=list(KINDS), required=True, width=110),
            "role": st.column_config.SelectboxColumn(
                "Role",
                options=[USE, LEAVE, LABEL, ID],
                required=True,
                width=140,
                help="The label is hidden from detectors and used to evaluate them; the id identifies the rows.",
            ),
            "note": st.column_config.TextColumn("Why"),
        },
        alt="Kind and role of each column; both can be changed",
    )


def schema_options(guessed: pd.DataFrame, edited: pd.DataFrame, missing: tuple[str, ...]) -> SchemaOptions:
    """Turn the user's corrections into options; the columns' names are those of `guessed`.

    Raises
    ------
    UsageError
        There are two labels, or two ids.
    """
    by_role: dict[str, list[str]] = {role: [] for role in (USE, LEAVE, LABEL, ID)}
    kinds: dict[str, str] = {}
    # The names are those of the guess: an edited table shows them without characters that are not seen.
    chosen = (map(str, column) for column in (guessed["column"], edited["role"], edited["kind"], guessed["kind"]))
    for name, role, kind, guess in zip(*chosen, strict=True):
        by_role[role].append(name)
        if role in (USE, LABEL) and kind != guess:
            kinds[name] = kind
        elif role == USE and guess in _FREE:
            kinds[name] = "category"  # left out because of its kind, but the user wants it
    for role in (LABEL, ID):
        if len(by_role[role]) > 1:
            raise UsageError(f"the columns {', '.join(by_role[role])} all have the role {role}; give it to one of them")
    left_out_by_default = set(guessed.loc[guessed["role"] == LEAVE, "column"])
    return SchemaOptions(
        kinds,
        drop=tuple(name for name in by_role[LEAVE] if name not in left_out_by_default),
        id=next(iter(by_role[ID]), None),
        label=next(iter(by_role[LABEL]), None),
        missing=missing,
    )


def tokens(text: str) -> tuple[str, ...]:
    """Split a comma-separated list.

    Examples
    --------
    >>> tokens("?, -99,")
    ('?', '-99')
    """
    return tuple(part.strip() for part in text.split(",") if part.strip())


def schema_arguments(options: SchemaOptions) -> list[str]:
    """Return the options as the command line takes them."""
    found = [part for name, kind in options.kinds.items() for part in ("--kind", f"{name}={kind}")]
    found += [part for name in options.drop for part in ("--drop", name)]
    found += [part for text in options.missing for part in ("--missing", text)]
    found += [part for text in options.keep for part in ("--keep", text)]
    for option, value in (("--id", options.id), ("--label", options.label)):
        found += [] if value is None else [option, value]
    return found


def parameters(model: dict[str, Any], left_out: Sequence[str] = ()) -> list[str]:
    """Let the user change a model's parameters but for some; returns the changed ones as command-line options."""
    found: list[str] = []
    halves = st.columns(2)
    shown = [parameter for parameter in model["parameters"] if parameter["name"] not in left_out]
    for number, parameter in enumerate(shown):
        with halves[number % 2]:
            value = _parameter(model["name"], parameter)
        if value != parameter["default"]:
            text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
            found += ["--set", f"{parameter['name']}={text}"]
    return found


def _parameter(model: str, parameter: dict[str, Any]) -> Any:
    """Show the widget for a parameter's type, and return its value."""
    name, default, low, high = (parameter[key] for key in ("name", "default", "low", "high"))
    label, key, tip = literal(name.replace("_", " ").capitalize()), f"{model}.{name}", literal(parameter["help"])
    if parameter["choices"]:
        choices = list(parameter["choices"])
        return st.selectbox(label, choices, choices.index(default), key=key, help=tip)
    if isinstance(default, bool):
        return st.toggle(label, default, key=key, help=tip)
    if isinstance(default, int):
        return st.number_input(label, low, high, default, 1, key=key, help=tip)
    if isinstance(default, float):
        return st.number_input(
            label,
            None if low is None else float(low),
            None if high is None else float(high),
            default,
            step=default / 10 or 0.01,
            format="%g",
            key=key,
            help=tip,
        )
    if isinstance(default, list):
        return _numbers(st.text_input(label, ", ".join(map(str, default)), key=key, help=f"{tip} Separated by commas."))
    return st.text_input(label, default, key=key, help=tip)


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in tokens(text)]
    except ValueError:
        raise UsageError(f"{text!r}: expected whole numbers separated by commas, such as 64, 32") from None


def suggested_name(source: str) -> str:
    """Return a name for the model of a table.

    Examples
    --------
    >>> suggested_name("/data/May sales (2).csv.gz"), suggested_name("/data/äöü.csv")
    ('May_sales_2', 'model')
    """
    stem = name_of(source).partition(".")[0]
    return re.sub(r"[^A-Za-z0-9_-]+", "_", stem).strip("_-")[:100] or "model"


def commands(
    source: str, name: str, fitting: Sequence[str], verbs: Sequence[str], share: float, missing: bool
) -> list[list[str]]:
    """Return the commands of a job: fit, then score and impute where the model can and values are missing.

    `share` is the threshold in percent.
    """
    found = [["fit", source, "--as", name, *fitting]]
    if "score" in verbs:
        found.append(["score", source, "--with", name, "--threshold", f"share={share / 100:g}"])
    if "impute" in verbs and missing:
        found.append(["impute", source, "--with", name])
    return found
