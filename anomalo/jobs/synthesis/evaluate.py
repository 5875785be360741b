"""Evaluate synthetic rows: similarity, usefulness and privacy, in a report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from anomalo.errors import OutputError, UsageError, without_passwords
from anomalo.evaluation.synthetic.measures import measure
from anomalo.evaluation.synthetic.report import report
from anomalo.evaluation.synthetic.tables import side_by_side
from anomalo.jobs.context import JobContext
from anomalo.jobs.synthesis.report_page import page
from anomalo.persistence.atomic import atomic_file, require_writable
from anomalo.tabular.column import MEASURED
from anomalo.tabular.columns import ParsedTable
from anomalo.tabular.parsing import numbers
from anomalo.tabular.schema import Schema, SchemaOptions, infer
from anomalo.workspace.workspace import RunRecord

JSON, HTML = "report.json", "report.html"


@dataclass(frozen=True)
class EvaluateResult:
    """The stored run, the report, the files that were written, and warnings."""

    run: RunRecord
    report: dict[str, Any]
    files: tuple[Path, ...]
    warnings: tuple[str, ...]


def evaluate(
    context: JobContext,
    synthetic: str,
    real: str,
    *,
    holdout: str | None = None,
    test: str | None = None,
    label: str | None = None,
    output: Path | None = None,
    seed: int = 0,
) -> EvaluateResult:
    """Compare synthetic rows with real ones, store the report as a run and write it to the folder `output`.

    Parameters
    ----------
    real : str
        The rows that the generator was fitted on.
    holdout : str, optional
        Real rows that the generator never saw, to find out whether it copies.
    test : str, optional
        Real rows whose label is predicted, by default the holdout.
    label : str, optional
        A column to predict.

    Raises
    ------
    SourceError
        A table cannot be read.
    SchemaError
        Their columns are not of the same kinds.
    UsageError
        There is no such label, or too few rows.
    OutputError
        The folder cannot be written.
    """
    if output is not None:
        _require_folder(output)
    sources = {"train": real, "synthetic": synthetic, "holdout": holdout, "test": test}
    named = {name: source for name, source in sources.items() if source is not None}
    tables = {name: context.table(source) for name, source in named.items()}
    schema = _schema(tables["train"], label)
    shown = {name: without_passwords(source) for name, source in named.items()}
    facts = _measured(tables, schema, label, seed) | {"sources": shown}
    texts, failures = _texts(facts, shown)
    warnings = [*_left_out(schema), *failures]

    def write(folder: Path) -> dict[str, Any]:
        _write(folder, texts)
        return _summary(facts, output, warnings)

    run = context.store.add_run("evaluate", write, model=None, source=synthetic)
    written = output or run.path
    if output is not None:
        _write(output, texts)
    return EvaluateResult(run, facts, tuple(written / name for name in texts), tuple(warnings))


def _measured(tables: Mapping[str, pa.Table], schema: Schema, label: str | None, seed: int) -> dict[str, Any]:
    """Return the report's figures on the synthetic rows beside the real ones."""
    rows = side_by_side(tables, schema)
    found = measure(
        rows["train"],
        rows["synthetic"],
        holdout=rows.get("holdout"),
        test=rows.get("test"),
        label=label,
        seed=seed,
    )
    return report(found, rows) | {"label": label, "seed": seed}


def _texts(facts: Mapping[str, Any], sources: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Return the report as JSON and as a page, by file name, and a warning if the page cannot be drawn."""
    texts = {JSON: json.dumps(facts, ensure_ascii=False, allow_nan=False)}
    try:
        texts[HTML] = page(facts, sources)
    except UsageError as error:
        return texts, [f"{HTML} was not written: {error}"]
    return texts, []


def _summary(facts: Mapping[str, Any], output: Path | None, warnings: list[str]) -> dict[str, Any]:
    """Return the figures of a report without the data of its charts."""
    close = facts["closeness"]
    figures = {name: value for name, value in facts.items() if name not in ("columns", "pairs", "sources")}
    return figures | {
        "closeness": None if close is None else {name: close[name] for name in ("nearer_share", "membership")},
        "real": facts["sources"]["train"],
        "output": None if output is None else str(output.absolute()),
        "warnings": warnings,
    }


def _schema(table: pa.Table, label: str | None) -> Schema:
    """Infer the columns of the real rows; a label of two values is a category, whatever its values are."""
    options, read = SchemaOptions(label=label), ParsedTable(table)
    schema = infer(read, options)
    if label is None or schema.column(label).kind not in MEASURED:
        return schema
    column = schema.column(label)
    values = numbers(column, read.cells(label), schema.reading)
    two = len(set(values[values == values].tolist())) <= 2
    return infer(read, replace(options, kinds={label: "category"})) if two else schema


def _left_out(schema: Schema) -> list[str]:
    names = [column.name for column in schema.columns if column.role == "dropped"]
    return [f"columns not compared, since they hold ids or free text: {', '.join(map(repr, names))}"] if names else []


def _require_folder(output: Path) -> None:
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot create the folder {output}: {error.strerror or error}; give another") from error
    for name in (JSON, HTML):
        require_writable(output / name)


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    for name, text in texts.items():
        with atomic_file(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
