"""Pages of runs of series: charts with bands, gaps, alerts and changes; little is sent, but no spike is lost."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

import anomalo_dashboard
from anomalo.errors import ArtefactError
from anomalo.jobs.series import kept
from anomalo.workspace.workspace import RunRecord, Workspace
from anomalo_dashboard.series import chart, decimation, panel, parts, reading, view

APP = Path(anomalo_dashboard.__file__).with_name("app.py")
HOURS, ODD, GAP, LATER = 720, 300, range(400, 430), 500
NAME = "<b>flow"


def pumps(hours: int, odd: bool) -> pd.DataFrame:
    rng, found = np.random.default_rng(int(odd)), []
    for at, pump in enumerate(("[north]", "south")):
        day = np.sin(np.arange(hours) * np.pi / 12)
        flow = 10 + 20 * at + day + 0.1 * rng.normal(size=hours)
        if odd and not at:
            flow[ODD] += 20
        if odd and at:
            flow[LATER:] += 5
        frame = pd.DataFrame({"time": pd.date_range("2026-01-01", periods=hours, freq="h"), "pump": pump, NAME: flow})
        frame["heat"] = 20 + 2 * day + 0.2 * rng.normal(size=hours)
        frame["mode"] = np.where(day > 0, "day", "night")
        frame.loc[ODD + 20, "mode"] = "<i>off"
        found.append(frame.drop(index=list(GAP)) if odd and not at else frame)
    return pd.concat(found).sort_values(["time", "pump"], kind="stable")


@pytest.fixture(scope="module")
def desk(anomalo: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pumps: one with a spike and a gap, the other with a level that changes."""
    place = tmp_path_factory.mktemp("series")
    pumps(HOURS, False).to_csv(place / "usual.csv", index=False)
    pumps(HOURS, True).to_csv(place / "pumps.csv", index=False)
    of = ("--workspace", place / "ws")
    series = ("--time", "time", "--entity", "pump", "--window", "24")
    for words in (
        ("fit", place / "usual.csv", *series, "--model", "sub_pca", "--as", "pumps", *of),
        ("score", place / "pumps.csv", "--with", "pumps", "--explain", "300", *of),
    ):
        done = anomalo(*words)
        assert done.code == 0, done.err
    return place / "ws"


@pytest.fixture
def run(desk: Path, monkeypatch: pytest.MonkeyPatch) -> RunRecord:
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(desk))
    (found,) = Workspace(desk).runs()
    return found


def opened(name: str, **query: str) -> AppTest:
    app = AppTest.from_file(APP, default_timeout=600)
    app.run().switch_page(f"views/{name}.py")
    app.query_params.update(query)
    app.run()
    assert not app.exception, [error.message for error in app.exception]
    assert not app.error, [error.value for error in app.error]
    return app


def said(app: AppTest) -> str:
    return "\n".join(line.value for kind in (app.markdown, app.caption, app.warning) for line in kind)


def test_alerts_show_a_chart_of_each_channel_and_the_intervals(run: RunRecord) -> None:
    app = opened("alerts")
    assert len(app.get("vega_lite_chart")) == 2
    listed = next(frame.value for frame in app.dataframe if "start" in frame.value)
    assert len(listed) == run.summary["intervals"]
    assert (listed["p_value"].diff().dropna() >= 0).all()
    text = said(app)
    assert "lasting change apart from them" in text
    assert "Level change since" in text
    app.selectbox(key="series").select("[north]").run()
    assert f"{HOURS - len(GAP):,} points of {HOURS - len(GAP):,}" in said(app)


@pytest.mark.slow
def test_buttons_turn_and_enlarge_pages_and_the_address_keeps_them(run: RunRecord) -> None:
    app = opened("alerts", series="south")
    for label, page in (("Zoom in", "270-450"), ("Later", "450-630"), ("Zoom out", "0-720")):
        next(button for button in app.button if button.label == label).click().run()
        assert not app.exception
        assert app.query_params[view.PARAMETER] in (page, [page])
    app = opened("alerts", series="nobody", view="9-x")
    assert "720 points of 720" in said(app), "the series of the most anomalous interval, whole"


@pytest.mark.slow
def test_a_row_is_shown_among_the_points_around_it(run: RunRecord) -> None:
    points = pd.read_parquet(run.path / "points.parquet")
    row = int(points.loc[points[NAME].sub(10).abs() > 15].query("entity == '[north]'")["row"].iloc[0])
    app = opened("row", run=run.id, row=str(row))
    assert len(app.get("vega_lite_chart")) == 2
    assert "120 points of 690" in said(app)


def tables(
    run: RunRecord, series: int, page: tuple[int, int] | None = None, name: str = NAME
) -> dict[str, pd.DataFrame]:
    line = kept.timeline(run.path)
    points = line.of(series)
    return parts.of_channel(run, line, series, (0, points.stop - points.start), NAME, 1, None)


def test_what_is_drawn_is_what_the_run_has(run: RunRecord) -> None:
    truth = pumps(HOURS, True)
    north = truth[truth["pump"] == "[north]"]
    made = tables(run, 0)
    np.testing.assert_allclose(made["line"]["value"], north[NAME], rtol=1e-5)
    assert made["line"]["when"].tolist() == north["time"].astype(str).tolist()
    ((start, end),) = made["gaps"].to_numpy()
    hour, first = 3_600_000, made["line"]["time"][0]
    assert [(start - first) / hour, (end - first) / hour] == [GAP.start - 1, GAP.stop]
    assert made["line"]["piece"].nunique() == 2
    assert len(made["changes"]) == 0
    (change,) = tables(run, 1)["changes"]["start"]
    assert abs((change - first) / hour - LATER) <= 48
    peak = made["intervals"].iloc[0]
    assert first + ODD * hour - 24 * hour <= peak["start"] <= first + ODD * hour <= peak["end"]
    cells = pd.read_parquet(run.path / "cells.parquet").query(f"column == '{NAME}'").set_index("row")
    band = made["band"]
    assert len(band)
    rows = made["line"].set_index("time")["row"][band["time"]].to_numpy()
    np.testing.assert_allclose(band["low"], cells.loc[rows, "low"])
    np.testing.assert_allclose(band["high"], cells.loc[rows, "high"])
    np.testing.assert_allclose(band["expected"], cells.loc[rows, "expected"].astype(float))


def test_a_category_is_drawn_with_a_bar_for_each_stay_at_a_level(run: RunRecord) -> None:
    truth = pumps(HOURS, True)
    north, line = truth[truth["pump"] == "[north]"], kept.timeline(run.path)
    made = parts.of_category(run, line, 0, (0, HOURS - len(GAP)), "mode", 1, None)
    times = pd.to_datetime(north["time"])
    away = (north["mode"] != north["mode"].shift()) | (times.diff() > pd.Timedelta(1, "h"))
    expected = north[away].assign(start=times[away]).sort_values("start")
    bars = made["levels"].sort_values("start")
    assert bars["from"].tolist() == expected["start"].astype(str).tolist()
    assert bars["level"].tolist() == expected["mode"].tolist()
    ends = times.groupby(away.cumsum()).last()
    assert bars["to"].tolist() == ends.astype(str).tolist()
    assert len(made["gaps"]) == 1
    drawn = chart.draw_levels(made, "mode", line.dated, (0.0, 1.0)).to_dict()
    assert drawn["height"] == chart.AXIS + 3 * chart.LINE
    app = opened("alerts", series="[north]")
    app.multiselect[-1].set_value([NAME, "mode"]).run()
    assert not app.exception
    assert len(app.get("vega_lite_chart")) == 2


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 3000), st.integers(1, 8), st.integers(8, 60))
def test_no_level_that_occurs_is_left_out(seed: int, count: int, levels: int, most: int) -> None:
    rng = np.random.default_rng(seed)
    level = np.repeat(rng.integers(-1, levels, count), rng.integers(1, 40, count))[:count]
    slot = np.cumsum(np.where(rng.random(count) < 0.01, 7, 1))
    found = decimation.stays(level, slot, most)
    assert len(found.level) <= most
    for one in range(levels):
        mine = found.level == one
        at = np.flatnonzero(level == one)
        inside = (found.first[mine] <= at[:, None]) & (at[:, None] <= found.last[mine])
        assert (inside.sum(axis=1) == 1).all()
        assert np.isin(found.first[mine], at).all()
        assert np.isin(found.last[mine], at).all()


def test_rare_levels_are_joined() -> None:
    code = np.repeat(np.arange(20, dtype=np.int32), np.arange(30, 10, -1))
    renamed, names = parts._most_frequent(np.append(code, np.int32(-1)), tuple("abcdefghijklmnopqrst"))
    assert names == [*"abcdefg", "13 others"]
    assert np.bincount(renamed[renamed >= 0]).tolist() == [30, 29, 28, 27, 26, 25, 24, sum(range(11, 24))]
    assert renamed[-1] == -1


def test_a_click_on_an_interval_leads_to_its_peak() -> None:
    event = {"selection": {chart.CLICKED: [{"peak_row": 7}]}}
    assert panel.clicked_row(event) == 7
    for nothing in (None, {}, {"selection": {chart.CLICKED: []}}, {"selection": {chart.CLICKED: [{"other": 1}]}}):
        assert panel.clicked_row(nothing) is None


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 2000), st.floats(0, 1), st.integers(8, 100), st.floats(0, 1))
def test_a_spike_of_one_point_never_vanishes(seed: int, count: int, missing: float, most: int, where: float) -> None:
    rng = np.random.default_rng(seed)
    value = np.where(rng.random(count) < missing, np.nan, rng.integers(-9, 9, count)).astype(np.float32)
    slot = np.cumsum(np.where(rng.random(count) < 0.02, rng.integers(1, 500, count), 1))
    found = decimation.drawn(slot.astype(float), value, slot, most)
    assert len(found.at) <= most
    assert len(found.gaps) <= most
    assert (np.diff(found.at) > 0).all()
    assert not np.isnan(value[found.at]).any()
    assert len(found.at) > 0 or np.isnan(value).all()
    spike = int(where * (count - 1))
    for height in (1e6, -1e6):
        value[spike] = height
        assert spike in decimation.drawn(slot.astype(float), value, slot, most).at


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 499), min_size=1, unique=True), st.integers(4, 60))
def test_a_band_keeps_its_widest_ends(at: list[int], most: int) -> None:
    position = np.sort(np.array(at))
    low, high = np.sin(position) - 2, np.cos(position) + 2
    made = decimation.band(position, low, high, (low + high) / 2, 500, most)
    assert len(made) <= max(most, 1)
    assert (made[:, 1].min(), made[:, 2].max()) == (low.min(), high.max())
    whole = decimation.band(position, low, high, low, 500, 500)
    assert whole[:, 0].tolist() == position.tolist()
    assert (np.diff(whole[:, 4]) == (np.diff(position) > 1)).all()


def test_few_thousand_lines_are_sent_of_a_million_points() -> None:
    time = np.arange(1_000_000, dtype=np.float64)
    value = np.random.default_rng(0).normal(size=len(time)).astype(np.float32)
    value[::3], value[500_001] = np.nan, 99
    made = decimation.drawn(time, value, np.arange(len(time)), parts.MOST // 2)
    assert len(made.at) + len(made.gaps) <= parts.MOST // 2
    assert 500_001 in made.at
    assert not len(made.gaps), "gaps that are narrower than a pixel are none"


def test_damaged_files_are_named(run: RunRecord, tmp_path: Path) -> None:
    copied = replace(run, path=Path(shutil.copytree(run.path, tmp_path / "copy")))
    (copied.path / "points.parquet").write_bytes(b"PAR1")
    with pytest.raises(ArtefactError, match="missing or damaged"):
        reading.timeline(copied)
