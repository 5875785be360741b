"""`anomalo models`, `anomalo runs` and `anomalo plugins`: what there is."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anomalo.cli.console import (
    WORKSPACE,
    Console,
    DebugOption,
    JsonOption,
    LogJsonOption,
    WorkspaceOption,
    table,
)

if TYPE_CHECKING:
    from anomalo.registry import PluginInfo, Registry


def models(
    reference: Annotated[str | None, typer.Argument(metavar="[ID]", help="A saved model.")] = None,
    workspace: WorkspaceOption = WORKSPACE,
    as_json: JsonOption = False,
    log_json: LogJsonOption = False,
    debug: DebugOption = False,
) -> None:
    """List the models that can be fitted and those that are saved, or show one saved model."""
    from anomalo.registry import Registry
    from anomalo.store import Store

    console, store = Console(as_json, log_json), Store(workspace)
    if reference is not None:
        record = store.model(reference).to_json()
        console.result(record, lambda: _show_record(record))
        return
    registry = Registry.load()
    console.warn(f"plugin {failure.plugin!r}: {failure.reason}" for failure in registry.failures)
    console.result(_kinds(registry), lambda: _show_models(registry, [m.to_json() for m in store.models()]))


def _kinds(registry: Registry) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "plugin": registry.plugin_of(name),
            "verbs": list(model.verbs()),
            "parameters": [dataclasses.asdict(parameter) for parameter in model.parameters()],
        }
        for name, model in registry.models.items()
    ]


def _show_models(registry: Registry, saved: list[dict[str, Any]]) -> None:
    table(
        ("model", "plugin", "can", "parameters"),
        [
            (
                kind["name"],
                kind["plugin"],
                ", ".join(kind["verbs"]),
                ", ".join(f"{p['name']}={_value(p['default'])}" for p in kind["parameters"]),
            )
            for kind in _kinds(registry)
        ],
    )
    if saved:
        typer.echo("\nsaved:")
        columns = ("reference", "model", "rows", "columns", "created", "source")
        table(columns, [[record[column] for column in columns] for record in saved], right=("rows", "columns"))
    else:
        typer.echo("\nnothing saved yet; fit one: anomalo fit SOURCE --model NAME --as ID")


def _value(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _show_record(record: dict[str, Any]) -> None:
    table(("", record["reference"]), [(key, value) for key, value in record.items() if key != "reference"])


def runs(
    identity: Annotated[str | None, typer.Argument(metavar="[ID]", help="A run, such as 0007-score.")] = None,
    workspace: WorkspaceOption = WORKSPACE,
    as_json: JsonOption = False,
    log_json: LogJsonOption = False,
    debug: DebugOption = False,
) -> None:
    """List the runs, or show one."""
    from anomalo.store import Store

    console, store = Console(as_json, log_json), Store(workspace)
    if identity is not None:
        record = store.run(identity).to_json()
        console.result(record, lambda: table(("", record["id"]), list(record.items())[1:]))
        return
    found = [run.to_json() for run in store.runs()]
    console.result({"runs": found}, lambda: _show_runs(found))


def _show_runs(found: list[dict[str, Any]]) -> None:
    if not found:
        typer.echo("no runs yet; score a table: anomalo score SOURCE --with ID -o OUT")
        return
    columns = ("id", "model", "status", "seconds", "created", "source")
    rows = [[f"{run[c]:.1f}" if c == "seconds" else run[c] for c in columns] for run in found]
    table(columns, rows, right=("seconds",))


def plugins(
    no_import: Annotated[bool, typer.Option("--no-import", help="List without running the plugins' code.")] = False,
    as_json: JsonOption = False,
    log_json: LogJsonOption = False,
    debug: DebugOption = False,
) -> None:
    """List the installed plugins, those that failed and why."""
    from anomalo.registry import Registry

    found = Registry.listing() if no_import else Registry.load().plugins()
    Console(as_json, log_json).result(
        {"plugins": [dataclasses.asdict(info) for info in found]}, lambda: _show_plugins(found)
    )


def _show_plugins(found: list[PluginInfo]) -> None:
    table(
        ("plugin", "distribution", "status", "models", "reason"),
        [
            (info.name, f"{info.distribution} {info.version}", info.status, ", ".join(info.models), info.reason)
            for info in found
        ],
    )


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command("models")(models)
    app.command("runs")(runs)
    app.command("plugins")(plugins)
