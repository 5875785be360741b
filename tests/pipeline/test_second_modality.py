"""Another modality than tables, by a plugin: windows [n, T, C] from a file to alerts, fills and a saved model."""

from importlib.metadata import EntryPoint, distribution
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from anomalo.calibration.thresholds import Threshold
from anomalo.errors import UnknownModelError, UsageError
from anomalo.jobs.context import JobContext
from anomalo.jobs.fitting.fit import fit
from anomalo.jobs.imputing.impute import impute
from anomalo.jobs.imputing.repair import repair
from anomalo.jobs.scoring.explain import explain
from anomalo.jobs.scoring.score import score
from anomalo.pipeline.config import FitConfig
from anomalo.registry.registry import Registry
from anomalo.tabular.schema import SchemaOptions
from anomalo.workspace.workspace import Workspace

STEPS, ROWS, ODD = 6, 150, 17
MODELS = {"mean": {}, "window-net": {"epochs": "3"}}


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> JobContext:
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "windows"))
    installed = distribution("anomalo-engine").entry_points.select(group="anomalo")
    ours = [entry for entry in installed if entry.name in ("baselines", "tables")]
    registry = Registry.load(entry_points=[*ours, EntryPoint("windows", "windows", "anomalo")])
    assert not registry.failures
    return JobContext(registry, Workspace(tmp_path / "workspace"))


@pytest.fixture
def source(tmp_path: Path) -> str:
    """Windows of a sine and its double, one of them with a spike, and one cell in thirty missing."""
    rng = np.random.default_rng(0)
    phase = rng.uniform(0, 6, ROWS)[:, None] + np.arange(STEPS)
    cells = np.stack([20 + np.sin(phase), 40 + 2 * np.sin(phase)], axis=2) + rng.normal(0, 0.05, (ROWS, STEPS, 2))
    cells[ODD, 3, 1] += 9
    cells[rng.random(cells.shape) < 1 / 30] = np.nan
    cells[ODD, 3, 1] = 49.0
    columns = {
        f"{name}_{step}": cells[:, step, at] for at, name in enumerate(["speed", "heat"]) for step in range(STEPS)
    }
    pd.DataFrame(columns).to_parquet(tmp_path / "pump.parquet")
    return f"windows://{tmp_path / 'pump.parquet'}"


@pytest.mark.parametrize("model", MODELS)
def test_windows_are_fitted_scored_explained_and_imputed(
    context: JobContext, source: str, tmp_path: Path, model: str
) -> None:
    config = FitConfig(model, settings=MODELS[model])
    fitted = fit(context, source, "pump", config, SchemaOptions()).fitted
    layout = fitted.encoder.layout
    assert (layout.modality, layout.shape) == ("windows", (STEPS, 2))
    assert set(fitted.errors()) == {"speed", "heat"}

    scored = score(context, source, "pump", output=tmp_path / "scores.parquet", threshold=Threshold("budget", 3))
    assert scored.top[0]["row"] == ODD
    assert scored.top[0]["reasons"][0]["column"] == "heat_3"
    assert scored.top[0]["reasons"][0]["observed"] == "49"
    assert scored.p_value[ODD] == scored.p_value.min() < 0.01
    cells = explain(context, source, "pump", ODD)["cells"]
    assert len(cells) == 2 * STEPS
    assert cells[0]["column"] == "heat_3"
    assert cells[0]["low"] < float(cells[0]["expected"]) < cells[0]["high"] < 49

    before = pd.read_parquet(source.removeprefix("windows://"))
    filled = impute(context, source, "pump", output=tmp_path / "filled.parquet")
    after = pd.read_parquet(tmp_path / "filled.parquet")
    assert filled.filled == {name: int(before.filter(like=name).isna().sum().sum()) for name in ("speed", "heat")}
    assert not after.isna().any().any()
    pd.testing.assert_frame_equal(after.where(before.notna()), before)

    # The model was saved and loaded: its own scores are those that the fitted one gives.
    batch = pa.Table.from_pandas(before, preserve_index=False).to_batches()[0]
    np.testing.assert_array_equal(scored.score, fitted.score(fitted.encode(batch)).score)


def test_a_name_stands_for_one_model_of_each_modality(context: JobContext, source: str, tmp_path: Path) -> None:
    registry = context.registry
    assert registry.get("mean", "table") is not registry.get("mean", "windows")
    assert registry.get("mean") is registry.get("mean", "table")
    assert fit(context, source, "pump", FitConfig("mean"), SchemaOptions()).record.model == "mean"
    pd.read_parquet(source.removeprefix("windows://")).to_csv(tmp_path / "table.csv", index=False)
    table = fit(context, str(tmp_path / "table.csv"), "table", FitConfig("mean"), SchemaOptions())
    assert type(table.fitted.model) is registry.get("mean", "table")
    assert [len(models) for name, models in registry.models.items() if name == "mean"] == [2]


def test_a_model_of_another_modality_is_refused_by_name(context: JobContext, source: str, tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"model 'knn' is for modality 'table', and .* 'windows'; models for it: mean, wi"
    ):
        fit(context, source, "pump", FitConfig("knn"), SchemaOptions())
    pd.read_parquet(source.removeprefix("windows://")).to_csv(tmp_path / "table.csv", index=False)
    with pytest.raises(
        UsageError, match="model 'window-net' is for modality 'windows', and the rows are of modality 'tab"
    ):
        fit(context, str(tmp_path / "table.csv"), "table", FitConfig("window-net"), SchemaOptions())
    with pytest.raises(UnknownModelError, match="did you mean 'window-net'"):
        fit(context, source, "pump", FitConfig("windownet"), SchemaOptions())


def test_a_mistaken_parameter_is_named(context: JobContext, source: str) -> None:
    with pytest.raises(UsageError, match="model 'mean' has no parameter 'strink'"):
        fit(context, source, "pump", FitConfig("mean", settings={"strink": "1"}), SchemaOptions())


def test_what_only_rows_of_tables_can_is_refused(context: JobContext, source: str) -> None:
    fit(context, source, "pump", FitConfig("mean"), SchemaOptions())
    score(context, source, "pump", threshold=Threshold("budget", 3))
    with pytest.raises(UsageError, match="rows of modality 'windows' cannot be written; expected a model of a table"):
        repair(context, source, "pump")
