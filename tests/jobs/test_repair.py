"""Repairs: the smallest set by brute force, what is written and what is not, and that a killed job resumes."""

import csv
import io
import itertools
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from anomalo.calibration.thresholds import Boundary, Threshold
from anomalo.errors import UsageError
from anomalo.jobs.context import JobContext
from anomalo.jobs.imputing import repair as job
from anomalo.pipeline import repair as repairs
from anomalo.pipeline.config import FitConfig
from anomalo.pipeline.fitted import Fitted
from anomalo.pipeline.repair import repair
from anomalo.plugin import Encoded, Filled, Model, Run, Scores, hookimpl
from anomalo.registry.registry import Registry
from anomalo.tabular.schema import infer

COLUMNS = 5
SHARE = 0.02
NAMES = [
    "row", "name", "column", "before", "after", "low", "high", "score_before", "score_after", "p_value_before",
    "p_value_after", "normal",
]  # fmt: skip


@dataclass(kw_only=True)
class Joint(Model):
    """A normal distribution: a row's score is its Mahalanobis distance, a fill the conditional expectation."""

    name: ClassVar[str] = "joint"

    def fit(self, data: Encoded, run: Run) -> Self:
        self.mean_ = data.values.mean(axis=0, dtype=np.float64)
        self.covariance_ = np.cov(data.values.astype(np.float64).T)
        return self

    def score(self, data: Encoded) -> Scores:
        away, inverse = data.values - self.mean_, np.linalg.inv(self.covariance_)
        return np.array([row @ inverse @ row for row in away])

    def impute(self, data: Encoded, draws: int = 0) -> Filled:
        point = data.values.copy()
        for row, seen in zip(point, data.observed, strict=True):
            row[~seen] = expected(self.mean_, self.covariance_, row, ~seen)
        return Filled(point)


def expected(
    mean: NDArray[Any], covariance: NDArray[Any], row: NDArray[Any], hidden: NDArray[np.bool_]
) -> NDArray[Any]:
    """Return the conditional expectation of hidden cells under a normal distribution."""
    weights = np.linalg.solve(covariance[np.ix_(~hidden, ~hidden)], covariance[np.ix_(~hidden, hidden)])
    return mean[hidden] + (row[~hidden] - mean[~hidden]) @ weights


@hookimpl
def anomalo_models() -> Iterable[type[Model]]:
    return [Joint]


def factors(rows: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, 2)) @ np.random.default_rng(5).normal(size=(2, COLUMNS))
    return pd.DataFrame(values + 0.3 * rng.normal(size=values.shape), columns=list("abcde"))


def encode(fitted: Fitted, frame: pd.DataFrame) -> Encoded:
    (batch,) = pa.Table.from_pandas(frame, preserve_index=False).combine_chunks().to_batches()
    return fitted.encode(batch)


@pytest.fixture(scope="module")
def joint() -> Fitted:
    entries = {"mine": __name__, "tables": "anomalo.registry.hooks"}
    registry = Registry.load(entry_points=[EntryPoint(name, value, "anomalo") for name, value in entries.items()])
    table = pa.Table.from_pandas(factors(600, 0), preserve_index=False)
    return Fitted.fit(table, infer(table), FitConfig("joint"), registry).fitted


@pytest.fixture(scope="module")
def anomalous() -> pd.DataFrame:
    """New rows with one, two or three cells of other rows' values, five standard deviations away."""
    rng, frame = np.random.default_rng(1), factors(60, 2)
    for row in range(len(frame)):
        for column in rng.choice(COLUMNS, 1 + row % 3, replace=False):
            frame.iloc[row, column] += rng.choice([-1, 1]) * rng.uniform(2, 4)
    return frame


def test_a_repair_is_the_smallest_set_and_of_those_the_one_with_the_least_score(
    joint: Fitted, anomalous: pd.DataFrame
) -> None:
    data = encode(joint, anomalous)
    scored = joint.score(data)
    boundary = Threshold("share", SHARE).boundary(scored.p_value, scored.score)
    alerts = np.flatnonzero(scored.p_value <= SHARE)
    found = repair(joint, data.take(alerts), boundary, most=3)
    model: Any = joint.model
    ends = np.array([[block.low, block.high] for block in data.layout.blocks]).T
    sizes = []
    for at, row in enumerate(data.values[alerts]):
        best: dict[int, tuple[float, tuple[int, ...]]] = {}
        for size in (1, 2, 3):
            for cells in itertools.combinations(range(COLUMNS), size):
                hidden = np.isin(np.arange(COLUMNS), cells)
                values = row.astype(np.float64)
                values[hidden] = expected(model.mean_, model.covariance_, values, hidden).clip(*ends[:, hidden])
                trial = Encoded(values[None].astype(np.float32), np.ones((1, COLUMNS), bool), data.layout)
                if joint.score(trial).p_value[0] > SHARE:
                    best[size] = min(best.get(size, (np.inf, ())), (float(joint.score(trial).score[0]), cells))
        if not best:
            assert not found.normal[at]
            continue
        size = min(best)
        score, cells = best[size]
        sizes.append(size)
        assert tuple(np.flatnonzero(found.cells[at])) == cells
        assert found.score[at] == pytest.approx(score, rel=1e-4)
        assert found.p_value[at] > SHARE
    assert set(sizes) == {1, 2, 3}


def test_a_repair_is_what_the_row_gets_alone(joint: Fitted, anomalous: pd.DataFrame) -> None:
    data, boundary = encode(joint, anomalous), Boundary(0.3)
    found = repair(joint, data, boundary)
    assert 1 < found.cells.sum(axis=1).max() <= 5
    for at in range(len(data)):
        alone = repair(joint, data.take(np.array([at])), boundary)
        for name, value in vars(found).items():
            np.testing.assert_array_equal(getattr(alone, name)[0], value[at])


def test_where_nothing_helps_it_says_so(joint: Fitted, anomalous: pd.DataFrame) -> None:
    data = encode(joint, anomalous).take(slice(5))
    found = repair(joint, data, Boundary(1.0), most=2)
    assert not found.normal.any()
    assert not found.cells.any()
    np.testing.assert_array_equal(found.value, data.values)
    assert (found.score < joint.score(data).score).all()
    assert repair(joint, data.take(slice(0)), Boundary(0.1)).cells.shape == (0, COLUMNS)


def test_of_a_wide_table_the_cells_of_most_contribution_are_tried(joint: Fitted, anomalous: pd.DataFrame) -> None:
    data = encode(joint, anomalous)
    first = np.argsort(-joint.explain(data).contribution, axis=1, kind="stable")[:, :2]
    found = repair(joint, data, Boundary(0.02), tried=2, at_once=7 * COLUMNS)
    allowed = np.zeros(found.cells.shape, dtype=bool)
    np.put_along_axis(allowed, first, True, axis=1)
    assert found.normal.sum() > 20
    assert not (found.cells & ~allowed).any()


def test_what_a_set_does_not_need_is_taken_out(joint: Fitted, anomalous: pd.DataFrame) -> None:
    data = encode(joint, anomalous)
    expected = repair(joint, data, Boundary(0.02), most=3)
    needs_two = np.flatnonzero(expected.cells.sum(axis=1) == 2)
    assert len(needs_two)
    search = repairs._Search(joint, data, Boundary(0.02))
    for row in needs_two:
        pair = np.flatnonzero(expected.cells[row])
        other = np.setdiff1d(np.arange(COLUMNS), pair)[0]
        tried = search.tried(np.array([[row, *sorted([*pair, other])]]))
        if tried.normal.all():
            search.keep(tried)
            assert search.cells[row].sum() == 2


def test_a_training_row_is_scored_as_if_it_had_not_been_in_training(joint: Fitted) -> None:
    known, new = encode(joint, factors(600, 0)), encode(joint, factors(50, 9))
    typical, times = repairs._seen(joint, known)
    assert typical == np.median(joint.calibration.reference)
    out_of_fold = joint.score(known).score
    exceeds = (out_of_fold > joint.score_as_new(known)) & (joint.score_as_new(known) > typical)
    assert exceeds.sum() > 50
    assert (times[exceeds] > 1).all()
    np.testing.assert_array_equal(repairs._seen(joint, new)[1], 1)
    # A repair of the row whose distance is left as it is would be as anomalous as the row.
    search = repairs._Search(joint, known, Boundary(SHARE))
    alert = np.flatnonzero(exceeds & (joint.score(known).p_value < 0.9 * SHARE))  # a new row's is a trifle larger
    assert len(alert) > 5
    assert not search._strictly(alert, joint.score_as_new(known)[alert] - 1e-9, new.take(np.arange(len(alert)))).any()


@settings(deadline=None)  # SciPy is imported on the way
@given(
    st.lists(st.tuples(st.integers(1, 20), st.integers(0, 9)), min_size=1, max_size=30, unique=True),
    st.sampled_from(["share=0.1", "share=0.5", "fdr=0.2", "fdr=0.9", "budget=1", "budget=7"]),
)
def test_a_row_is_an_alert_unless_it_is_normal(rows: list[tuple[int, int]], rule: str) -> None:
    p_values, scores = np.array(rows, dtype=float).T
    threshold = Threshold.parse(rule)
    normal = threshold.boundary(p_values / 20, scores).normal(p_values / 20, scores)
    np.testing.assert_array_equal(normal, ~threshold.alerts(p_values / 20, scores))


def test_settled_values_are_those_of_the_written_cells(workspace: Path, tables: Path) -> None:
    _, fitted = JobContext.at(workspace).load("full", "repair", "cpu")
    (batch,) = JobContext.at(workspace).registry.read(str(tables / "patients.csv"))
    rng = np.random.default_rng(0)
    point = rng.normal(scale=3, size=(len(batch), len(fitted.encoder.layout.blocks))).astype(np.float32)
    point[:, fitted.encoder.layout.categories] = rng.integers(2, 4, (len(batch), len(fitted.encoder.layout.categories)))
    written = fitted.encode(fitted.encoder.fill(batch, point, where=np.ones(point.shape, dtype=bool)))
    assert written.observed.all()
    for position in range(point.shape[1]):
        settled = fitted.encoder.round_trip(point[:, position], position)
        np.testing.assert_array_equal(settled, written.values[:, position])


@pytest.fixture
def home(untouched: Path, tmp_path: Path) -> Path:
    return shutil.copytree(untouched, tmp_path / "workspace")


@pytest.fixture
def dirty(patients: pd.DataFrame, tmp_path: Path) -> Path:
    """The table with odd quotes and spaces, and six anomalous rows: two had been there."""
    frame = patients.copy()
    frame.loc[20, ["weight", "height"]] = [20.0, 230.0]
    frame.loc[60, "height"] = 20.5
    text = frame.to_csv(index=False).splitlines()
    text[31] = text[31].replace(",yes", ',"yes"').replace(",no", ', "no"')
    text[71] = text[71].replace("p070,", "p070, 19.0 ", 1).replace("19.0 " + text[71].split(",")[1], "19.0 ", 1)
    path = tmp_path / "dirty.csv"
    path.write_text("\n".join(text) + "\n")
    return path


def cells(path: Path) -> pd.DataFrame:
    return pd.DataFrame(list(csv.reader(io.StringIO(path.read_text()))))


def test_suggestions_are_written_and_the_table_only_if_asked(anomalo: Any, home: Path, dirty: Path) -> None:
    before = dirty.read_bytes()
    common = (dirty, "--with", "full", "--workspace", home, "--threshold", "budget=6", "--device", "cpu", "--json")
    suggestions, out = home.parent / "suggestions.csv", home.parent / "out.csv"
    suggested = anomalo("repair", *common, "-o", suggestions)
    assert suggested.code == 0, suggested.err
    lines = pq.read_table(Path(suggested.json["path"]) / "repairs.parquet").to_pandas()
    assert list(lines) == NAMES
    pd.testing.assert_frame_equal(
        pd.read_csv(suggestions, dtype={"before": str, "after": str}), lines, check_dtype=False
    )
    assert dirty.read_bytes() == before
    assert [path.name for path in Path(suggested.json["path"]).iterdir()] == ["repairs.parquet"]

    applied = anomalo("repair", *common, "-o", out, "--apply")
    assert applied.code == 0, applied.err
    summary = applied.json["summary"]
    assert (summary["alerts"], summary["applied"], suggested.json["summary"]["applied"]) == (6, True, False)
    again = pq.read_table(Path(applied.json["path"]) / "repairs.parquet").to_pandas()
    pd.testing.assert_frame_equal(again, lines)
    assert dirty.read_bytes() == before
    old, new = cells(dirty), cells(out)
    at = {
        (int(row) + 1, list(old.iloc[0]).index(column))
        for row, column in zip(lines["row"], lines["column"], strict=True)
        if column
    }
    assert set(zip(*np.nonzero((old != new).to_numpy()), strict=True)) == at
    assert len(at) == sum(summary["replaced"].values()) >= 6
    for line in lines.itertuples():
        column = list(old.iloc[0]).index(line.column)
        assert (old.iloc[line.row + 1, column].strip(), new.iloc[line.row + 1, column].strip()) == (
            line.before or "",
            line.after,
        )
        assert line.score_after < line.score_before
        assert line.normal
        assert line.p_value_after > line.p_value_before
        assert np.isnan(line.low) or line.low <= float(line.after) <= line.high
    scores = anomalo("score", out, "--with", "full", "--workspace", home, "--device", "cpu", "--json")
    found = pq.read_table(Path(scores.json["path"]) / "scores.parquet").to_pandas().loc[lines["row"]]
    np.testing.assert_array_equal(found["score"], lines["score_after"])
    np.testing.assert_array_equal(found["p_value"], lines["p_value_after"])


def test_parquet_keeps_its_types_and_whole_numbers_stay_whole(anomalo: Any, home: Path, patients: pd.DataFrame) -> None:
    frame = patients.assign(children=patients["children"].where(patients.index != 8, 400))
    frame.to_parquet(home.parent / "in.parquet", index=False)
    outcome = anomalo("repair", home.parent / "in.parquet", "--with", "full", "--workspace", home, "--apply", "--json")
    assert outcome.code == 0, outcome.err
    (written,) = Path(outcome.json["path"]).glob("repaired.*")
    assert written.name == "repaired.parquet"
    table = pq.read_table(written)
    assert table.schema.equals(pq.read_schema(home.parent / "in.parquet"))
    fixed = table.to_pandas()
    assert 0 <= fixed.loc[8, "children"] <= patients["children"].max()
    assert {name for name in frame if not frame[name].equals(fixed[name])} == set(outcome.json["summary"]["replaced"])


def test_missing_cells_stay_missing_unless_that_is_anomalous(anomalo: Any, home: Path, patients: pd.DataFrame) -> None:
    frame = patients.head(60).assign(children=lambda table: table["children"].astype(str))
    frame.loc[9, "children"] = ""
    frame.loc[12, "smoker"] = "sometimes"
    frame.loc[50, "height"] = 290.0  # its weight and colour are missing, as some were in training
    frame.to_csv(home.parent / "in.csv", index=False)
    outcome = anomalo("repair", home.parent / "in.csv", "--with", "full", "--workspace", home, "--json",
                      "--threshold", "budget=6")  # fmt: skip
    assert outcome.code == 0, outcome.err
    lines = pq.read_table(Path(outcome.json["path"]) / "repairs.parquet").to_pandas().set_index("row")
    assert lines.loc[9, "column"] == "children"
    assert pd.isna(lines.loc[9, "before"])
    assert (lines.loc[12, "column"], lines.loc[12, "before"]) == ("smoker", "sometimes")
    assert lines.loc[12, "after"] in ("yes", "no")
    assert set(np.atleast_1d(lines.loc[50, "column"])) <= {"height", "children", "smoker"}


def test_what_people_read(anomalo: Any, home: Path, dirty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    common = ("--with", "full", "--workspace", home, "--device", "cpu", "--threshold", "budget=3")
    outcome = anomalo("repair", dirty, *common)
    assert "240 rows, 3 alerts at budget=3\n3 of them would be normal with" in outcome.out
    assert "weight" in outcome.out
    assert " instead of 190.25" in outcome.out
    monkeypatch.setattr(Threshold, "boundary", lambda *arguments: Boundary(1.0))
    outcome = anomalo("repair", dirty, *common, "--cells", "2")
    assert "0 of them would be normal with 0 cells replaced; 3 have no repair of 2 cells or fewer" in outcome.out
    assert "no repair found" in outcome.out
    assert outcome.code == 0
    lines = pq.read_table(home / "runs" / "0002-repair" / "repairs.parquet").to_pandas()
    assert lines["column"].isna().all()
    assert not lines["normal"].any()
    assert len(lines) == 3
    assert (lines["score_after"] < lines["score_before"]).all()


def test_a_table_without_alerts_has_no_suggestions(anomalo: Any, home: Path, patients: pd.DataFrame) -> None:
    calm = patients.drop(index=[17, 101])
    calm.to_csv(home.parent / "calm.csv", index=False)
    out = home.parent / "out.csv"
    for options in ((), ("--apply",)):
        outcome = anomalo("repair", home.parent / "calm.csv", "--with", "full", "--workspace", home, "-o", out,
                          "--threshold", "share=0.001", *options)  # fmt: skip
        assert outcome.code == 0, outcome.err
        assert "238 rows, 0 alerts" in outcome.out
        if not options:
            assert out.read_text() == ",".join(NAMES) + "\n"
    assert out.read_bytes() == (home.parent / "calm.csv").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--with", "near"), "model 'knn' cannot repair, which takes score and impute; it can: score, explain"),
        (("--with", "fill"), "model 'mean' cannot repair, which takes score and impute; it can: impute"),
        (("--with", "full", "--threshold", "share=2"), "threshold 'share=2'"),
        (("--with", "full", "--cells", "0"), "--cells"),
        (("--with", "full", "-o", "out.xls"), "out.xls"),
    ],
)
def test_wrong_usage_is_refused(anomalo: Any, home: Path, tables: Path, arguments: tuple[str, ...], said: str) -> None:
    outcome = anomalo("repair", tables / "patients.csv", *arguments, "--workspace", home)
    assert outcome.code == 2
    assert said in outcome.err
    assert not list((home / "runs").glob("*"))


def test_what_was_found_at_another_threshold_is_not_gone_on_with(home: Path, tables: Path) -> None:
    calls = iter(range(1))

    def stop(share: float, text: str) -> None:
        if next(calls, None) is None:
            raise KeyboardInterrupt

    source = str(tables / "patients.csv")
    with pytest.raises(KeyboardInterrupt):
        job.repair(JobContext.at(home, stop), source, "full", threshold=Threshold("budget", 9), device="cpu")
    with pytest.raises(UsageError, match="threshold"):
        job.repair(JobContext.at(home), source, "full", threshold=Threshold("budget", 5), device="cpu", resume=True)
    found = job.repair(JobContext.at(home), source, "full", threshold=Threshold("budget", 9), device="cpu", resume=True)
    assert (found.run.summary["alerts"], found.warnings) == (9, ())
    assert [row["row"] for row in found.top[:2]] == [17, 101]
