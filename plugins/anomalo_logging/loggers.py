"""Ignite's TensorBoard logger, and one of the same kind that writes CSV."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ignite.engine import Engine, Events
from ignite.handlers import TensorboardLogger
from ignite.handlers.base_logger import BaseLogger, BaseOutputHandler

from anomalo.plugin import Run


class CsvLogger(BaseLogger):
    """Writes a run's history, one line an epoch, to a file that is complete after every epoch.

    Parameters
    ----------
    path : Path
        Replaced if it exists: after a resume it holds the whole history as well.
    run : Run
        The run whose history is written.
    """

    def __init__(self, path: Path, run: Run) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.run, self.written = path, run, 0

    def write(self) -> None:
        """Append the new entries; start with a header."""
        with self.path.open("a" if self.written else "w", newline="", encoding="utf-8") as file:
            lines = csv.DictWriter(file, list(self.run.history[0]), extrasaction="ignore", lineterminator="\n")
            if not self.written:
                lines.writeheader()
            lines.writerows(self.run.history[self.written :])
        self.written = len(self.run.history)

    def _create_output_handler(self, *args: Any, **kwargs: Any) -> HistoryHandler:
        return HistoryHandler(*args, **kwargs)

    def _create_opt_params_handler(self, *args: Any, **kwargs: Any) -> HistoryHandler:
        raise NotImplementedError("the history holds the learning rate already; attach an output handler")


class HistoryHandler(BaseOutputHandler):
    """Makes a `CsvLogger` write the new entries of the history."""

    def __call__(self, engine: Engine, logger: CsvLogger, event_name: str | Events) -> None:
        """Write the new entries."""
        logger.write()


def log_csv(engine: Engine, run: Run, folder: Path) -> None:
    """Write `<part>.csv` in a folder."""
    logger = CsvLogger(folder / f"{run.part}.csv", run)
    logger.attach_output_handler(engine, Events.EPOCH_COMPLETED, tag="history", metric_names="all")


def log_tensorboard(engine: Engine, run: Run, folder: Path) -> None:
    """Write event files to `<part>` in a folder, by Ignite's `TensorboardLogger`."""
    logger = TensorboardLogger(log_dir=str(folder / run.part))

    def epoch(engine: Engine, event: Any) -> int:
        return len(run.history)

    logger.attach_output_handler(
        engine, Events.EPOCH_COMPLETED, tag="training", metric_names="all", global_step_transform=epoch
    )
    engine.add_event_handler(Events.COMPLETED, lambda: logger.close())


LOGGERS: dict[str, Callable[[Engine, Run, Path], None]] = {"csv": log_csv, "tensorboard": log_tensorboard}
