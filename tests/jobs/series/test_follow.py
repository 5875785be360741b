"""Rows that are appended to a file are scored as they come."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from anomalo.calibration.thresholds import Threshold
from anomalo.errors import OutputError, SourceError, UsageError
from anomalo.jobs.context import JobContext
from anomalo.jobs.fitting.fit import fit
from anomalo.jobs.scoring.score import score
from anomalo.jobs.series.follow import Followed, follow
from anomalo.pipeline.config import FitConfig
from anomalo.tabular.schema import SchemaOptions

WIDTH = 12
SHARE = Threshold.parse("share=0.05")


def source(place: JobContext, name: str = "pumps.csv") -> str:
    return str(place.store.workspace.parent / name)


class Growing:
    """A source that grows by pieces of the lines of another one, whole or not, each time it is waited for."""

    def __init__(self, path: Path, lines: bytes, sizes: list[int]) -> None:
        self.path, self.left, self.sizes = path, lines, iter(sizes)
        path.write_bytes(b"")
        self.grow()

    def grow(self) -> bool:
        size = next(self.sizes, None)
        if size is None:
            return False
        with self.path.open("ab") as file:
            file.write(self.left[:size])
        self.left = self.left[size:]
        return True


@pytest.fixture
def grow(place: JobContext) -> Callable[[list[int]], Growing]:
    content = Path(source(place)).read_bytes()
    path = Path(source(place, "growing.csv"))
    return lambda sizes: Growing(path, content, [*sizes, len(content)])


def run(place: JobContext, growing: Growing, out: Path, resume: bool = False, model: str = "causal") -> Followed:
    return follow(place, str(growing.path), model, out, SHARE, resume=resume, wait=growing.grow)


@pytest.fixture
def out(place: JobContext) -> Iterator[Path]:
    path = Path(source(place, "followed.csv"))
    yield path
    path.unlink(missing_ok=True)


def test_rows_are_scored_as_in_one_batch(place: JobContext, grow: Callable[[list[int]], Growing], out: Path) -> None:
    found = run(place, grow([10, 700, 33, 2000, 1, 1, 4000]), out)
    lines, whole = pd.read_csv(out), score(place, source(place), "causal")
    assert found.rows == len(lines) == len(whole.score)
    assert lines["row"].tolist() == list(range(found.rows))
    assert lines["score"].tolist() == whole.score.tolist()
    assert lines["p_value"].tolist() == whole.p_value.tolist()
    assert lines["alert"].tolist() == (whole.p_value <= 0.05).tolist()
    assert found.alerts == lines["alert"].sum() > 0
    assert (lines["reasons"] != "[]").tolist() == lines["alert"].tolist()


def test_a_mean_score_is_written_when_it_is_final(
    place: JobContext, grow: Callable[[list[int]], Growing], out: Path
) -> None:
    found = run(place, grow([10, 700, 33, 2000, 1, 1, 4000]), out, model="pumps")
    lines, whole = pd.read_csv(out), score(place, source(place), "pumps")
    last = 2 * (WIDTH - 1)  # of each of the two series, the rows that later windows would have a say on
    assert (found.rows, found.waiting) == (len(whole.score) - last, last)
    assert lines["row"].tolist() == list(range(found.rows))
    assert lines["score"].tolist() == whole.score[:-last].tolist()
    assert lines["p_value"].tolist() == whole.p_value[:-last].tolist()
    assert found.alerts == (whole.p_value[:-last] <= 0.05).sum() > 0


def test_a_series_that_stands_still_does_not_hold_up_the_others(
    place: JobContext, grow: Callable[[list[int]], Growing], out: Path
) -> None:
    content = Path(source(place)).read_bytes().splitlines(keepends=True)
    kept = [line for at, line in enumerate(content) if at < 100 or b",a," in line]
    growing = Growing(Path(source(place, "growing.csv")), b"".join(kept), [3000, 10**6])
    found = run(place, growing, out, model="pumps")
    lines, table = pd.read_csv(out), pd.read_csv(growing.path)
    assert found.waiting == 2 * (WIDTH - 1)
    assert set(range(len(table))) - set(lines["row"]) == {
        *table.index[table["pump"] == "a"][1 - WIDTH :],
        *table.index[table["pump"] == "b"][1 - WIDTH :],
    }
    whole = score(place, str(growing.path), "pumps")
    assert lines["score"].tolist() == whole.score[lines["row"]].tolist()
    expected = sorted(out.read_bytes().splitlines())
    out.write_bytes(b"".join(out.read_bytes().splitlines(keepends=True)[:150]))
    growing = Growing(growing.path, b"".join(kept), [2000, 5, 10**6])
    run(place, growing, out, resume=True, model="pumps")
    assert sorted(out.read_bytes().splitlines()) == expected


def test_a_gap_makes_the_scores_before_it_final(place: JobContext, out: Path) -> None:
    rng = np.random.default_rng(0)
    steps = rng.uniform(0.5, 3.0, 300)  # not regular
    steps[150] = 1000.0
    table = pd.DataFrame({"time": np.cumsum(steps), "flow": rng.normal(size=300).round(3)})
    path = source(place, "gap.csv")
    table.to_csv(path, index=False)
    fit(place, path, "gap", FitConfig("window-pca"), SchemaOptions(time="time", window=WIDTH))
    growing = Growing(Path(source(place, "growing.csv")), Path(path).read_bytes(), [10**6])
    growing.path.write_text("".join(Path(path).read_text().splitlines(keepends=True)[:152]))  # one row after the gap
    assert follow(place, str(growing.path), "gap", out, SHARE, wait=lambda: False).waiting == 1
    whole = score(place, path, "gap")
    assert pd.read_csv(out)["score"].tolist() == whole.score[:150].tolist()


def test_it_goes_on_behind_whole_lines(place: JobContext, grow: Callable[[list[int]], Growing], out: Path) -> None:
    run(place, grow([3000]), out)
    expected = out.read_bytes()
    kept = expected[: len(expected) // 2]
    out.write_bytes(kept)
    before = kept.count(b"\n") - 1
    assert run(place, grow([5000]), out, resume=True).rows == expected.count(b"\n") - 1 - before
    assert out.read_bytes() == expected
    json_lines = out.with_suffix(".jsonl")
    run(place, grow([3000]), json_lines)
    assert pd.read_json(json_lines, lines=True)["score"].tolist() == pytest.approx(pd.read_csv(out)["score"].tolist())
    json_lines.unlink()


def test_an_interruption_ends_it(place: JobContext, grow: Callable[[list[int]], Growing], out: Path) -> None:
    growing = grow([4000])

    def stop() -> bool:
        raise KeyboardInterrupt

    found = follow(place, str(growing.path), "causal", out, SHARE, wait=stop)
    assert found.rows == len(pd.read_csv(out)) > 50


def test_what_cannot_be_followed_is_refused(place: JobContext, grow: Callable[[list[int]], Growing], out: Path) -> None:
    growing = grow([4000])
    with pytest.raises(UsageError, match="cannot apply budget=3, which depends on rows to come"):
        follow(place, str(growing.path), "causal", out, Threshold.parse("budget=3"))
    with pytest.raises(UsageError, match=r"appends to a file that ends in \.csv or \.jsonl"):
        follow(place, str(growing.path), "causal", out.with_suffix(".parquet"), SHARE)
    with pytest.raises(SourceError, match="no such file"):
        follow(place, "nowhere.csv", "causal", out, SHARE)
    out.write_text("a,b\n1,2\n")
    with pytest.raises(UsageError, match="exists; continue behind its lines with --resume"):
        follow(place, str(growing.path), "causal", out, SHARE)
    with pytest.raises(OutputError, match="has other lines than scores"):
        follow(place, str(growing.path), "causal", out, SHARE, resume=True)


def test_a_source_that_goes_back_is_refused(place: JobContext, grow: Callable[[list[int]], Growing], out: Path) -> None:
    growing = grow([4000])

    def cut() -> bool:
        growing.path.write_bytes(growing.path.read_bytes()[:100])
        return True

    with pytest.raises(SourceError, match="was cut while it was followed"):
        follow(place, str(growing.path), "causal", out, SHARE, wait=cut)
    out.unlink()
    growing = grow([])

    def late() -> bool:
        first = Path(source(place)).read_bytes().splitlines(keepends=True)[1]
        with growing.path.open("ab") as file:
            file.write(first)
        return True

    with pytest.raises(SourceError, match="earlier than one before it"):
        follow(place, str(growing.path), "causal", out, SHARE, wait=late)
