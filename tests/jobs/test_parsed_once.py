"""Each cell is parsed once and each file read once, and no training row is scored twice by the fitted model."""

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from anomalo import AnomalyDetector
from anomalo.calibration.thresholds import Threshold
from anomalo.jobs import context
from anomalo.jobs.context import JobContext
from anomalo.jobs.fitting.fit import fit
from anomalo.jobs.imputing.impute import impute
from anomalo.jobs.imputing.repair import repair
from anomalo.jobs.scanning.scan import scan
from anomalo.jobs.scoring.score import score
from anomalo.pipeline.config import FitConfig
from anomalo.pipeline.fitted import Fitted
from anomalo.registry.registry import Registry
from anomalo.tabular import cells, parsing
from anomalo.tabular.columns import ParsedTable
from anomalo.tabular.schema import SchemaOptions, infer

ROWS = 240
FEATURES = ("height", "weight", "children", "colour", "smoker")
NUMBERS = FEATURES[:3]
OPTIONS = SchemaOptions(id="name", label="sick")
BATCH = 50


class Work:
    """Counts cells by column, texts that are converted to numbers, reads, loaded models, and rows that are scored."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.parsed: Counter[str] = Counter()
        self.converted = self.reads = self.loaded = self.scored = 0


def seen(patch: pytest.MonkeyPatch, where: Any, name: str, see: Callable[..., None]) -> None:
    function = getattr(where, name)

    def counted(*arguments: Any, **options: Any) -> Any:
        see(*arguments)
        return function(*arguments, **options)

    patch.setattr(where, name, counted)


@pytest.fixture
def work(installed: Registry, monkeypatch: pytest.MonkeyPatch) -> Work:
    found = Work()

    def parse(column: Any, read: Any, *_: Any) -> None:
        found.parsed[column.name] += len(cells.Cells.of(read).array)

    def convert(texts: pa.Array, *_: Any) -> None:
        found.converted += len(texts)

    def read(*_: Any) -> None:
        found.reads += 1

    def load(*_: Any) -> None:
        found.loaded += 1

    def rows(_: Any, data: Any) -> None:
        found.scored += len(data)

    for name in ("measured", "levels"):
        seen(monkeypatch, parsing, name, parse)
    seen(monkeypatch, cells, "to_floats", convert)
    seen(monkeypatch, Registry, "read", read)
    seen(monkeypatch, context, "load_fitted", load)
    seen(monkeypatch, installed.get("knn"), "score", rows)
    monkeypatch.setattr(Registry, "load", lambda: installed)
    return found


@pytest.fixture
def texts(tables: Path) -> pd.DataFrame:
    """The table as it is in the file."""
    return pd.read_csv(tables / "patients.csv", dtype=str, keep_default_na=False)


def each(names: Any, cells: int) -> dict[str, int]:
    return dict.fromkeys(names, cells)


def distinct(texts: pd.DataFrame, rows: int) -> int:
    """Return how many distinct texts the columns of numbers have in batches of so many rows."""
    starts = range(0, len(texts), rows)
    return sum(texts[name][start : start + rows].nunique() for name in NUMBERS for start in starts)


def test_a_fit_parses_each_cell_once(work: Work, tables: Path, texts: pd.DataFrame, tmp_path: Path) -> None:
    fit(JobContext.at(tmp_path), str(tables / "patients.csv"), "m", FitConfig("knn"), OPTIONS)
    assert (work.reads, work.parsed) == (1, each(FEATURES, ROWS))
    # That a column is none of numbers is only found by trying both ways to write them.
    assert work.converted == distinct(texts, ROWS) + 2 * texts["colour"].nunique()
    assert work.scored == 2 * ROWS  # out of fold, and by the fitted model


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("verb", ["score", "impute", "repair"])
def test_a_job_reads_its_file_once_and_parses_each_cell_once(
    verb: str, suffix: str, work: Work, tables: Path, texts: pd.DataFrame, untouched: Path, tmp_path: Path
) -> None:
    shutil.copytree(untouched, tmp_path / "w")
    at, source = JobContext.at(tmp_path / "w", batch_rows=BATCH), str(tables / f"patients.{suffix}")
    jobs: dict[str, Callable[[], Any]] = {
        "score": lambda: score(at, source, "near", explain=30, threshold=Threshold("fdr", 0.2), device="cpu"),
        "impute": lambda: impute(at, source, "full", device="cpu"),
        "repair": lambda: repair(at, source, "full", threshold=Threshold("budget", 9), most=1, device="cpu"),
    }
    jobs[verb]()
    assert (work.reads, work.loaded) == (1, 1)
    if verb != "repair":  # which also reads its own repairs, as they are written
        sampled = ROWS * (verb == "score")  # for the run's profile: of larger tables 5,000 rows
        assert work.parsed == each(FEATURES, ROWS + sampled)
        again = distinct(texts, ROWS) if sampled else 0
        assert work.converted == (distinct(texts, BATCH) + again if suffix == "csv" else 0)


@pytest.mark.slow
def test_a_scan_reads_parses_and_scores_once_and_loads_nothing(
    work: Work, tables: Path, texts: pd.DataFrame, tmp_path: Path
) -> None:
    for model in ("knn", "linear"):
        work.clear()
        at = JobContext.at(tmp_path, batch_rows=BATCH)
        found = scan(at, str(tables / "patients.csv"), FitConfig(model), OPTIONS, Threshold("share", 0.05))
        assert found.evaluation is not None
        assert (found.filled is None) == (model == "knn")
        assert (work.reads, work.loaded, work.parsed) == (1, 0, each((*FEATURES, "sick"), ROWS))
        assert work.converted == distinct(texts, ROWS) + 2 * texts["colour"].nunique()
        # By knn only: out of fold, by the fitted model, those that it explains, and again the few whose cells are new.
        explained = found.scored.run.summary["explained"]
        assert explained == ROWS
        again = work.scored - 3 * ROWS * (model == "knn")
        assert 0 <= again < (ROWS / 10 if model == "knn" else 1)


def test_a_detector_parses_and_scores_its_training_rows_once(work: Work, patients: pd.DataFrame) -> None:
    rows = patients[list(FEATURES)]
    for calibrate in (True, False):
        work.clear()
        detector = AnomalyDetector("knn", calibrate=calibrate).fit(rows)
        assert (work.parsed, work.scored) == (each(FEATURES, ROWS), ROWS * (1 + calibrate))
        detector.score_samples(rows)
        assert (work.parsed, work.scored) == (each(FEATURES, 2 * ROWS), ROWS * (2 + calibrate))


@pytest.mark.parametrize("model", ["knn", "iforest", "linear"])
def test_the_scores_of_a_fit_are_those_of_its_rows_to_the_bit(model: str, tables: Path, installed: Registry) -> None:
    table = pa.Table.from_batches(installed.read(str(tables / "patients.csv")))
    schema = infer(table, OPTIONS)
    outcome = Fitted.fit(table, schema, FitConfig(model), installed)
    assert outcome.scores is not None
    again = outcome.fitted.encode(table)
    assert np.array_equal(outcome.data.values, again.values)
    assert np.array_equal(outcome.data.observed, again.observed)
    scored, kept = outcome.fitted.score(again), outcome.fitted.score(outcome.data, outcome.scores)
    assert outcome.scores.tobytes() == outcome.fitted.score_as_new(again).tobytes()
    assert scored.score.tobytes() == kept.score.tobytes()
    assert scored.p_value.tobytes() == kept.p_value.tobytes()


def test_only_what_a_model_to_start_from_understands_otherwise_is_parsed_again(work: Work, installed: Registry) -> None:
    read = pa.table({"a": [float(row % 7) for row in range(60)], "b": [float(row % 5) for row in range(60)]})
    config = FitConfig("linear", {"epochs": 1}, calibrate=False)
    base = Fitted.fit(read, infer(read), config, installed).fitted
    work.clear()
    table = ParsedTable(read)
    schema = infer(table, SchemaOptions(missing=("a=0",)))
    assert work.parsed == {"a": 60, "b": 60}
    started = Fitted.fit(table, schema, config, installed, base=base).fitted
    assert work.parsed == {"a": 120, "b": 60}
    assert started.encode(read).observed.all()
