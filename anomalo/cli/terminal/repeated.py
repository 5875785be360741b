"""What the verbs print where the same job was done before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from anomalo.cli.terminal.console import Console
from anomalo.cli.terminal.printing import nearby

if TYPE_CHECKING:
    from anomalo.workspace.records import ModelRecord, RunRecord

ForceOption = Annotated[
    bool, typer.Option("--force", help="Run the job even if the same was done before: a new run, or version.")
]


def show_repeated(console: Console, record: RunRecord | ModelRecord, source: str | None) -> None:
    """Print that nothing was to be done, and which run or model is of the same job.

    Parameters
    ----------
    source : str or None
        The table of this job; the record's is named if it is another one with the same content.
    """
    console.result(
        record.to_json() | {"warnings": record.summary.get("warnings", []), "repeated": True},
        lambda: typer.echo(nothing_to_do(record.to_json(), source)),
    )


def nothing_to_do(record: dict[str, Any], source: str | None) -> str:
    """Return the sentence on a run's or model's record, JSON-ready.

    Examples
    --------
    >>> nothing_to_do({"id": "0007-score", "model": "full@1", "source": "/data/a.csv"}, "a.csv")
    'nothing to do: run 0007-score is of the same table (/data/a.csv), model and options (--force runs it again)'
    """
    from anomalo.tabular.reading.source import recorded

    other = source is not None and recorded(source) != record["source"]
    table = f"table ({nearby(record['source'])})" if other else "table"
    if "reference" in record:
        return f"nothing to do: {record['reference']} is of the same {table} and options (--force fits a new version)"
    alike = [*([] if source is None else [table]), *([] if record["model"] is None else ["model"]), "options"]
    what = ", ".join(alike[:-1]) + (" and " if alike[1:] else "") + alike[-1]
    return f"nothing to do: run {record['id']} is of the same {what} (--force runs it again)"
