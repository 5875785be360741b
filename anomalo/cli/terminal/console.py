"""What all verbs share: common options, and how results, warnings and progress are printed."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anomalo.cli.terminal import progress
from anomalo.cli.terminal.progress import Update
from anomalo.errors import InterruptedJobError, without_passwords
from anomalo.tabular.quantities import duration

if TYPE_CHECKING:
    from anomalo.models.results import Plan
    from anomalo.registry.engine import EngineChoice
    from anomalo.tabular.read_options import ReadOptions
    from anomalo.tabular.writing.destination import Output

WorkspaceOption = Annotated[
    Path,
    typer.Option(
        "--workspace", metavar="DIR", envvar="ANOMALO_WORKSPACE", help="Folder with the saved models and runs."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, and nothing else.")]
LogJsonOption = Annotated[
    bool, typer.Option("--log-json", help="Log warnings, errors and progress as JSON lines on stderr.")
]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
DeviceOption = Annotated[
    str, typer.Option("--device", metavar="NAME", help="Where to compute: auto, cpu, cuda, cuda:N or mps.")
]
ThreadsOption = Annotated[
    int | None, typer.Option("--threads", metavar="N", min=1, help="The most threads that numerical libraries use.")
]
EngineOption = Annotated[
    str,
    typer.Option("--engine", metavar="NAME", help="Where parts of the table are computed: local, ray or a plugin's."),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        "--workers", metavar="N", min=1, help="Parts computed at the same time; local: 1 by default, ray: all CPUs."
    ),
]
AddressOption = Annotated[
    str | None, typer.Option("--address", metavar="HOST:PORT", help="Where the cluster of --engine is.")
]
WithOption = Annotated[
    str, typer.Option("--with", metavar="ID", help="The saved model: ID (its latest version), ID@VERSION or ID@TAG.")
]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Resume an interrupted run of the same command.")]
SafeCsvOption = Annotated[
    bool,
    typer.Option(
        "--safe-csv",
        help="In a CSV file, begin text that a spreadsheet would take for a formula with an apostrophe.",
    ),
]
StrictOption = Annotated[
    bool,
    typer.Option("--strict", help="Stop at the first cell that is not of its column's kind, rather than score it so."),
]
SourceArgument = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="A table: a file, a folder or pattern of files, a URL, or URL::table of a database; - for stdin.",
    ),
]
EncodingOption = Annotated[
    str | None,
    typer.Option("--encoding", metavar="NAME", help="The encoding of a text file, where it is not recognised."),
]
HeaderOption = Annotated[
    str | None,
    typer.Option("--header", metavar="none|N", help="The line with the column names, from 1, or none."),
]
SheetOption = Annotated[
    str | None,
    typer.Option("--sheet", metavar="NAME|N", help="The sheet of a workbook, by name or number; default: the first."),
]
ImagesOption = Annotated[
    str | None,
    typer.Option("--images", metavar="COL", help="The rows are images, whose files this column of a table names."),
]
MasksOption = Annotated[
    str | None,
    typer.Option("--masks", metavar="FOLDER", help="Where the masks of images are, if not beside them."),
]

WORKSPACE = Path("anomalo-workspace")
ONE_THREAD = 1
"""Of verbs that fit the default model or apply a saved one: more threads take more processor time, and hardly less of
the clock's. More workers do."""


@dataclass(frozen=True)
class Console:
    """Prints results on stdout, everything else on stderr.

    Parameters
    ----------
    as_json : bool
        Results are one JSON object.
    log_json : bool
        Warnings, errors and progress are JSON lines.
    """

    as_json: bool = False
    log_json: bool = False

    def result(self, value: Any, show: Callable[[], None]) -> None:
        """Print `value` as JSON, or call `show` to print it for people."""
        if self.as_json:
            # Escapes can be printed in any terminal's encoding.
            typer.echo(json.dumps(value, ensure_ascii=sys.stdout.encoding != "utf-8"))
        else:
            show()

    def warn(self, texts: Iterable[str]) -> None:
        """Print warnings."""
        for text in texts:
            _log("warning", text, self.log_json)

    def plan(self, plan: Plan) -> None:
        """Print what a fit is going to do, on a terminal or in a log."""
        if self.log_json or sys.stderr.isatty():
            known = f"; about {duration(plan.seconds)}" if plan.seconds else ""
            _log("plan", plan.text + known, self.log_json)

    @contextmanager
    def work(self, title: str, threads: int | None = None, *, resumable: bool = False) -> Iterator[Update]:
        """Run a job inside: what plugins print goes to stderr, and progress is shown.

        Parameters
        ----------
        title : str
            The title of the progress bar, such as "scoring".
        threads : int, optional
            The most threads that the numerical libraries may use.
        resumable : bool
            Whether the verb has --resume.

        Raises
        ------
        InterruptedJobError
            A resumable job was interrupted.
        """
        try:
            with redirect_stdout(sys.stderr), self._failures(), _limited(threads), self._progress(title) as update:
                yield update
        except KeyboardInterrupt:
            if not resumable:
                raise
            raise InterruptedJobError(
                "interrupted; no partial output was left, run the command again with --resume to continue"
            ) from None

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """Print failures of plugins as warnings; all of them, with their tracebacks, if --debug."""
        logger, handler, debug = logging.getLogger("anomalo"), _Warnings(self), "--debug" in sys.argv
        before = logger.level
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG if debug else before)
        try:
            yield
        finally:
            logger.removeHandler(handler)
            logger.setLevel(before)

    def _progress(self, title: str) -> AbstractContextManager[Update]:
        if self.log_json:
            return progress.lines()
        return progress.bar(title) if sys.stderr.isatty() else progress.silence()


class _Warnings(logging.Handler):
    """Prints what is logged as warnings, and with --debug the traceback of the error that it is about."""

    def __init__(self, console: Console) -> None:
        super().__init__(logging.DEBUG if "--debug" in sys.argv else logging.WARNING)
        self.console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Print one line, and the traceback before it, as `anomalo` does for errors."""
        error = getattr(record, "error", None)
        if error is not None and "--debug" in sys.argv:
            traceback.print_exception(error)
        self.console.warn([record.getMessage()])


def named_output(text: str | None, safe_csv: bool) -> Output | None:
    """Return the output that -o names; None if there is none.

    Raises
    ------
    UsageError
        It is not one file of this machine, and should be safe for a spreadsheet.
    """
    from anomalo.errors import UsageError
    from anomalo.tabular.writing.destination import Address, output_of

    found = None if text is None else output_of(text)
    if safe_csv and isinstance(found, Address):
        raise UsageError(f"--safe-csv is for a file of this machine, not for {found}; write it here, and copy it there")
    return found


def read_options(
    encoding: str | None,
    header: str | None,
    sheet: str | None,
    images: str | None = None,
    masks: str | None = None,
) -> ReadOptions:
    """Return how the source is to be read.

    Raises
    ------
    UsageError
        An option has an unexpected value.
    """
    from anomalo.tabular.read_options import ReadOptions

    return ReadOptions(encoding, header, sheet, images, masks)


def engine_choice(name: str, workers: int | None, address: str | None, threads: int) -> EngineChoice:
    """Return where the parts of a job are computed, and how many threads each worker uses.

    Raises
    ------
    UsageError
        There is an address for the local engine.
    """
    from anomalo.registry.engine import EngineChoice

    return EngineChoice(name, workers, address, threads)


def _limited(threads: int | None) -> AbstractContextManager[None]:
    if threads is None:  # then no module of jobs needs to be imported, as for listing plugins
        return nullcontext()
    from anomalo.jobs.context import limited

    return limited(threads)


def fail(text: str) -> None:
    """Print an error on stderr, as a JSON line if asked for."""
    _log("error", text, "--log-json" in sys.argv)


def _log(level: str, text: str, as_json: bool) -> None:
    text = without_passwords(text)
    line = json.dumps({"level": level, "message": text}) if as_json else f"{level}: {text}"
    typer.echo(line, err=True)
