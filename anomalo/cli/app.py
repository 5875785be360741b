"""The `anomalo` command: its verbs, those that plugins add, and how it ends."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from io import TextIOWrapper
from types import FrameType
from typing import Any, NoReturn, cast

import typer
from typer.core import TyperGroup

from anomalo.cli import apply, augment, clean, daily, demo, embed, evaluate, fit, impute, pretrain, repair, scan, score
from anomalo.cli.describing import compare, plan, schema
from anomalo.cli.keeping import catalogue, feedback, remove, tag, transfer, version
from anomalo.cli.terminal.console import fail
from anomalo.cli.terminal.processes import with_others
from anomalo.errors import AnomaloError, InterruptedJobError
from anomalo.models.guard import INTERRUPTION, Origin, deepest_line, failure

GROUP = "anomalo.commands"
INTERRUPTED = 130


def _extra() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


class Verbs(TyperGroup):
    """The verbs of anomalo and of plugins; a plugin's code is imported only when its verb is called."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all verbs."""
        known = super().list_commands(ctx)
        return [*known, *sorted(set(_extra()) - set(known))]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a verb; a plugin's is a Typer app or a function, loaded if it is the one called."""
        known = super().get_command(ctx, cmd_name)
        entry = _extra().get(cmd_name)
        if known is not None or entry is None:
            return known
        called = cmd_name in sys.argv[1:2]
        return _load(entry) if called or _ours(entry) else _placeholder(entry)


def _ours(entry: EntryPoint) -> bool:
    return entry.dist is not None and entry.dist.name == "anomalo-engine"


def _load(entry: EntryPoint) -> Any:
    try:
        loaded = entry.load()
    except (Exception, SystemExit) as error:
        raise AnomaloError(_failed_verb(entry, error)) from error
    return typer.main.get_command(loaded if isinstance(loaded, typer.Typer) else _app(entry.name, loaded))


def _failed_verb(entry: EntryPoint, error: BaseException) -> str:
    version = ("", "") if entry.dist is None else (entry.dist.name, entry.dist.version)
    origin = Origin(entry.module.partition(".")[0], *version)
    return failure(f"verb {entry.name!r} of {origin}", entry.value, error, deepest_line(error, entry.module))


def _placeholder(entry: EntryPoint) -> Any:
    def verb() -> None:
        """Stand for a plugin's verb in the help."""

    verb.__doc__ = f"Verb of the plugin {entry.value.partition(':')[0]}."
    return typer.main.get_command(_app(entry.name, verb))


def _app(name: str, function: Callable[..., Any]) -> typer.Typer:
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(name)(function)
    return app


app = typer.Typer(
    cls=Verbs,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Find anomalous rows in a table, explain them cell by cell, and impute missing values.",
)
VERBS = (
    demo,
    schema,
    compare,
    plan,
    clean,
    fit,
    pretrain,
    scan,
    score,
    impute,
    repair,
    apply,
    augment,
    evaluate,
    embed,
    daily,
)
for verbs in (*VERBS, catalogue, tag, version, feedback, transfer, remove):
    verbs.register(app)


@app.callback(invoke_without_command=True)
def options(version: bool = typer.Option(False, "--version", help="Print the version and stop.")) -> None:
    """Find anomalous rows in a table, explain them cell by cell, and impute missing values."""
    if version:
        from anomalo.version import __version__

        typer.echo(f"anomalo {__version__}")
        raise typer.Exit


def main() -> NoReturn:
    """Run the command line and exit with the documented code."""
    take_signals()
    for stream in (sys.stdout, sys.stderr):
        # Characters that a terminal cannot show are escaped.
        cast("TextIOWrapper", stream).reconfigure(errors="backslashreplace")
    try:
        code = with_others(_run)
    except AnomaloError as error:
        code = _end(error)
    sys.exit(code)


def take_signals() -> None:
    """End the command on Ctrl-C and SIGTERM, whatever a plugin makes of the interruption."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        INTERRUPTION.asked = True
        raise KeyboardInterrupt

    def again(unraisable: sys.UnraisableHookArgs) -> None:
        """Interrupt once more where the interpreter has ignored it, as in a callback of an import."""
        if unraisable.exc_type is KeyboardInterrupt:
            threading.Timer(0.01, os.kill, (os.getpid(), signal.SIGINT)).start()
        else:
            sys.__unraisablehook__(unraisable)

    sys.unraisablehook = again
    INTERRUPTION.handled = True
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as a shell does for jobs in the background
            signal.signal(number, interrupt)


@cache
def _command() -> Any:
    """Return the command of all verbs; to make it takes longer than a verb that refuses what it is given."""
    return typer.main.get_command(app)


def _run() -> int:
    try:
        code = _command()(prog_name="anomalo", standalone_mode=False)
        if code != INTERRUPTED:
            sys.stdout.flush()
            return code if isinstance(code, int) else 0
        error: BaseException = KeyboardInterrupt()
    except (Exception, KeyboardInterrupt) as raised:
        error = raised
    return _end(error)


def _end(error: BaseException) -> int:
    """Print an error in one line (with the traceback if --debug), and return the exit code."""
    if "--debug" in sys.argv:
        traceback.print_exception(error)
    if isinstance(error, OSError) and not isinstance(error, AnomaloError):
        _forget_output()
    if isinstance(error, BrokenPipeError):
        return 0
    if isinstance(error, typer.TyperException):
        return _usage(error)
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        error = InterruptedJobError("interrupted; no partial output was left, run the command again")
    if isinstance(error, AnomaloError):
        fail(str(error))
        return error.exit_code
    if isinstance(error, OSError | MemoryError):
        fail(str(error) or "out of memory; give a smaller table")
        return 1
    entry = _extra().get(next(iter(sys.argv[1:]), ""))
    if entry is not None and not _ours(entry):
        fail(_failed_verb(entry, error))
        return 1
    fail(f"this is a bug in anomalo: {type(error).__name__}: {error}; run with --debug and report it")
    return 1


def _forget_output() -> None:
    """Keep Python from printing an error at its end if the rest of stdout cannot be written."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _usage(error: Any) -> int:
    context = getattr(error, "ctx", None)
    if not sys.argv[1:]:
        typer.echo(error.format_message())
        return 2
    hint = f"; see `{context.command_path} --help`" if context is not None else ""
    fail(error.format_message().rstrip(".") + hint)
    return int(getattr(error, "exit_code", 2))
