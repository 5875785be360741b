"""`anomalo models`, `anomalo runs` and `anomalo plugins`: list what can be used and what was done."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anomalo.cli.keeping.tag import show_history
from anomalo.cli.terminal.console import WORKSPACE, Console, DebugOption, JsonOption, LogJsonOption, WorkspaceOption
from anomalo.cli.terminal.printing import minute, nearby, table
from anomalo.errors import UsageError
from anomalo.tabular.quantities import expected_error, percent, unit_of

if TYPE_CHECKING:
    from anomalo.models.base import Model
    from anomalo.registry.registry import PluginInfo, Registry
    from anomalo.workspace.workspace import ModelRecord, Workspace

ERRORS = ("error", "baseline")


def models(
    reference: Annotated[
        str | None, typer.Argument(metavar="ID", help="A saved model, or the name of one that can be fitted.")
    ] = None,
    workspace: WorkspaceOption = WORKSPACE,
    as_json: JsonOption = False,
    log_json: LogJsonOption = False,
    debug: DebugOption = False,
) -> None:
    """List the models to fit and the saved models, or show one."""
    from anomalo.registry.registry import Registry
    from anomalo.workspace.workspace import Workspace

    console, store = Console(as_json, log_json), Workspace(workspace)
    saved = {record.name for record in store.models()}
    if reference is not None and reference.partition("@")[0] in saved:
        _one(console, store, reference)
        return
    with console.work("loading"):
        registry = Registry.load()
        failures = registry.failures
    console.warn(f"plugin {failure.plugin!r}: {failure.reason}" for failure in failures)
    kinds = [_kind(registry, name, model) for name, models in registry.models.items() for model in models]
    named = [kind for kind in kinds if kind["name"] == reference]
    if reference is None:
        facts = [{name: value for name, value in kind.items() if name != "description"} for kind in kinds]
        console.result(facts, lambda: _show_models(kinds, store))
    elif named:
        console.result(named[0] if len(named) == 1 else named, lambda: _show_kinds(named))
    else:
        _one(console, store, reference)


def _one(console: Console, store: Workspace, reference: str) -> None:
    """Show a version in full, or, where a name without a version has several, all of them side by side."""
    if "@" in reference:
        one = store.model(reference).to_json()
        console.result(one, lambda: _show(_with_texts(one), "reference"))
        return
    versions, moves = store.models(reference) or [store.model(reference)], store.tag_moves(reference)
    found = [*versions[-1:], *(one for one in versions if not one.retired)][-1]
    record = found.to_json()
    facts = {"versions": [_version(one) for one in versions], "moves": [vars(move) for move in moves]}

    def show() -> None:
        if len(versions) == 1:
            _show(_with_texts(record), "reference")
        else:
            _show_versions(facts["versions"])
            if moves:
                typer.echo("\nmoves of tags:")
                show_history(reference, moves)
            typer.echo(f"\none version in full: anomalo models {found.reference}")

    console.result(record | facts, show)


def _version(record: ModelRecord) -> dict[str, Any]:
    """Return what distinguishes versions of one model apart."""
    lineage = record.summary.get("lineage", {})
    return {
        "version": record.version,
        "tags": list(record.tags),
        "created": record.created,
        "who": lineage.get("who"),
        "model": record.model,
        "rows": record.rows,
        "metrics": lineage.get("metrics", {}),
        "threshold": record.threshold or None,
        "retired": record.retired or None,
        "source": record.source,
    }


def _show_versions(versions: list[dict[str, Any]]) -> None:
    metrics = list(dict.fromkeys(name for version in versions for name in version["metrics"]))
    decided = [name for name in ("threshold", "retired") if any(version[name] for version in versions)]
    table(
        ("version", "tags", *decided, "created", "who", "model", "rows", *metrics, "source"),
        [
            (
                version["version"],
                ", ".join(version["tags"]),
                *(_decided(name, version[name]) for name in decided),
                minute(version["created"]),
                version["who"] or "",
                version["model"],
                f"{version['rows']:,}",
                *(_plain(version["metrics"].get(name)) for name in metrics),
                nearby(version["source"]),
            )
            for version in versions
        ],
        right=("version", "rows", *metrics),
    )


def _decided(name: str, value: str | None) -> str:
    return minute(value) if name == "retired" and value else value or ""


def _with_texts(record: dict[str, Any]) -> dict[str, Any]:
    """Return a model's record with the errors of its columns as texts, in the columns' units."""
    summary = dict(record["summary"])
    kinds, units = summary.get("kinds", {}), summary.pop("units", {})

    def text(name: str, entry: Mapping[str, Any]) -> str:
        unit = unit_of(units.get(name))
        error, baseline = (expected_error(entry[which], kinds.get(name, entry["kind"]), unit) for which in ERRORS)
        missing = f"; {percent(entry['missing'])} missing" if entry["missing"] else ""
        return f"{error}, of the mean or mode {baseline}{missing}"

    if summary.get("errors"):
        summary["errors"] = {f"{name}:": text(name, entry) for name, entry in summary["errors"].items()}
    return {**record, "summary": summary}


def _description(model: type[Model]) -> str:
    """Return the first paragraph of a model's documentation, on one line; empty if it has none."""
    found = inspect.getdoc(model) or ""
    written = not found.startswith(f"{model.__name__}(")  # what `dataclass` writes where there is none
    return " ".join(found.split("\n\n")[0].split()) if written else ""


def _kind(registry: Registry, name: str, model: type[Model]) -> dict[str, Any]:
    from anomalo.models.capabilities import verbs_of

    return {
        "name": name,
        "plugin": registry.plugin_of(name, model.modalities[0]),
        "modalities": list(model.modalities),
        "verbs": list(verbs_of(model)),
        "description": _description(model),
        "parameters": [dataclasses.asdict(parameter) for parameter in model.parameters()],
    }


def _show_models(kinds: list[dict[str, Any]], store: Workspace) -> None:
    table(
        ("model", "plugin", "for", "verbs", "parameters"),
        [
            (
                kind["name"],
                kind["plugin"],
                ", ".join(kind["modalities"]),
                ", ".join(kind["verbs"]),
                ", ".join(p["name"] for p in kind["parameters"]),
            )
            for kind in kinds
        ],
    )
    typer.echo("\nThe parameters of a model: anomalo models NAME")
    saved = [record.to_json() for record in store.models()]
    if not saved:
        typer.echo("No model is saved yet; fit one: anomalo fit SOURCE --model NAME --as ID")
        return
    typer.echo("\nSaved models:")
    retired = ("retired",) if any(record["retired"] for record in saved) else ()
    columns = ("reference", *retired, "model", "rows", "columns", "created", "source")
    table(columns, [_row(record, columns) for record in saved], right=("rows", "columns"))


def _show_kinds(kinds: list[dict[str, Any]]) -> None:
    for kind in kinds:
        _show_kind(kind)


def _show_kind(kind: dict[str, Any]) -> None:
    rows = " and ".join(kind["modalities"])
    typer.echo(f"{kind['name']}, of plugin {kind['plugin']}; for modality {rows}; verbs: {', '.join(kind['verbs'])}")
    if kind["description"]:
        typer.echo(kind["description"])
    if kind["parameters"]:
        typer.echo("")
        table(
            ("parameter", "default", "range", "meaning"),
            [(p["name"], _plain(p["default"]), _range(p), p["help"]) for p in kind["parameters"]],
        )
    label = " --label COL --supervised" if "proba" in kind["verbs"] else ""
    typer.echo(f"\nFit it: anomalo fit SOURCE --model {kind['name']}{label} --as ID [--set PARAMETER=VALUE]...")


def _range(parameter: dict[str, Any]) -> str:
    low, high = parameter["low"], parameter["high"]
    if parameter["choices"]:
        return _plain(parameter["choices"])
    if low is None and high is None:
        return "any"
    if low is None or high is None:
        return f"at most {_plain(high)}" if low is None else f"at least {_plain(low)}"
    return f"{_plain(low)} to {_plain(high)}"


def _row(record: Mapping[str, Any], columns: tuple[str, ...]) -> list[str]:
    created, source = minute(record["created"]), nearby(record["source"])
    shown = {**record, "seconds": f"{record['seconds']:.1f}", "created": created, "source": source}
    shown["retired"] = "yes" if record.get("retired") else ""
    return [_plain(shown[column]) for column in columns]


def _plain(value: Any) -> str:
    """Format a fact for people: no brackets, no quotes, few digits."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_plain, value))
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else str(value)


def _show(record: dict[str, Any], title: str) -> None:
    facts = {key: value for key, value in record.items() if key not in (title, "summary")} | record["summary"]
    table((title, record[title]), list(_facts(facts)))


def _facts(facts: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in facts.items():
        if value in (None, "", [], {}):
            continue
        if isinstance(value, Mapping):
            yield key, [f"{name}{':' * isinstance(item, Mapping)} {_plain(item)}" for name, item in value.items()]
        elif isinstance(value, list) and any(" " in str(item) for item in value):
            yield key, value  # sentences
        else:
            yield key, _plain(value)


def runs(
    identity: Annotated[
        str | None,
        typer.Argument(
            metavar="ID", help="A run, such as 0007-score; with --trend a saved model, whose runs are shown."
        ),
    ] = None,
    over_time: Annotated[
        bool, typer.Option("--trend", help="Show the alert rate, drift and missing rate of scorings over time.")
    ] = False,
    activity: Annotated[
        int | None, typer.Option("--activity", metavar="N", min=1, help="Show who did what: the last N changes.")
    ] = None,
    workspace: WorkspaceOption = WORKSPACE,
    as_json: JsonOption = False,
    log_json: LogJsonOption = False,
    debug: DebugOption = False,
) -> None:
    """List the runs of the workspace, or show one."""
    from anomalo.workspace.workspace import Workspace

    console, store = Console(as_json, log_json), Workspace(workspace)
    if activity is not None:
        if identity is not None or over_time:
            raise UsageError("--activity shows the whole workspace; give neither ID nor --trend with it")
        changes = [change.to_json() for change in store.activity(activity)]
        console.result({"activity": changes}, lambda: _show_activity(changes))
        return
    if over_time:
        from anomalo.cli.keeping.trend import show_trend
        from anomalo.jobs.comparing.trend import trend

        points = trend(store, identity)
        console.result({"trend": [point.to_json() for point in points]}, lambda: show_trend(points))
        return
    if identity is not None:
        record = store.run(identity).to_json()
        console.result(record, lambda: _show(_with_note(record, store), "id"))
        return
    found = [run.to_json() for run in store.runs()]
    console.result({"runs": found}, lambda: _show_runs(found))


def _with_note(record: dict[str, Any], store: Workspace) -> dict[str, Any]:
    """Return a run's record, with a note if its model was removed."""
    reference = record["model"]
    gone = reference is not None and reference not in {model.reference for model in store.models()}
    return record | ({"model": f"{reference} (removed)"} if gone else {})


def _show_runs(found: list[dict[str, Any]]) -> None:
    if not found:
        typer.echo("No runs yet; score a table: anomalo score SOURCE --with ID -o OUT")
        return
    columns = ("id", "model", "seconds", "created", "source")
    table(columns, [_row(run, columns) for run in found], right=("seconds",))


def _show_activity(changes: list[dict[str, Any]]) -> None:
    if not changes:
        typer.echo("Nothing was recorded yet")
        return
    columns = ("created", "who", "action", "subject", "details")
    table(columns, [[minute(change["created"]), *(change[name] for name in columns[1:])] for change in changes])


def plugins(
    no_import: Annotated[bool, typer.Option("--no-import", help="List without running the plugins' code.")] = False,
    as_json: JsonOption = False,
    log_json: LogJsonOption = False,
    debug: DebugOption = False,
) -> None:
    """List the installed plugins, and why any of them failed."""
    from anomalo.registry.registry import Registry

    console = Console(as_json, log_json)
    with console.work("loading"):
        registry = None if no_import else Registry.load()
        found = Registry.listing() if registry is None else registry.plugins()
    console.result({"plugins": [_facts_of(info, registry) for info in found]}, lambda: _show_plugins(found))


def _facts_of(info: PluginInfo, registry: Registry | None) -> dict[str, Any]:
    failures = [{"phase": failure.phase, "reason": failure.reason} for failure in info.failures]
    described = {} if registry is None else _descriptions(info, registry)
    return dataclasses.asdict(info) | {
        "pages": list(map(str, info.pages)),
        "failures": failures,
        "descriptions": described,
    }


def _descriptions(info: PluginInfo, registry: Registry) -> dict[str, str]:
    """Return what a plugin's models are, by name; of several modalities that of the first, and not another plugin's."""
    return {
        name: _description(model)
        for name in info.models
        for model in reversed(registry.models.get(name, ()))
        if registry.plugin_of(name, model.modalities[0]) == info.name
    }


def _show_plugins(found: list[PluginInfo]) -> None:
    table(
        ("plugin", "distribution", "status", "gives"),
        [(p.name, f"{p.distribution} {p.version}", p.status, _gives(p)) for p in found],
    )
    troubled = [info for info in found if info.reason]
    if troubled:
        typer.echo("")
    for info in troubled:
        typer.echo(f"{info.name}: {info.reason}")


def _gives(info: PluginInfo) -> str:
    return ", ".join([*info.models, *(f"engine {name}" for name in info.engines)])


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command("models")(models)
    app.command("runs")(runs)
    app.command("plugins")(plugins)
