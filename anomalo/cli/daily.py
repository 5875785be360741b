"""`anomalo run`."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anomalo.cli.score import show
from anomalo.cli.terminal.console import Console, DebugOption, JsonOption, LogJsonOption, ResumeOption
from anomalo.cli.terminal.repeated import ForceOption, nothing_to_do
from anomalo.errors import UsageError

if TYPE_CHECKING:
    from anomalo.jobs.daily.job_file import DailyJob
    from anomalo.jobs.daily.run import DailyResult

FileArgument = Annotated[Path, typer.Argument(metavar="JOB.toml", help="The file that describes the job.")]
DateOption = Annotated[
    str | None,
    typer.Option("--date", metavar="DAY", help="The day that {date} in the file stands for; default: today."),
]
SAVED = "the threshold that is saved with it, or else share=0.01"
CheckOption = Annotated[bool, typer.Option("--check", help="Only check the file; run nothing.")]
WorkspaceOption = Annotated[
    Path | None,
    typer.Option(
        "--workspace",
        metavar="DIR",
        envvar="ANOMALO_WORKSPACE",
        help="Folder with the saved models and runs, rather than that of the file.",
    ),
]


def run(
    file: FileArgument,
    date: DateOption = None,
    check: CheckOption = False,
    force: ForceOption = False,
    resume: ResumeOption = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    log_json: LogJsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Run a daily job that a file describes: score, write, notify."""
    from anomalo.jobs.context import JobContext
    from anomalo.jobs.daily.job_file import read_job
    from anomalo.jobs.daily.run import check as check_job
    from anomalo.jobs.daily.run import run as run_job

    console, job = Console(as_json, log_json), read_job(file, _day(date))
    with console.work(f"running {job.name}", job.compute.threads, resumable=True) as progress:
        context = JobContext.at(workspace or job.workspace, progress, None, job.reading, job.strict, job.engine)
        if check:
            check_job(context, job)
        else:
            result = run_job(context, job, force=force, resume=resume)
    if check:
        console.result(_facts(job) | {"valid": True}, lambda: _show_checked(job))
        return
    # Schedulers always ask to resume: that there is nothing to resume is no news.
    texts = () if result.scored is None else result.scored.warnings
    console.warn(text for text in texts if not text.startswith("nothing to resume"))
    console.result(_summary(result), lambda: _show(result))
    result.require()


def _day(text: str | None) -> datetime.date:
    try:
        return datetime.date.today() if text is None else datetime.date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--date {text}: expected a day such as 2026-11-30") from None


def _facts(job: DailyJob) -> dict[str, Any]:
    named = {"output": job.output, "metrics": job.metrics}
    written = {key: None if path is None else str(path) for key, path in named.items()}
    return {"job": job.name, "source": job.source, "model": job.model} | written


def _summary(result: DailyResult) -> dict[str, Any]:
    """Return the result of a job, JSON-ready."""
    scored = result.scored
    facts = {"repeated": scored is None, "routes": result.routes} | {"metrics": _facts(result.job)["metrics"]}
    if scored is None:
        return result.run.to_json() | facts | {"warnings": result.run.summary["warnings"]}
    return result.run.to_json() | facts | {"top": scored.top, "warnings": list(scored.warnings)}


def _show(result: DailyResult) -> None:
    if result.fitted is not None:
        typer.echo(f"saved {result.fitted.reference}, fitted on {result.fitted.source}\n")
    if result.scored is None:
        typer.echo(nothing_to_do(result.run.to_json(), result.job.source))
    else:
        show(result.scored, result.job.output)
    for entry in result.routes:
        typer.echo(f"route {entry['route']}: {entry['status']}")


def _show_checked(job: DailyJob) -> None:
    typer.echo(f"{job.path.name} is valid: score {job.source} with {job.model} at {job.threshold or SAVED}")
    typer.echo(f"workspace  {job.workspace}")
    for what, path in (("scores", job.output), ("metrics", job.metrics)):
        if path is not None:
            typer.echo(f"{what:<9}  {path}")
    for route in job.routes:
        typer.echo(f"route      {route.name}: {route.kind}, when {route.when}")


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("run")(run)
