"""The file of a daily job: source, model, threshold, gates, outputs and routes."""

from __future__ import annotations

import datetime
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anomalo.calibration.thresholds import Threshold
from anomalo.errors import AnomaloError, UsageError
from anomalo.jobs.daily.routes import Route, read_routes, to_json
from anomalo.jobs.daily.toml_table import TomlFile
from anomalo.registry.engine import EngineChoice
from anomalo.tabular.read_options import ReadOptions
from anomalo.tabular.reading.stdin import STDIN
from anomalo.tabular.schema import SchemaOptions
from anomalo.tabular.writing.destination import Address, Output, output_of

DATE = "date"
"""What a template may have: `{date}`, or `{date:%Y%m%d}` with a format of `strftime`."""


@dataclass(frozen=True)
class Top:
    """The keys at the top of the file, and its tables."""

    source: str
    with_: str
    name: str | None = None
    threshold: str | None = None
    explain: int = 1000
    strict: bool = False
    safe_csv: bool = False
    workspace: str | None = None
    reading: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    gates: dict[str, Any] = field(default_factory=dict)
    compute: dict[str, Any] = field(default_factory=dict)
    fit: dict[str, Any] | None = None
    routes: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class Reading:
    """The table `[reading]`: as the options of those names."""

    encoding: str | None = None
    header: str | int | None = None
    sheet: str | int | None = None


@dataclass(frozen=True)
class Outputs:
    """The table `[outputs]`: files to write."""

    scores: str | None = None
    metrics: str | None = None


@dataclass(frozen=True)
class Gates:
    """The table `[gates]`: when the command ends with 3."""

    fail_over: int | None = None
    fail_on_drift: bool = False


@dataclass(frozen=True)
class Compute:
    """The table `[compute]`: as the options of those names."""

    engine: str = "local"
    workers: int | None = None
    address: str | None = None
    threads: int = 1
    device: str = "auto"


@dataclass(frozen=True)
class FirstFit:
    """The table `[fit]`: how the model is fitted if there is none of its name yet; as the options of `anomalo fit`."""

    source: str
    model: str = "auto"
    schema: str | None = None
    id: str | None = None
    label: str | None = None
    drop: tuple[str, ...] = ()
    set: dict[str, Any] = field(default_factory=dict)
    seed: int = 0


@dataclass(frozen=True)
class DailyJob:
    """A daily job for one date, with the paths that it reads and writes.

    Attributes
    ----------
    path : Path
        The file.
    name : str
        The job's name; by default the file's.
    source, model : str
        The table, and the saved model to score it with.
    output, metrics : Path, Address or None
        Where the scores and the figures are written.
    workspace : Path
        The folder with models and runs.
    first : FirstFit or None
        How a first model is fitted.
    """

    path: Path
    name: str
    source: str
    model: str
    threshold: Threshold | None
    explain: int
    strict: bool
    safe_csv: bool
    workspace: Path
    output: Output | None
    metrics: Path | None
    reading: ReadOptions
    gates: Gates
    compute: Compute
    first: FirstFit | None
    routes: tuple[Route, ...]

    @property
    def engine(self) -> EngineChoice:
        """Where the parts of the table are computed."""
        found = self.compute
        return EngineChoice(found.engine, found.workers, found.address, found.threads)

    def note(self) -> dict[str, Any]:
        """Return what the run's summary says of the job, for routes."""
        gates = {"fail_over": self.gates.fail_over, "fail_on_drift": self.gates.fail_on_drift}
        facts = {"name": self.name, "folder": str(self.path.parent), "gates": gates}
        return facts | {"routes": [to_json(route) for route in self.routes]}


def read_job(path: Path, date: datetime.date) -> DailyJob:
    """Read the file of a daily job.

    Parameters
    ----------
    date : date
        What `{date}` stands for.

    Raises
    ------
    SourceError
        It cannot be read.
    UsageError
        It is not TOML, or something in it cannot be; the message names the line and the key.
    """
    file = TomlFile(path)
    top = file.read(Top, file.value)
    reading, outputs = file.read(Reading, top.reading, "reading"), file.read(Outputs, top.outputs, "outputs")
    first = None if top.fit is None else file.read(FirstFit, top.fit, "fit")
    folder = path.resolve().parent
    if top.source == STDIN:
        raise file.error("", "source", "source is '-', but a job is run again and again; give a file or a URL")
    if top.safe_csv and outputs.scores is not None and isinstance(output_of(outputs.scores), Address):
        raise file.error("", "safe_csv", f"safe_csv is for a file of this machine, not for {outputs.scores}")
    if top.explain < 0:
        raise file.error("", "explain", f"explain is {top.explain}; expected a whole number from 0")
    scores = _filled(file, "outputs", outputs.scores, "scores", date)
    metrics = _filled(file, "outputs", outputs.metrics, "metrics", date)
    return DailyJob(
        path=path.resolve(),
        name=top.name or path.stem,
        source=_beside(folder, _filled(file, "", top.source, "source", date) or ""),
        model=top.with_,
        threshold=_threshold(file, top.threshold),
        explain=top.explain,
        strict=top.strict,
        safe_csv=top.safe_csv,
        workspace=folder / (top.workspace or "anomalo-workspace"),
        output=None if scores is None else output_of(_beside(folder, scores)),
        metrics=None if metrics is None else folder / metrics,
        reading=_reading(file, reading),
        gates=file.read(Gates, top.gates, "gates"),
        compute=file.read(Compute, top.compute, "compute"),
        first=None if first is None else _resolved(file, folder, first, date),
        routes=read_routes(file, top.routes),
    )


def schema_options(first: FirstFit) -> SchemaOptions:
    """Return the schema options of a first fit.

    Raises
    ------
    SourceError, UsageError
        The schema file cannot be read.
    """
    options = SchemaOptions(drop=first.drop, id=first.id, label=first.label)
    return options if first.schema is None else options.merged(SchemaOptions.from_toml(Path(first.schema)))


def _filled(file: TomlFile, where: str, text: str | None, key: str, date: datetime.date) -> str | None:
    """Return a text with the date where it has `{date}`."""
    if text is None:
        return None
    try:
        fields = [name for _, name, _, _ in string.Formatter().parse(text) if name is not None]
        if all(name == DATE for name in fields):
            return text.format(date=date)
        wrong = f"{{{next(name for name in fields if name != DATE)}}}"
    except (ValueError, IndexError, KeyError) as error:
        wrong = str(error)
    raise file.error(
        where, key, f"{key} has {wrong}; expected {{date}} or {{date:%Y%m%d}}, and double brackets for others: {{{{"
    )


def _beside(folder: Path, text: str) -> str:
    """Return a path as it is seen from the folder of the file; URLs stay."""
    if "://" in text or "::" in text:
        return text
    slash = "/" if text.endswith("/") else ""
    return f"{folder / text}{slash}"


def _threshold(file: TomlFile, text: str | None) -> Threshold | None:
    try:
        return None if text is None else Threshold.parse(text)
    except AnomaloError as error:
        raise file.error("", "threshold", str(error)) from None


def _reading(file: TomlFile, found: Reading) -> ReadOptions:
    texts = {key: None if value is None else str(value) for key, value in vars(found).items()}
    try:
        return ReadOptions(**texts)
    except UsageError as error:
        raise file.error("reading", None, str(error)) from None


def _resolved(file: TomlFile, folder: Path, first: FirstFit, date: datetime.date) -> FirstFit:
    values: Mapping[str, Any] = vars(first) | {
        "source": _beside(folder, _filled(file, "fit", first.source, "source", date) or ""),
        "schema": None if first.schema is None else str(folder / first.schema),
    }
    return FirstFit(**values)
