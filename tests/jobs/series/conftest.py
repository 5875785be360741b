"""What tests of jobs with series share: two pumps, one of which is odd for a while, and models of them."""

from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import EntryPoint, distribution
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from anomalo.jobs.context import JobContext
from anomalo.jobs.fitting.fit import fit
from anomalo.pipeline.config import FitConfig
from anomalo.registry.registry import Registry
from anomalo.tabular.schema import SchemaOptions
from anomalo.workspace.workspace import Workspace

ROWS, ODD = 600, (400, 408)
OPTIONS = SchemaOptions(time="time", entity="pump", window=12)
CONFIG = FitConfig("window-pca")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobContext]:
    """A workspace with the model `pumps`, and the file `pumps.csv`: two series in turn, one of them odd for a while."""
    folder = tmp_path_factory.mktemp("series")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent))
        installed = distribution("anomalo-engine").entry_points.select(group="anomalo")
        ours = [entry for entry in installed if entry.name in ("baselines", "tables")]
        registry = Registry.load(entry_points=[*ours, EntryPoint("windows", "window_components", "anomalo")])
        assert not registry.failures
        context = JobContext(registry, Workspace(folder / "workspace"))
        rng = np.random.default_rng(0)
        wave = np.sin(np.arange(ROWS) // 2 / 6 * np.pi) + 0.05 * rng.normal(size=ROWS)
        flow = np.where(np.arange(ROWS) % 2, 100 + 30 * wave, wave)
        flow[ODD[0] : ODD[1] : 2] += 3
        time = pd.Timestamp("2026-03-01") + pd.to_timedelta(np.arange(ROWS) // 2, "h")
        frame = pd.DataFrame({"time": time, "pump": np.tile(["a", "b"], ROWS // 2), "flow": flow.round(3)})
        frame["heat"] = (20 + 2 * wave).round(2)
        frame.loc[50:70:5, "heat"] = np.nan
        frame.to_csv(folder / "pumps.csv", index=False)
        fit(context, str(folder / "pumps.csv"), "pumps", CONFIG, OPTIONS)
        fit(context, str(folder / "pumps.csv"), "causal", CONFIG, replace(OPTIONS, causal=True))
        yield context
