"""What a run of series keeps beside its scores: points, lasting changes, and what is odd about times."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from anomalo.calibration.contamination import contaminated
from anomalo.calibration.thresholds import Threshold
from anomalo.errors import GateError
from anomalo.jobs.context import JobContext
from anomalo.jobs.daily.metrics import openmetrics
from anomalo.jobs.daily.run import DailyResult
from anomalo.jobs.fitting.fit import fit
from anomalo.jobs.scoring.score import ScoreResult, score
from anomalo.jobs.series import kept
from anomalo.jobs.series.follow import Followed, follow
from anomalo.pipeline.config import FitConfig
from anomalo.tabular.schema import SchemaOptions

BLOCK, SHIFTED = 36, 200
"""Three windows of 12 points, and the hour from which on a pump has another flow."""


@pytest.fixture(scope="module")
def hours(place: JobContext) -> Callable[..., ScoreResult]:
    """Scores 500 hours of two pumps, of which one changes, by a model of 600 usual hours."""
    folder = place.store.workspace.parent

    def frame(count: int, shift: float) -> pd.DataFrame:
        rng, both = np.random.default_rng(count), []
        for pump, level in (("a", 0.0), ("b", 100.0)):
            flow = level + np.sin(np.arange(count) / 6 * np.pi) + 0.1 * rng.normal(size=count)
            flow[SHIFTED:] += shift * (pump == "b")
            time = pd.Timestamp("2026-03-01") + pd.to_timedelta(np.arange(count), "h")
            both.append(
                pd.DataFrame(
                    {
                        "time": time,
                        "pump": pump,
                        "flow": flow.round(4),
                        "mode": np.where(np.arange(count) % 2, "on", "off"),
                    }
                )
            )
        return pd.concat(both).sort_values(["time", "pump"], kind="stable")

    frame(600, 0).to_csv(folder / "long.csv", index=False)
    options = SchemaOptions(time="time", entity="pump", window=12)
    fit(place, str(folder / "long.csv"), "long", FitConfig("window-pca"), options)

    def scored(
        name: str, shift: float, change: Callable[[pd.DataFrame], pd.DataFrame] = lambda rows: rows, **of: Any
    ) -> Any:
        change(frame(500, shift)).to_csv(folder / f"{name}.csv", index=False)
        return score(replace(place, **of), str(folder / f"{name}.csv"), "long", threshold=Threshold.parse("budget=4"))

    return scored


@pytest.fixture(scope="module")
def shifted(hours: Callable[..., ScoreResult]) -> ScoreResult:
    return hours("shifted", 3.0)


def test_a_level_that_changes_is_said_with_time_and_channel(shifted: ScoreResult) -> None:
    (change,) = kept.changes(shifted.run.path).to_dict("records")
    assert (change["entity"], change["channel"], change["kind"]) == ("b", "flow", "level")
    assert pd.isna(change["end"])
    assert 0 <= SHIFTED - change["start_row"] // 2 < BLOCK
    assert change["start"] == str(pd.Timestamp("2026-03-01") + pd.Timedelta(change["start_row"] // 2, "h"))
    assert [change["before"], change["after"]] == pytest.approx([100, 103], abs=0.4)
    assert shifted.run.summary["changes"] == 1
    (said,) = [text for text in shifted.warnings if "level change" in text]
    assert said.startswith(f"level change since {change['start']} in 'flow' of 'b', from 100")


def test_nothing_is_said_where_nothing_changes(hours: Callable[..., ScoreResult]) -> None:
    found = hours("usual", 0.0)
    assert found.run.summary["changes"] == 0
    assert not len(kept.changes(found.run.path))
    assert not [text for text in found.warnings if "since" in text or "not in the file" in text]


@pytest.mark.parametrize("mixed", [False, True])
def test_batches_and_the_order_of_rows_change_nothing(
    hours: Callable[..., ScoreResult], shifted: ScoreResult, mixed: bool
) -> None:
    order = np.random.default_rng(0).permutation(1000) if mixed else np.arange(1000)
    found = hours(f"mixed-{mixed}", 3.0, lambda rows: rows.iloc[order], batch_rows=170)
    columns = ["entity", "channel", "kind", "start", "before", "after", "size"]
    expected = kept.changes(shifted.run.path)
    pd.testing.assert_frame_equal(kept.changes(found.run.path)[columns], expected[columns])
    one, other = (kept.timeline(run.path) for run in (shifted.run, found.run))
    np.testing.assert_array_equal(one.time, other.time)
    assert one.names == other.names == ("a", "b")
    flows = [kept.channel(run.path, "flow")[line.row] for run, line in ((shifted.run, one), (found.run, other))]
    np.testing.assert_array_equal(*flows)


def test_points_are_those_of_the_source(shifted: ScoreResult) -> None:
    truth = pd.read_csv(shifted.run.source, parse_dates=["time"])
    points = pd.read_parquet(shifted.run.path / "points.parquet")
    assert points["row"].tolist() == list(range(len(truth)))
    assert (kept.channels(shifted.run.path), kept.categories(shifted.run.path)) == (["flow"], ["mode"])
    mode = kept.category(shifted.run.path, "mode")
    assert [mode.levels[code] for code in mode.code] == truth["mode"].tolist()
    np.testing.assert_allclose(points["flow"], truth["flow"], rtol=1e-6, atol=1e-5)
    assert (points["time"].to_numpy() == truth["time"].to_numpy()).all()
    assert points["entity"].tolist() == truth["pump"].tolist()
    for _, pump in points.groupby("entity"):
        assert (pump["slot"].diff().dropna() == 1).all()


def test_points_that_are_absent_or_doubled_are_named(hours: Callable[..., ScoreResult]) -> None:
    def changed(rows: pd.DataFrame) -> pd.DataFrame:
        gone = (rows["pump"] == "a") & rows["time"].between("2026-03-05", "2026-03-05 09:00")
        rest = rows[~gone]
        return pd.concat([rest, rest.iloc[:3]]).sort_values(["time", "pump"], kind="stable")

    found = hours("odd", 0.0, changed)
    said = "\n".join(found.warnings)
    assert "10 points not in the file, in 1 gap of which the longest has 10" in said
    assert "3 points at the time of another one of the same series" in said
    line = kept.timeline(found.run.path)
    steps = np.diff(line.slot[line.of(0)])
    assert sorted(steps[steps != 1]) == [11]


def test_a_daily_job_counts_intervals(shifted: ScoreResult) -> None:
    number = shifted.run.summary["intervals"]
    assert number < shifted.run.summary["alerts"]

    def job(limit: int) -> DailyResult:
        of: Any = SimpleNamespace(
            gates=SimpleNamespace(fail_over=limit, fail_on_drift=False), output=Path("scores.csv")
        )
        return DailyResult(of, shifted.run, shifted, [])

    job(number).require()
    with pytest.raises(GateError, match=f"^{number} intervals? of alerts, more than fail_over = {number - 1}"):
        job(number - 1).require()
    text = openmetrics(shifted.run, 0.0)
    assert f'anomalo_alert_intervals{{model="long"}} {float(number)}' in text
    assert 'anomalo_changes{model="long"} 1.0' in text


def test_the_warning_of_anomalous_training_points_says_what_they_are() -> None:
    rng = np.random.default_rng(0)
    scores = np.sort(np.concatenate([rng.exponential(size=1960), 60 + rng.exponential(size=40)]))
    of_rows, of_points = contaminated(scores), contaminated(scores, 24)
    assert of_rows is not None
    assert of_points is not None
    assert "training rows look anomalous, and" in of_rows
    assert "training points look anomalous (one event raises all points within 24 of it" in of_points


def test_changes_are_said_while_a_file_is_followed(
    hours: Callable[..., ScoreResult], place: JobContext, tmp_path: Path
) -> None:
    def there_and_back(rows: pd.DataFrame) -> pd.DataFrame:
        hour = (rows["time"] - rows["time"].min()) / pd.Timedelta(1, "h")
        return rows.assign(flow=rows["flow"] + 3.0 * (hour.between(36, 215) & (rows["pump"] == "b")))

    lasting, over = hours("follow-lasting", 3.0), hours("follow-over", 0.0, there_and_back)
    for whole in (lasting, over):
        said, found = _followed(place, whole.run.source, tmp_path / f"{whole.run.id}.csv")
        expected = kept.changes(whole.run.path)
        assert found.changes == len(expected) == 1
        (begun, *later) = said
        (start,) = expected["start"]
        assert begun.startswith(f"level change since {start} in 'flow' of 'b', from 100")
        assert begun.endswith("fit again where it is here to stay")
        ended = bool(expected["end"].notna().all())
        assert ended == (whole is over)
        assert len(later) == ended
        assert all(text.startswith(f"level change since {start}") and text.endswith("is over") for text in later)


def _followed(place: JobContext, source: str, out: Path) -> tuple[list[str], Followed]:
    """Follow a file that grows by pieces of whole and of broken lines; return what was said, and the numbers."""
    content, growing = Path(source).read_bytes(), out.with_suffix(".growing.csv")
    ends = iter([*range(0, len(content), 3001), len(content)])
    growing.write_bytes(b"")

    def grow() -> bool:
        end = next(ends, None)
        growing.write_bytes(content if end is None else content[:end])
        return end is not None

    said: list[str] = []
    return said, follow(place, str(growing), "long", out, Threshold.parse("share=0.01"), wait=grow, say=said.extend)


def test_what_moved_within_the_training_rows_is_said_by_the_fit_and_by_their_scores(
    hours: Callable[..., ScoreResult], place: JobContext
) -> None:
    source = hours("half", 3.0).run.source
    fitted = fit(place, source, "half", FitConfig("window-pca"), SchemaOptions(time="time", entity="pump", window=12))
    said = [text for text in fitted.warnings if "within the training rows" in text]
    found = score(place, source, "half", threshold=Threshold.parse("budget=4"))
    assert said == [text for text in found.warnings if "within the training rows" in text]
    (change,) = kept.changes(found.run.path).to_dict("records")
    assert (change["entity"], change["channel"], change["kind"]) == ("b", "flow", "level")
    assert abs(SHIFTED - change["start_row"] // 2) < BLOCK
    assert f"level change since {change['start']} in 'flow' of 'b', from 100" in said[0]
    assert "both levels are usual to the model" in said[0]
    assert found.run.summary["changes"] == 1
    later = score(place, hours("later", 0.0).run.source, "half", threshold=Threshold.parse("budget=4"))
    assert not [text for text in later.warnings if "within the training rows" in text]
