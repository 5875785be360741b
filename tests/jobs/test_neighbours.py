"""The nearest normal rows of explained ones: right ones, whatever the batches, and kept with a run."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from anomalo.calibration.thresholds import Threshold
from anomalo.encoding.mixed_distance import mixed_distances
from anomalo.errors import UsageError
from anomalo.jobs.context import JobContext
from anomalo.jobs.scoring import neighbours as module
from anomalo.jobs.scoring.explain import explain
from anomalo.jobs.scoring.explained_later import explained_folder
from anomalo.jobs.scoring.neighbours import FILE, NEAREST, NORMAL
from anomalo.jobs.scoring.score import ScoreResult, score
from anomalo.pipeline.saved_model import load_fitted
from anomalo.registry.registry import Registry

RULE = Threshold("budget", 5)


@pytest.fixture
def home(untouched: Path, tmp_path: Path) -> Path:
    return shutil.copytree(untouched, tmp_path / "home")


@pytest.fixture
def table(tables: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(tables / "patients.csv", tmp_path))


def run(home: Path, table: Path, **options: Any) -> ScoreResult:
    at = JobContext.at(home, batch_rows=options.pop("batch_rows", None))
    return score(at, str(table), "full", **{"threshold": RULE, "device": "cpu"} | options)


def near(folder: Path) -> pd.DataFrame:
    return pq.read_table(folder / FILE).to_pandas()


def test_each_explained_row_has_its_nearest_rows_that_are_no_alerts(
    home: Path, table: Path, installed: Registry
) -> None:
    result = run(home, table)
    found = near(result.run.path)
    fitted = load_fitted(JobContext.at(home).store.model("full").path, installed, "cpu")
    data = fitted.encode(next(iter(JobContext.at(home).read(str(table)))))
    distances = mixed_distances(data, data)
    distances[:, result.alert] = np.inf
    np.fill_diagonal(distances, np.inf)
    assert found["row"].unique().tolist() == list(range(240)), "all are explained"
    assert (found.groupby("row").size() == NEAREST).all()
    expected = np.sort(distances, axis=1)[:, :NEAREST].ravel()
    np.testing.assert_allclose(found["distance"], expected, atol=1e-6)
    at = distances[found["row"], found["neighbour"]]
    np.testing.assert_allclose(at, found["distance"], atol=1e-6)


def test_the_normal_rows_are_those_of_the_table(home: Path, table: Path) -> None:
    result = run(home, table, explain=0)
    normal = pq.read_table(result.run.path / NORMAL).to_pandas().set_index("row")
    assert normal.index.tolist() == np.flatnonzero(~result.alert).tolist()
    raw = pd.read_csv(table, dtype=str, keep_default_na=False)
    pd.testing.assert_frame_equal(normal, raw.loc[normal.index], check_dtype=False, check_names=False)


def test_the_rows_do_not_depend_on_batches(home: Path, table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ROWS", 40)
    first = run(home, table)
    sampled = pq.read_table(first.run.path / NORMAL).num_rows
    assert 30 <= sampled <= 40, "alerts are left out of the sample"
    for batch_rows in (7, 100):
        other = run(home, table, batch_rows=batch_rows)
        for file in (FILE, NORMAL):
            assert (other.run.path / file).read_bytes() == (first.run.path / file).read_bytes()


def test_where_all_rows_are_alerts_there_are_no_neighbours(home: Path, table: Path) -> None:
    folder = run(home, table, threshold=Threshold("share", 1.0)).run.path
    assert not (folder / FILE).exists()
    assert not (folder / NORMAL).exists()


def test_a_row_explained_later_is_as_if_explained_at_once(home: Path, table: Path) -> None:
    whole, some = run(home, table), run(home, table, explain=0)
    row = int(np.flatnonzero(~some.alert)[3])
    found = explain(JobContext.at(home), str(table), "full", row, run=some.run.id, device="cpu")
    later = explained_folder(some.run.path, row)
    assert later != some.run.path
    for name in ("cells.parquet", "rows.parquet", FILE):
        at_once = pq.read_table(whole.run.path / name, filters=[("row", "==", row)]).to_pandas()
        pd.testing.assert_frame_equal(pq.read_table(later / name).to_pandas(), at_once, check_exact=False)
    assert found["score"] == some.score[row]
    before = {path.name: path.read_bytes() for path in later.iterdir()}
    assert explain(JobContext.at(home), str(table), "full", row, run=some.run.id, device="cpu") == found
    assert {path.name: path.read_bytes() for path in later.iterdir()} == before


def test_another_table_or_model_is_not_kept(home: Path, table: Path, anomalo: Any) -> None:
    result = run(home, table, explain=0)
    row = int(np.flatnonzero(~result.alert)[3])
    frame = pd.read_csv(table)
    frame.loc[row, "height"] = 250
    frame.to_csv(table, index=False)
    with pytest.raises(UsageError, match="the table has changed since; score it again"):
        explain(JobContext.at(home), str(table), "full", row, run=result.run.id, device="cpu")
    outcome = anomalo("explain", table, "--with", "near", "--row", row, "--run", result.run.id, "--workspace", home)
    assert outcome.code == 2
    assert "is a run of score with full@1; give one of score with near@1" in outcome.err
    assert explained_folder(result.run.path, row) == result.run.path
