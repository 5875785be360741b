"""`anomalo plan`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from anomalo.cli.fit import (
    AssumeOption,
    EffortOption,
    GoalsOption,
    MaxMemoryOption,
    SeedOption,
    SetOption,
    amount_of_memory,
    checked_goals,
    parameters,
)
from anomalo.cli.score import ExplainOption
from anomalo.cli.terminal.columns import (
    DropOption,
    IdOption,
    InfOption,
    KeepOption,
    KindOption,
    LabelOption,
    MissingOption,
    SchemaOption,
    schema_options,
)
from anomalo.cli.terminal.console import (
    ONE_THREAD,
    WORKSPACE,
    Console,
    DebugOption,
    DeviceOption,
    EncodingOption,
    HeaderOption,
    JsonOption,
    LogJsonOption,
    SheetOption,
    SourceArgument,
    ThreadsOption,
    WorkspaceOption,
    read_options,
)
from anomalo.cli.terminal.printing import nearby
from anomalo.errors import UsageError
from anomalo.tabular.quantities import about, count, duration, memory

if TYPE_CHECKING:
    from anomalo.jobs.describing.plan import JobPlan, VerbPlan

AUTO = "auto"


def plan(
    source: SourceArgument,
    model: Annotated[
        str | None, typer.Option("--model", metavar="NAME", help="Plan a fit of this model; default: auto.")
    ] = None,
    saved: Annotated[
        str | None,
        typer.Option("--with", metavar="ID", help="Plan scoring and imputing with this saved model, not a fit."),
    ] = None,
    explain: ExplainOption = 1000,
    settings: SetOption = [],  # noqa: B006
    assume: AssumeOption = None,
    effort: EffortOption = None,
    goals: GoalsOption = [],  # noqa: B006
    drop: DropOption = [],  # noqa: B006
    identifier: IdOption = None,
    label: LabelOption = None,
    kind: KindOption = [],  # noqa: B006
    missing: MissingOption = [],  # noqa: B006
    keep: KeepOption = [],  # noqa: B006
    inf: InfOption = "error",
    schema: SchemaOption = None,
    seed: SeedOption = 0,
    max_memory: MaxMemoryOption = None,
    encoding: EncodingOption = None,
    header: HeaderOption = None,
    sheet: SheetOption = None,
    device: DeviceOption = "auto",
    threads: ThreadsOption = ONE_THREAD,
    workspace: WorkspaceOption = WORKSPACE,
    as_json: JsonOption = False,
    log_json: LogJsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Say what a fit or a use of a saved model is going to take."""
    from anomalo.jobs.context import JobContext
    from anomalo.jobs.describing.plan import plan_fit, plan_use
    from anomalo.pipeline.config import FitConfig

    if model is not None and saved is not None:
        raise UsageError("--model and --with: a plan is that of a fit, or of a saved model; give one of them")
    if saved is not None:
        given = {"--set": settings, "--assume": assume, "--effort": effort, "--for": goals, "--max-memory": max_memory}
        for option in (name for name, value in given.items() if value):
            raise UsageError(f"{option} is for fits, not for --with: a saved model is as it is")
    console, reading = Console(as_json, log_json), read_options(encoding, header, sheet)
    options = schema_options(kind, drop, identifier, label, missing, keep, inf, schema)
    asked, limit = parameters(settings, assume, effort), amount_of_memory(max_memory)
    config = FitConfig(
        model or AUTO, seed=seed, device=device, goals=checked_goals(goals), settings=asked, max_memory=limit
    )
    with console.work("planning", threads):
        context = JobContext.at(workspace, reading=reading)
        if saved is None:
            found = plan_fit(context, source, config, options)
        else:
            found = plan_use(context, source, saved, explain=explain, device=device)
    console.result(found.to_json(), lambda: _show(found))


def _show(found: JobPlan) -> None:
    several = len(found.verbs) > 1
    typer.echo(f"{' and '.join(found.verbs)} {nearby(found.source)}, {found.model}; nothing is done yet\n")
    rows = f"{found.rows:,}" if found.rows_exact else about(found.rows)
    _line("rows", f"{rows} ({found.rows_why}), {count(found.columns, 'column')}")
    stored = "" if found.bytes is None else f"{memory(found.bytes)} in files, "
    _line("bytes", f"{stored}about {memory(found.table_bytes)} as read")
    for verb, one in found.verbs.items():
        if one.text:
            _line(verb, one.text)
        which = f" {verb}" if several else ""
        _line(f"seconds{which}", f"{_how(one)} {duration(one.seconds)}: {_parts(one.steps, duration)}")
        if found.efforts:
            _line("efforts", ", ".join(f"{name} {duration(seconds)}" for name, seconds in found.efforts.items()))
        _line(f"memory{which}", f"about {memory(one.memory_bytes)}: {_parts(one.memory, memory)}")
    trained = "" if found.training_rows is None else f"; up to {count(found.training_rows, 'row')} train at a time"
    _line("batches", f"of {count(found.batch_rows, 'row')} are read{trained}")
    if found.sampled_rows is not None:
        _line("disk", f"all rows lie there; {found.sampled_rows:,} of them are sampled into memory")
    _line("device", f"{found.device}: {found.device_why}")


def _line(name: str, text: str) -> None:
    typer.echo(f"{name:<15} {text}")


def _how(one: VerbPlan) -> str:
    return "at most" if one.at_most else "about"


def _parts(parts: Mapping[str, float], write: Callable[[float], str]) -> str:
    return ", ".join(f"{name} {write(amount)}" for name, amount in parts.items())


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("plan")(plan)
