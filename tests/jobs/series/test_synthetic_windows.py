"""`anomalo augment` of series: windows point by point, on the scale of a series."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from anomalo.errors import UsageError
from anomalo.jobs.context import JobContext
from anomalo.jobs.fitting.fit import fit
from anomalo.jobs.synthesis.augment import AugmentResult, SampleRequest, augment
from anomalo.pipeline.config import FitConfig
from anomalo.tabular.schema import SchemaOptions

WIDTH = 12
OPTIONS = SchemaOptions(time="time", entity="pump", window=WIDTH)


@pytest.fixture(scope="module")
def sampling(place: JobContext) -> JobContext:
    """The workspace with the model `windows`, learned from two pumps, and `steps`, of one whose channel is `step`."""
    source = place.store.workspace.parent / "pumps.csv"
    fit(place, str(source), "windows", FitConfig("window-bootstrap"), OPTIONS)
    table = pd.read_csv(source).query("pump == 'a'").rename(columns={"flow": "step"})
    table["odd"] = np.where(table["step"] > 2, "yes", "no")
    table.drop(columns="pump").to_csv(source.with_name("steps.csv"), index=False)
    one = replace(OPTIONS, entity=None, label="odd")
    fit(place, str(source.with_name("steps.csv")), "steps", FitConfig("window-bootstrap"), one)
    return place


def drawn(place: JobContext, windows: int, name: str = "made.csv", model: str = "windows", **more: object) -> Path:
    out = place.store.workspace.parent / name
    out.unlink(missing_ok=True)
    result = made(place, windows, model, out, **more)
    assert result.table == out
    assert result.rows == windows * WIDTH
    return out


def made(
    place: JobContext, windows: int | None, model: str = "windows", out: Path | None = None, **more: object
) -> AugmentResult:
    return augment(place, model, SampleRequest(windows, **more), output=out)  # type: ignore[arg-type]


def test_windows_are_written_point_by_point_on_the_scale_of_a_series(sampling: JobContext) -> None:
    table = pd.read_csv(drawn(sampling, 40))
    assert list(table.columns) == ["window", "step", "pump", "flow", "heat"]
    assert (table["window"] == np.repeat(np.arange(40), WIDTH)).all()
    assert (table["step"] == np.tile(np.arange(WIDTH), 40)).all()
    assert (table.groupby("window")["pump"].nunique() == 1).all()
    assert set(table["pump"]) == {"a", "b"}
    real = pd.read_csv(sampling.store.workspace.parent / "pumps.csv")
    for pump in ("a", "b"):
        here, there = table[table["pump"] == pump]["flow"], real[real["pump"] == pump]["flow"]
        assert here.median() == pytest.approx(there.median(), abs=0.3 * there.std())
        assert here.std() == pytest.approx(there.std(), rel=0.3)


def test_a_window_of_one_series_is_one_of_training(sampling: JobContext) -> None:
    table = pd.read_csv(drawn(sampling, 5, model="steps"))
    assert list(table.columns) == ["window", "step_", "step", "heat"]
    real = pd.read_csv(sampling.store.workspace.parent / "steps.csv")[["step", "heat"]].to_numpy()
    windows = np.lib.stride_tricks.sliding_window_view(real, WIDTH, axis=0).transpose(0, 2, 1)
    for _, window in table.groupby("window"):
        assert np.nanmin(np.abs(windows - window[["step", "heat"]].to_numpy()).max(axis=(1, 2))) < 2e-3


def test_a_series_may_be_named_as_our_columns_are(sampling: JobContext) -> None:
    source = sampling.store.workspace.parent / "windows.csv"
    pd.read_csv(source.with_name("pumps.csv")).rename(columns={"pump": "window"}).to_csv(source, index=False)
    fit(sampling, str(source), "named", FitConfig("window-bootstrap"), replace(OPTIONS, entity="window"))
    table = pd.read_csv(drawn(sampling, 3, model="named"))
    assert list(table.columns) == ["window_", "step", "window", "flow", "heat"]
    assert set(table["window"]) <= {"a", "b"}


def test_the_seed_decides_and_the_first_windows_stay(sampling: JobContext) -> None:
    one, again, more = (drawn(sampling, count, f"{at}.csv") for at, count in enumerate((6, 6, 9)))
    assert one.read_bytes() == again.read_bytes()
    assert more.read_text().startswith(one.read_text())
    assert drawn(sampling, 6, "other.csv", seed=1).read_bytes() != one.read_bytes()


def test_no_point_breaks_a_constraint(sampling: JobContext) -> None:
    free = pd.read_csv(drawn(sampling, 30))
    out = drawn(sampling, 30, constraints=["heat <= 21"])
    assert free["heat"].max() > 21 >= pd.read_csv(out)["heat"].max()
    summary = made(sampling, 30, constraints=["heat <= 21"]).run.summary
    assert 0 < summary["repaired"] <= summary["redrawn"] <= 30
    assert (summary["windows"], summary["rows"]) == (30, 30 * WIDTH)
    assert "windows broke a constraint" in summary["warnings"][0]


def test_windows_are_drawn_whole(sampling: JobContext) -> None:
    with pytest.raises(UsageError, match="drawn whole: give -n alone"):
        made(sampling, 3, where={"pump": "a"})
    with pytest.raises(UsageError, match="drawn whole: give -n alone"):
        made(sampling, None, given="some.csv")
    with pytest.raises(UsageError, match="cannot sample"):
        made(sampling, 3, "pumps")
