"""`anomalo clean`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anomalo.cli.terminal.columns import DropOption
from anomalo.cli.terminal.console import (
    WORKSPACE,
    Console,
    DebugOption,
    EncodingOption,
    HeaderOption,
    JsonOption,
    LogJsonOption,
    SafeCsvOption,
    SheetOption,
    ThreadsOption,
    WorkspaceOption,
    named_output,
    read_options,
)
from anomalo.cli.terminal.printing import nearby, shortened, table
from anomalo.cli.terminal.repeated import ForceOption, show_repeated
from anomalo.tabular.quantities import count, percent

if TYPE_CHECKING:
    from anomalo.jobs.cleaning.ask import Asked
    from anomalo.jobs.cleaning.clean import CleanResult
    from anomalo.jobs.cleaning.undo import Undone
    from anomalo.jobs.context import JobContext
    from anomalo.tabular.writing.destination import Output
    from anomalo.workspace.records import RunRecord

SHOWN, EACH = 5, 2
"""So many columns are printed with so many changes each."""
EXCLUDED = {
    "--undo": ("--ask", "--labels", "--decided", "--apply", "--as", "--with", "--model", "--drop"),
    "--ask": ("--labels", "--decided", "--apply", "--as", "--with", "--model"),
    "--labels": ("--decided",),
    "--with": ("--labels", "--decided", "--as", "--model", "--drop"),
}
RULES = 12
"""Rules that are printed."""
APPLY = 0.9
"""The probability that is suggested for --apply."""


TableArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="SOURCE",
        help="A table: a file, a folder or pattern of files, a URL, or URL::table of a database; - for stdin.",
    ),
]
OutputOption = Annotated[
    str | None,
    typer.Option(
        "-o",
        "--output",
        metavar="OUT",
        help="Write the list of suspected cells to this file, or the repaired table with --apply.",
    ),
]
ApplyOption = Annotated[
    float | None,
    typer.Option(
        "--apply", metavar="PROBABILITY", help="Replace cells whose suggestion is at least so probable, such as 0.9."
    ),
]
LabelsOption = Annotated[
    str | None,
    typer.Option(
        "--labels",
        metavar="FILE",
        help="Learn from answers about some cells: a table with row (from 0), column, wrong (yes, no) and value.",
    ),
]
DecidedOption = Annotated[
    bool,
    typer.Option("--decided", help="Learn from what was decided about cells of earlier runs of this table."),
]
AskOption = Annotated[
    int | None,
    typer.Option(
        "--ask", metavar="N", min=1, help="Write the cells of the N rows whose answers teach most to OUT, to fill in."
    ),
]
AsOption = Annotated[str | None, typer.Option("--as", metavar="ID", help="Save the fitted cleaner under this name.")]
CleanerOption = Annotated[
    str | None, typer.Option("--with", metavar="ID", help="Use this saved cleaner, rather than to fit one.")
]
ModelOption = Annotated[
    str | None,
    typer.Option("--model", metavar="NAME", help="A model of texts, such as strings, that looks at spelling, too."),
]
UndoOption = Annotated[
    str | None, typer.Option("--undo", metavar="RUN", help="Take back what a run with --apply replaced in its table.")
]


def clean(
    source: TableArgument = None,
    output: OutputOption = None,
    apply: ApplyOption = None,
    labels: LabelsOption = None,
    decided: DecidedOption = False,
    ask: AskOption = None,
    name: AsOption = None,
    cleaner: CleanerOption = None,
    model: ModelOption = None,
    undo: UndoOption = None,
    drop: DropOption = [],  # noqa: B006
    safe_csv: SafeCsvOption = False,
    force: ForceOption = False,
    encoding: EncodingOption = None,
    header: HeaderOption = None,
    sheet: SheetOption = None,
    threads: ThreadsOption = None,
    workspace: WorkspaceOption = WORKSPACE,
    as_json: JsonOption = False,
    log_json: LogJsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Find cells that are probably wrong, and what they should hold."""
    from anomalo.jobs.cleaning.ask import ask as run_ask
    from anomalo.jobs.cleaning.undo import undo as run_undo
    from anomalo.jobs.context import JobContext

    console, reading, drops = Console(as_json, log_json), read_options(encoding, header, sheet), tuple(drop)
    options: dict[str, Any] = {
        "--ask": ask,
        "--labels": labels,
        "--decided": decided or None,
        "--apply": apply,
        "--as": name,
        "--with": cleaner,
        "--model": model,
    }
    options["--drop"] = drops or None
    _check(source, undo, options)
    with console.work("cleaning", threads) as progress:
        context = JobContext.at(workspace, progress, reading=reading)
        if undo is not None:
            undone = run_undo(context, undo, output=named_output(output, safe_csv))
        elif ask is not None:
            asked = run_ask(context, str(source), ask, named_output(output, safe_csv), drop=drops)
        else:
            given: dict[str, Any] = {"apply": apply, "labels": labels, "decided": decided, "name": name}
            given |= {"reference": cleaner, "model": model, "drop": drops, "safe_csv": safe_csv}
            result = _cleaned(context, str(source), named_output(output, safe_csv), given, force)
    if undo is not None:
        console.result(undone.run.to_json(), lambda: _show_undone(undone))
    elif ask is not None:
        console.result(vars(asked) | {"file": str(asked.file)}, lambda: _show_asked(asked, str(source)))
    else:
        _report(console, result, source)


def _report(console: Console, result: CleanResult | RunRecord, source: str | None) -> None:
    """Print what was found, or that the same was done before."""
    from anomalo.workspace.records import RunRecord

    if isinstance(result, RunRecord):
        show_repeated(console, result, source)
        return
    console.warn(result.warnings)
    facts = result.run.to_json() | {"top": result.top, "warnings": list(result.warnings)}
    console.result(facts, lambda: _show(result))


def _cleaned(
    context: JobContext, source: str, output: Output | None, asked: dict[str, Any], force: bool
) -> CleanResult | RunRecord:
    """Clean a table; or return the former run if the same was done before."""
    from anomalo.jobs.cleaning.clean import clean as run_clean
    from anomalo.jobs.cleaning.decided import decided_cells
    from anomalo.jobs.imputing.impute import cells_beside
    from anomalo.jobs.repeating import former_run
    from anomalo.pipeline.characters import TRIGRAMS

    asked["model"] = asked["model"] or TRIGRAMS
    beside = cells_beside(output) if isinstance(output, Path) and asked["apply"] is not None else None
    answers = [cell.answer for cell in decided_cells(context.store, source)] if asked["decided"] else None
    former = former_run(
        context,
        "clean",
        asked | {"labels": None, "reference": None, "decided": answers},  # by their content
        [source, *([asked["labels"]] if asked["labels"] else [])],
        models=[asked["reference"]],
        outputs=[output, beside],
        saves=asked["name"],
        force=force,
    )
    return former or run_clean(context, source, output=output, **asked)


def _check(source: str | None, undo: str | None, options: dict[str, Any]) -> None:
    """Refuse options that exclude each other.

    Raises
    ------
    UsageError
        There are two, or nothing to do.
    """
    from anomalo.errors import UsageError

    if (source is None) == (undo is None):
        raise UsageError("expected either a table to clean, or --undo with the run to take back")
    given = [name for name, value in options.items() if value is not None]
    for alone, others in EXCLUDED.items():
        both = [name for name in given if name in others]
        if (alone in given or (alone == "--undo" and undo is not None)) and both:
            raise UsageError(f"{alone} cannot be given with {both[0]}")


def _show_undone(undone: Undone) -> None:
    cells, again = f"{count(undone.cells, 'cell')} of {nearby(str(undone.table))}", "again what was there before"
    typer.echo(f"{cells} {_hold(undone.cells)} {again}")
    if undone.kept:
        typer.echo(f"{count(undone.kept, 'cell')} had been changed since, and stay as they are")


def _show_asked(asked: Asked, source: str) -> None:
    typer.echo(f"{count(len(asked.rows), 'row')} of {count(asked.cells, 'cell')} in {asked.file}")
    typer.echo(
        "write yes or no under `wrong`, and the right text of a wrong cell under `value` where you know it; then:"
    )
    typer.echo(f"anomalo clean {nearby(source)} --labels {asked.file}")


def _hold(cells: int) -> str:
    return "holds" if cells == 1 else "hold"


def _show(result: CleanResult) -> None:
    facts = result.run.summary
    share = percent(facts["cells"] / max(facts["rows"] * facts["columns"], 1))
    tokens = f"; {facts['tokens']:,} more stand for a missing value" if facts["tokens"] else ""
    size, wrong = f"{count(facts['rows'], 'row')}, {count(facts['columns'], 'column')}", count(facts["cells"], "cell")
    typer.echo(f"{size}: {wrong} ({share}) {'is' if facts['cells'] == 1 else 'are'} probably wrong{tokens}\n")
    if result.columns:
        table(
            ("column", "cells", "with a suggestion", "kinds"),
            [(one.column, f"{one.cells:,}", f"{one.suggested:,}", _kinds(one.kinds)) for one in result.columns],
            right=("cells", "with a suggestion"),
        )
        typer.echo("\nThe most frequent changes of the worst columns:")
        examples = [example for column in result.columns[:SHOWN] for example in column.examples[:EACH]]
        table(
            ("column", "cells", "probability", "change, and the reason of one cell"),
            [
                (line["column"], f"{line['cells']:,}", f"{line['probability']:.2f}", [_change(line), line["reason"]])
                for line in examples
            ],
            right=("cells", "probability"),
        )
        typer.echo("")
    broken = [(rule["rule"], f"{rule['support']:,}", f"{rule['exceptions']:,}") for rule in facts["dependencies"]]
    if broken:
        table(("what nearly holds", "rows", "exceptions"), broken[:SHOWN], right=("rows", "exceptions"))
        typer.echo("")
    if "learned" in facts:
        typer.echo(_learned(facts["learned"]) + "\n")
    if facts["rules"]:
        rules = list(facts["rules"].items())[:RULES]
        table(("what answers taught", "cells"), [(rule, f"{cells:,}") for rule, cells in rules], right=("cells",))
        typer.echo("")
    _show_files(result)


def _learned(facts: dict[str, Any]) -> str:
    """Return how many decisions were learned from.

    Examples
    --------
    >>> _learned({"wrong": 3, "right": 1, "changed": 0, "runs": ["0001-clean"]})
    'learned from 4 decisions of 0001-clean: 3 wrong cells, 1 right one'
    """
    wrong, right = facts["wrong"], facts["right"]
    decisions, runs = count(wrong + right, "decision"), ", ".join(facts["runs"])
    return f"learned from {decisions} of {runs}: {count(wrong, 'wrong cell')}, {count(right, 'right one')}"


def _show_files(result: CleanResult) -> None:
    facts = result.run.summary
    typer.echo(f"run {result.run.id} in {result.run.path}; suspected cells in {result.cells}")
    if result.table is not None:
        replaced = count(facts["applied"], "cell")
        typer.echo(f"{replaced} replaced in {result.table}; to take it back: anomalo clean --undo {result.run.id}")
    elif facts["suggested"]:
        source = nearby(result.run.source)
        typer.echo(
            f"to replace cells whose suggestion is probably right: anomalo clean {source} --apply {APPLY} -o OUT"
        )


def _kinds(kinds: dict[str, int]) -> str:
    """Return the kinds of a column's errors with their numbers.

    Examples
    --------
    >>> _kinds({"typo": 12, "unit": 1})
    'typo 12, unit 1'
    """
    return ", ".join(f"{kind} {number:,}" for kind, number in kinds.items())


def _change(line: dict[str, Any]) -> str:
    """Return a cell's text and what it should hold.

    Examples
    --------
    >>> _change({"observed": "N/A", "suggestion": ""}), _change({"observed": "x y", "suggestion": None})
    ("'N/A' → missing", "'x y'")
    """
    observed, suggestion = (
        f"'{shortened(text)}'" if text else "missing" for text in (line["observed"], line["suggestion"])
    )
    return observed if line["suggestion"] is None else f"{observed} → {suggestion}"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("clean")(clean)
