"""What a job is going to take, before any work."""

import sqlite3
from pathlib import Path

import pandas as pd
import pytest

from anomalo.errors import SchemaError, SourceError, UsageError
from anomalo.jobs.context import JobContext
from anomalo.jobs.describing import plan as planning
from anomalo.jobs.describing.plan import JobPlan, plan_fit, plan_use
from anomalo.pipeline.config import FitConfig
from anomalo.tabular.schema import SchemaOptions

pytestmark = pytest.mark.usefixtures("frugal")
OPTIONS = SchemaOptions(id="name", label="sick")


@pytest.fixture
def context(tmp_path: Path) -> JobContext:
    return JobContext.at(tmp_path / "workspace")


def planned(context: JobContext, source: object, **config: object) -> JobPlan:
    return plan_fit(context, str(source), FitConfig("iforest", **config), OPTIONS)  # type: ignore[arg-type]


def test_a_fit_takes_the_sum_of_its_steps_and_nothing_is_written(context: JobContext, tables: Path) -> None:
    found = planned(context, tables / "patients.csv")
    fit = found.verbs["fit"]
    assert list(fit.steps) == ["start", "read", "encode", "fit", "calibrate"]
    assert fit.seconds == sum(fit.steps.values()) > 0
    assert fit.memory_bytes == sum(fit.memory.values()) > 50e6
    assert (found.rows, found.rows_exact, found.rows_why) == (240, True, "all were read")
    assert (found.columns, found.bytes) == (7, (tables / "patients.csv").stat().st_size)
    assert (found.device, found.device_why) == ("cpu", "the model computes there")
    assert found.to_json()["seconds"] == fit.seconds
    assert not context.store.workspace.exists()


def test_each_effort_of_a_model_that_has_them_takes_its_time(context: JobContext, tables: Path) -> None:
    config = FitConfig("auto", settings={"effort": "thorough"})
    found = plan_fit(context, str(tables / "patients.csv"), config, OPTIONS)
    assert list(found.efforts) == ["fast", "default", "thorough"]
    assert found.efforts["fast"] < found.efforts["default"] < found.efforts["thorough"]
    assert found.efforts["thorough"] == pytest.approx(found.verbs["fit"].seconds)
    assert planned(context, tables / "patients.csv").efforts == {}


def test_a_long_table_is_not_read_to_its_end(
    context: JobContext, patients: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "SEEN", 500)
    long = pd.concat([patients] * 10)
    long.to_parquet(tmp_path / "t.parquet", row_group_size=100)
    exact = planned(context, tmp_path / "t.parquet")
    assert (exact.rows, exact.rows_exact, exact.rows_why) == (2_400, True, "from the file's metadata")
    read = list[int]()
    batches = JobContext.batches
    monkeypatch.setattr(
        JobContext, "batches", lambda self, source: (read.append(b.num_rows) or b for b in batches(self, source))
    )
    planned(context, tmp_path / "t.parquet")
    assert 500 <= sum(read) < 2_400


@pytest.mark.parametrize("kind", ["csv.gz", "xlsx", "db", "stdin"])
def test_what_does_not_say_how_long_it_is_is_read(
    context: JobContext, patients: pd.DataFrame, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "SEEN", 10)
    path = tmp_path / f"t.{kind}"
    source = str(path)
    if kind == "xlsx":
        patients.to_excel(path, index=False)
    elif kind == "db":
        with sqlite3.connect(path) as database:
            patients.to_sql("t", database, index=False)
        source = f"sqlite:///{path}::t"
    else:
        patients.to_csv(path, index=False, compression="gzip" if kind == "csv.gz" else None)
    if kind == "stdin":
        from anomalo.tabular.reading.source import LocalFile

        monkeypatch.setattr("anomalo.tabular.reading.reader.spooled", lambda: LocalFile(path, "standard input"))
        source = "-"
    found = planned(context, source)
    assert (found.rows, found.rows_exact, found.rows_why) == (240, True, "all were read")
    assert (found.bytes is None) == (kind in ("db", "stdin"))


def test_more_rows_take_more(context: JobContext, patients: pd.DataFrame, tmp_path: Path) -> None:
    pd.concat([patients] * 100).to_csv(tmp_path / "long.csv", index=False)
    pd.concat([patients] * 10).to_csv(tmp_path / "short.csv", index=False)
    short, long = (planned(context, tmp_path / name) for name in ("short.csv", "long.csv"))
    assert (short.rows, long.rows) == (2_400, 24_000)
    assert long.verbs["fit"].steps["calibrate"] > 3 * short.verbs["fit"].steps["calibrate"]
    assert long.table_bytes == pytest.approx(10 * short.table_bytes, rel=0.05)


def test_little_memory_is_kept_to_and_the_sample_is_that_of_a_fit(
    context: JobContext, patients: pd.DataFrame, tmp_path: Path
) -> None:
    path, limit = tmp_path / "long.csv", 600_000_000
    pd.concat([patients] * 300).to_csv(path, index=False)
    found = planned(context, path, max_memory=limit)
    assert found.sampled_rows is not None
    assert 1_000 < found.sampled_rows < found.rows == 72_000
    assert "a sample of" in found.verbs["fit"].text
    assert planned(context, path, max_memory=10**11).sampled_rows is None
    with pytest.raises(UsageError, match="--max-memory 100 MB"):
        planned(context, path, max_memory=10**8)


def test_a_saved_model_is_tried(workspace: Path, tables: Path) -> None:
    before = sorted(workspace.rglob("*"))
    found = plan_use(JobContext.at(workspace), str(tables / "patients.csv"), "full", device="cpu")
    assert list(found.verbs) == ["score", "impute"]
    assert list(found.verbs["score"].steps) == ["start", "read", "encode", "score", "explain", "write"]
    assert (found.model, found.device, found.device_why) == ("full@1", "cpu", "as asked")
    assert list(plan_use(JobContext.at(workspace), str(tables / "patients.csv"), "fill").verbs) == ["impute"]
    without = plan_use(JobContext.at(workspace), str(tables / "patients.csv"), "near", explain=0)
    assert "explain" not in without.verbs["score"].steps
    assert sorted(workspace.rglob("*")) == before


def test_errors_are_those_of_the_jobs(workspace: Path, context: JobContext, tables: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file"):
        planned(context, tmp_path / "absent.csv")
    with pytest.raises(UsageError, match="device 'tpu'"):
        planned(context, tables / "patients.csv", device="tpu")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n3,4\n")
    with pytest.raises(SchemaError):
        plan_use(JobContext.at(workspace), str(tmp_path / "other.csv"), "full")


def test_a_model_that_does_neither_is_refused(context: JobContext, tables: Path) -> None:
    from anomalo.jobs.fitting.fit import fit

    fit(context, str(tables / "patients.csv"), "maker", FitConfig("bootstrap"), OPTIONS)
    with pytest.raises(UsageError, match="maker@1: model 'bootstrap' neither scores nor imputes"):
        plan_use(context, str(tables / "patients.csv"), "maker")
