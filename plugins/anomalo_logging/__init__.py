"""Loggers of training: the losses of every epoch as a CSV file, or for TensorBoard."""

from typing import Any

from anomalo.plugin import Model, Run, hookimpl


@hookimpl
def anomalo_training(engine: Any, model: Model, run: Run) -> None:
    """Attach the loggers that the run asks for: `run.logs` maps "csv" and "tensorboard" to folders."""
    from anomalo_logging.loggers import LOGGERS

    for kind, folder in run.logs.items():
        LOGGERS[kind](engine, run, folder)
