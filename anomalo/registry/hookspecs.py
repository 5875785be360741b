"""The hooks: what a plugin can give to anomalo, and the events that it is notified of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    import pyarrow as pa

    from anomalo.encoding.encoder import Encoder
    from anomalo.models.base import Model, Run
    from anomalo.registry.engine import Engine
    from anomalo.tabular.read_options import ReadOptions
    from anomalo.tabular.writing.destination import Destination

hookspec = pluggy.HookspecMarker("anomalo")
hookimpl = pluggy.HookimplMarker("anomalo")


@hookspec
def anomalo_models() -> Iterable[type[Model]]:  # type: ignore[empty-body]
    """Give models.

    Returns
    -------
    iterable of type of Model
        Model classes, each with a `name` that no other model has. The hook is called before any model is
        used: import heavy libraries inside the models, not beside the hook.
    """


@hookspec
def anomalo_encoders() -> Iterable[type[Encoder]]:  # type: ignore[empty-body]
    """Give encoders.

    Returns
    -------
    iterable of type of Encoder
        Encoder classes; there is one for each modality.
    """


@hookspec(firstresult=True)
def anomalo_read(source: str, options: ReadOptions) -> Iterator[pa.RecordBatch] | None:
    """Read a table.

    Readers are called one after the other, first-party ones first, then by the plugin's name. The first one that
    yields a batch is the reader of this source.

    Parameters
    ----------
    source : str
        What the user gave: a path, a URL, or anything else that a reader knows.
    options : ReadOptions
        What the user decided: `encoding`, `header` and `sheet`, None where the reader shall notice it. An
        implementation that has no use for them may take `source` only.

    Returns
    -------
    iterator of pyarrow.RecordBatch, or None
        The table's batches, all of one schema; None (or an iterator without batches) for a source that this
        plugin does not read.

    Raises
    ------
    SourceError
        The source is this plugin's to read, but cannot be read. No other reader is called. Any other
        exception counts as a failure of the plugin, and the next reader is called.
    """


@hookspec(firstresult=True)
def anomalo_output(target: str) -> Destination | None:
    """Write a table where it is not one file.

    Called for what the user gave as an output, if it is a URL or ends with a slash; readers' order.

    Parameters
    ----------
    target : str
        The output, perhaps with a password, which no message may show.

    Returns
    -------
    Destination or None
        An object with `check()`, which raises before a long job if nothing can be written, and `writer(like)`, a
        context manager whose `write(batch)` takes the rows: they appear whole at the end of its block, or not at all.
        None for a target that this plugin does not write.

    Raises
    ------
    OutputError, UsageError
        The target is this plugin's to write, but cannot be written.
    """


@hookspec
def anomalo_training(engine: Any, model: Model, run: Run) -> None:
    """React to a model that is about to be trained by an Ignite engine; attach handlers to it here.

    Parameters
    ----------
    engine : ignite.engine.Engine
        The trainer. `engine.state.metrics` holds the running loss.
    model : Model
        The model that is being fitted.
    run : Run
        Seed, device and history of this fit.
    """


@hookspec
def anomalo_run_saved(store: Any, run_id: str) -> None:
    """React to a run whose results are complete in the workspace: send alerts, export rows.

    Parameters
    ----------
    store : anomalo.workspace.workspace.Workspace
        The workspace.
    run_id : str
        The run that was saved.
    """


@hookspec
def anomalo_pages() -> Iterable[Path]:  # type: ignore[empty-body]
    """Give pages to the dashboard.

    Returns
    -------
    iterable of Path
        Streamlit scripts: existing files whose names end in `.py`. A page is run when a user opens it, not before.
    """


@hookspec
def anomalo_engines() -> Iterable[type[Engine]]:  # type: ignore[empty-body]
    """Give engines: where the parts of a job are computed.

    Returns
    -------
    iterable of type of Engine
        Engine classes, each with a `name` that no other engine has, by which `--engine` finds it. Import the library
        of a cluster in the constructor or in `map`, not beside the hook.
    """
