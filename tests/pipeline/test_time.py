"""Tables with points in time: alerts spread over time, drift is said, cycles are learned, each model copes."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from anomalo import AnomalyDetector, TableImputer
from anomalo.pipeline.cell_tables import cells_table
from anomalo.pipeline.config import FitConfig
from anomalo.pipeline.fitted import Fitted
from anomalo.pipeline.saved_model import load_fitted, save_fitted
from anomalo.plugin import verbs_of
from anomalo.registry.registry import Registry
from anomalo.tabular.schema import infer

REGISTRY = Registry.load()
SMALL: dict[str, Any] = {"epochs": 1, "timesteps": 10, "gibbs_steps": 1, "trees": 5}
SCORERS = [
    name
    for name, (model, *_) in REGISTRY.models.items()
    if "score" in verbs_of(model) and "table" in model.modalities and name != "classifier"
]

QUICK = {"auto", "iforest", "knn", "linear", "rbm", "residual", "undercomplete"}


def log(rows: int, seed: int = 0, *, drift: bool = False) -> pd.DataFrame:
    """A stationary log with a daily cycle; with `drift`, its last fifth is otherwise."""
    rng = np.random.default_rng(seed)
    time = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.sort(rng.uniform(0, 120 * 86_400, rows)).round(), unit="s")
    load = 50 + 20 * np.sin((time.hour - 8) / 24 * 2 * np.pi).to_numpy() + rng.normal(0, 3, rows)
    latency = np.exp(rng.normal(3, 0.4, rows)) * (1 + load / 100)
    status = rng.choice(["ok", "retry", "error"], rows, p=[0.9, 0.08, 0.02])
    frame = pd.DataFrame({"time": time.as_unit("us"), "load": load, "latency": latency, "status": status})
    if drift:
        frame.loc[int(0.8 * rows) :, ["load", "latency"]] = frame[["load", "latency"]] * [1.0, 1.8] + [25.0, 0.0]
    return frame


def nights(seed: int, spikes: int = 15) -> tuple[pd.DataFrame, np.ndarray]:
    """A load that is high by day, with spikes by night no higher than a usual day, and where these are."""
    rng = np.random.default_rng(seed)
    time = pd.date_range("2024-03-01", periods=3000, freq="30min").as_unit("us")
    day = (time.hour >= 8) & (time.hour < 20)
    load = np.where(day, 100, 10) + rng.normal(0, 5, 3000)
    at = rng.choice(np.flatnonzero(~day), spikes, replace=False)
    load[at] = 100 + rng.normal(0, 5, spikes)
    return pd.DataFrame({"time": time, "load": load.round(1), "other": rng.normal(size=3000).round(2)}), at


def alerts(frame: pd.DataFrame, share: float) -> np.ndarray:
    """The most anomalous rows, as shares of the table."""
    p = AnomalyDetector(device="cpu").fit(frame).p_values(frame)
    return np.argsort(p, kind="stable")[: round(share * len(frame))] / len(frame)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_alerts_of_a_stationary_log_spread_over_time(seed: int) -> None:
    at = alerts(log(5000, seed), 0.02)
    assert 0.12 <= ((at < 0.1) | (at >= 0.9)).mean() <= 0.28


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_drift_is_said_and_is_not_half_of_the_alerts(seed: int) -> None:
    with pytest.warns(UserWarning, match="the table drifts with 'time': rows from 2024-04-0"):
        at = alerts(log(5000, seed, drift=True), 0.02)
    assert (at >= 0.8).mean() < 0.5


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:model 'auto' predicts hidden cells no better", "ignore:about .* training rows")
@pytest.mark.parametrize("seed", range(10))
def test_spikes_of_a_short_log_come_first_and_alerts_are_not_at_its_ends(seed: int) -> None:
    rng = np.random.default_rng(seed)
    value = rng.normal(50, 4, 600)
    spikes = rng.choice(np.arange(60, 540), 3, replace=False)
    value[spikes] += rng.choice([-1, 1], 3) * rng.uniform(21, 40, 3)
    time = pd.date_range("2024-01-01", periods=600, freq="h").as_unit("us")
    found = alerts(pd.DataFrame({"when": time, "value": value.round(2), "line": rng.choice(["A", "B"], 600)}), 0.05)
    assert set((found[:3] * 600).round().astype(int)) == set(spikes)
    assert ((found < 0.1) | (found >= 0.9)).sum() <= 12


@pytest.mark.filterwarnings("ignore:about .* training rows look anomalous")
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_spikes_at_night_are_found(seed: int) -> None:
    frame, at = nights(seed)
    ranked = alerts(frame, 2 * len(at) / len(frame)) * len(frame)
    assert set(at) <= set(ranked.round().astype(int))


@pytest.mark.parametrize("seed", range(2))
def test_gaps_are_filled_by_the_daily_cycle(seed: int) -> None:
    rng = np.random.default_rng(seed)
    time = pd.date_range("2024-03-01", periods=2000, freq="30min").as_unit("us")
    truth = 20 + 21 * np.sin((time.hour + time.minute / 60 - 9) / 24 * 2 * np.pi).to_numpy() + rng.normal(0, 2, 2000)
    gap = np.zeros(2000, dtype=bool)
    for start in rng.choice(1900, 8, replace=False):
        gap[start : start + rng.integers(10, 50)] = True
    frame = pd.DataFrame({"time": time, "temperature": np.where(gap, np.nan, truth), "wind": rng.gamma(2, 2, 2000)})
    filled = TableImputer(device="cpu").fit_transform(frame)["temperature"].to_numpy()
    error = np.sqrt(np.mean((filled - truth)[gap] ** 2))
    assert error <= 4
    assert error < 0.3 * np.sqrt(np.mean((truth[gap] - truth[~gap].mean()) ** 2))


def seasons(rows: int, seed: int, *, cycle: bool = True) -> tuple[pd.DataFrame, np.ndarray]:
    """A log of three years, its temperatures with a yearly cycle, and what is expected of each."""
    rng = np.random.default_rng(seed)
    time = pd.Timestamp("2021-01-01") + pd.to_timedelta(np.sort(rng.uniform(0, 1095, rows)) * 86_400 // 1, unit="s")
    expected = 10 + 12 * np.cos((time.day_of_year.to_numpy() - 200) / 365 * 2 * np.pi) * cycle
    frame = pd.DataFrame({"time": time.as_unit("us"), "temperature": (expected + rng.normal(0, 2, rows)).round(1)})
    return frame.assign(demand=np.exp(rng.normal(3, 0.3, rows)).round(1)), expected


@pytest.mark.parametrize("seed", range(2))
def test_gaps_of_weeks_are_filled_by_the_day_of_the_year(seed: int) -> None:
    frame, expected = seasons(1500, seed)
    truth, day = frame["temperature"].to_numpy().copy(), (frame["time"] - frame["time"][0]).dt.days.to_numpy()
    gap = (day % 150 < 35) & (day > 100)
    frame.loc[gap, "temperature"] = np.nan
    filled = TableImputer(device="cpu").fit_transform(frame)["temperature"].to_numpy()
    noise, error = (np.sqrt(np.mean((one - truth)[gap] ** 2)) for one in (expected, filled))
    assert error < 1.1 * noise  # 1.2 times the noise by months alone


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:about .* training rows look anomalous")
@pytest.mark.parametrize("seed", range(2))
def test_temperatures_of_the_opposite_season_are_found(seed: int) -> None:
    frame, expected = seasons(1500, seed)
    at = np.random.default_rng(seed).choice(np.flatnonzero(np.abs(expected - 10) > 7), 15, replace=False)
    frame.loc[at, "temperature"] = (20 - expected[at]).round(1)
    ranked = (alerts(frame, 0.02) * len(frame)).round().astype(int)
    assert len(set(at) & set(ranked)) >= 14  # 12 and 9 by months alone


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:model 'auto' predicts hidden cells no better", "ignore:about .* training rows")
@pytest.mark.parametrize("seed", range(5))
def test_alerts_of_a_stationary_log_of_years_lie_evenly_over_time(seed: int) -> None:
    frame, _ = seasons(5000, seed, cycle=False)
    at = alerts(frame, 0.02)
    assert 0.12 <= ((at < 0.1) | (at >= 0.9)).mean() <= 0.28
    day = frame["time"].dt.day_of_year.to_numpy()[(at * len(frame)).round().astype(int)]
    assert ((day <= 36) | (day > 329)).mean() <= 0.32  # about the turns of years, where .2 is to be expected


def test_a_row_out_of_season_says_which_season_is_expected() -> None:
    frame, expected = seasons(1500, 0)
    at = int(np.argmin(expected[:600]))  # in January
    frame.loc[at, "temperature"] = 22.0
    cells = AnomalyDetector("knn", device="cpu").fit(frame).explain(frame.iloc[[at]]).set_index("column")
    assert cells["contribution"].idxmax() == "temperature"
    day, month = cells.loc["time", "expected"].removeprefix("about ").split()
    assert month in ("June", "July", "August")
    assert 1 <= int(day) <= 31


@pytest.mark.parametrize(
    "model", [pytest.param(name, marks=() if name in QUICK else pytest.mark.matrix) for name in SCORERS]
)
def test_no_model_takes_the_ends_of_time_for_evidence(model: str) -> None:
    """The rows are equal but for the time: only what is far outside is anomalous, and no day of a model's use."""
    params = {name: value for name, value in SMALL.items() if name in REGISTRY.create(model).params()}
    rng = np.random.default_rng(3)
    frame = log(300, seed=3)
    frame["load"] = rng.permutation(frame["load"])
    table = pa.Table.from_pandas(frame, preserve_index=False)
    config = FitConfig(model, params, goals=frozenset({"score"}), calibrate=False, device="cpu")
    fitted = Fitted.fit(table, infer(table), config, REGISTRY).fitted
    first = table.slice(150, 1)
    middle, end = first["time"][0].as_py(), table["time"][299].as_py()
    week = pd.Timedelta("7D")
    near = middle + ((end - middle) // week) * week  # the same hour and weekday
    times = (middle, near, middle + 100 * week, middle + 500 * week)
    rows = pa.concat_tables([first.set_column(0, "time", pa.array([when], table["time"].type)) for when in times])
    score = fitted.score(fitted.encode(rows)).score
    assert score == pytest.approx(np.full(len(times), score[0]))


def test_a_saved_model_gives_the_same_scores_and_words(tmp_path: Path) -> None:
    table = pa.Table.from_pandas(log(2600, drift=True), preserve_index=False)
    config = FitConfig("knn", goals=frozenset({"score"}), device="cpu")
    fitted = Fitted.fit(table, infer(table), config, REGISTRY).fitted
    assert len(fitted.regimes.ends)
    save_fitted(fitted, tmp_path / "model")
    again = load_fitted(tmp_path / "model", REGISTRY)
    batch, rows = table.slice(2100, 200).to_batches()[0], np.arange(200)
    here, there = (
        [one.score(one.encode(batch)).score, cells_table(one, batch, rows, one.encode(batch))]
        for one in (fitted, again)
    )
    np.testing.assert_array_equal(here[0], there[0])
    assert here[1].equals(there[1])
    assert any("drifts" in warning for warning in again.warnings)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:model 'auto' predicts hidden cells no better")
def test_an_unusual_hour_is_named_with_the_usual_ones() -> None:
    rng = np.random.default_rng(0)
    days = rng.integers(0, 90, 2000)
    seconds = days * 86_400 + rng.integers(8 * 3600, 18 * 3600, 2000)
    frame = pd.DataFrame(
        {"time": pd.Timestamp("2024-01-01") + pd.to_timedelta(seconds, unit="s"), "x": rng.normal(size=2000)}
    )
    frame["time"] = frame["time"].astype("datetime64[us]")
    frame.loc[5, "time"] = pd.Timestamp("2024-02-03 02:10")
    cells = AnomalyDetector(device="cpu").fit(frame).explain(frame.iloc[[5]]).set_index("column")
    assert cells["contribution"].idxmax() == "time"
    assert cells.loc["time", "observed"] == "2024-02-03 02:10:00"
    assert cells.loc["time", "expected"] == "between 08:00 and 18:00"


@pytest.mark.slow
def test_a_moment_far_from_all_others_is_found() -> None:
    frame = log(1000)
    frame.loc[10, "time"] = pd.Timestamp("2091-02-01 12:00")
    detector = AnomalyDetector(device="cpu").fit(frame)
    assert detector.p_values(frame).argmin() == 10
    cells = detector.explain(frame.iloc[[10]]).set_index("column")
    assert cells.loc["time", "expected"].startswith("between 2024-01-0")
