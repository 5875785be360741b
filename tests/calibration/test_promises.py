"""What p-values and thresholds guarantee, and the warnings when they cannot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from anomalo.calibration.column_drift import UNSEEN_BIN, Marginals
from anomalo.calibration.conformal import Calibration
from anomalo.calibration.contamination import contaminated, count_anomalous
from anomalo.calibration.drift import drift, one_sided
from anomalo.calibration.tally import Tally
from anomalo.calibration.thresholds import Threshold
from anomalo.encoding.encoded import Encoded
from anomalo.encoding.layout import Block, Layout
from anomalo.estimators.detector import AnomalyDetector
from anomalo.jobs.context import JobContext
from anomalo.jobs.fitting.fit import fit
from anomalo.jobs.scoring.score import score
from anomalo.pipeline.config import FitConfig
from anomalo.tabular.schema import SchemaOptions

Floats = NDArray[np.float64]


def hashes(rows: int, first: int = 0) -> NDArray[np.uint64]:
    return np.arange(first, first + rows, dtype=np.uint64)


# The guarantee of fdr=.


def test_the_false_discovery_proportion_is_what_was_asked_for_and_few_detections_are_lost() -> None:
    found, false, exact = [], [], 0
    for table in range(200):
        rng = np.random.default_rng([table, 1])
        calibration = Calibration.from_scores(rng.exponential(size=1000), hashes(1000))
        scores = np.concatenate([rng.exponential(size=940), 7 + rng.exponential(size=60)])
        alert = Threshold("fdr", 0.1).alerts(calibration.p_values(scores, hashes(1000, first=1000)), scores)
        false.append(alert[:940].sum() / max(alert.sum(), 1))
        found.append(alert[940:].sum())
        # The exact p-value of an exponential score, by scipy's procedure.
        exact += (stats.false_discovery_control(np.exp(-scores)) <= 0.1)[940:].sum()
    assert np.mean(false) <= 0.1 + 2 * np.std(false, ddof=1) / np.sqrt(200)
    assert np.sum(found) >= 0.8 * exact


def test_p_values_of_new_rows_have_the_distribution_of_uniform_ranks() -> None:
    # The rank of one more uniform number among m is uniform on 1 … m + 1, whatever the scores' distribution.
    ranks = []
    for table in range(2000):
        rng = np.random.default_rng([table, 2])
        calibration = Calibration.from_scores(rng.standard_cauchy(19), hashes(19))
        ranks.append(round(20 * calibration.p_values(rng.standard_cauchy(1), hashes(1, first=19))[0]))
    assert stats.chisquare(np.bincount(ranks, minlength=21)[1:]).pvalue > 0.001


def test_scores_that_grow_with_the_rows_of_the_fit_do_not_make_new_rows_anomalous() -> None:
    rng = np.random.default_rng(0)
    folds, final, new = rng.exponential(size=2000), 1.25 * rng.exponential(size=2000), 1.25 * rng.exponential(size=2000)
    bare = Calibration.from_scores(folds, hashes(2000))
    raised = Calibration.from_scores(folds, hashes(2000), final)
    unknown = hashes(2000, first=2000)
    assert np.mean(bare.p_values(new, unknown) <= 0.01) > 0.02
    assert np.mean(raised.p_values(new, unknown) <= 0.01) <= 0.01 + 3 * np.sqrt(0.01 * 0.99 / 1000)
    # Training rows keep their p-values.
    np.testing.assert_array_equal(raised.p_values(final, hashes(2000)), bare.p_values(final, hashes(2000)))


@settings(deadline=None, max_examples=60)
@given(
    folds=st.lists(st.integers(0, 6), min_size=1, max_size=25),
    final=st.lists(st.integers(0, 6), min_size=25, max_size=25),
)
def test_the_final_models_scores_never_make_a_p_value_smaller(folds: list[int], final: list[int]) -> None:
    scores, seen = np.array(folds, dtype=float), np.array(final[: len(folds)], dtype=float)
    bare, raised = (Calibration.from_scores(scores, hashes(len(folds)), other) for other in (None, seen))
    new, unknown = np.arange(-1.0, 8.0), hashes(9, first=100)
    assert (raised.p_values(new, unknown) >= bare.p_values(new, unknown)).all()
    known = hashes(len(folds))
    assert (raised.p_values(scores, known) >= bare.p_values(scores, known)).all()


def test_a_final_model_that_is_easier_on_its_rows_changes_nothing() -> None:
    scores = np.random.default_rng(0).normal(size=50)
    bare, other = Calibration.from_scores(scores, hashes(50)), Calibration.from_scores(scores, hashes(50), scores - 1)
    np.testing.assert_array_equal(bare.reference, other.reference)
    np.testing.assert_array_equal(bare.training_scores, other.training_scores)


def test_rows_are_known_by_their_hash_and_unique_ones_by_their_number() -> None:
    scores, names = np.array([1.0, 5.0, 5.0, 3.0, 2.0]), np.array([7, 8, 8, 9, 4], dtype=np.uint64)
    calibration = Calibration.from_scores(scores, names)
    assert calibration.known(np.array([4, 5, 8, 99], dtype=np.uint64)).tolist() == [True, False, True, False]
    # The two equal rows of score 5 are left out: of five rows, 5, 4 and 3 score at least 1, 2 and 3.
    assert sorted(calibration.unique()) == [3 / 5, 4 / 5, 5 / 5]
    assert Calibration.empty().known(names).tolist() == [False] * 5
    assert Calibration.empty().unique().tolist() == []


# Contaminated training data.

TAILS: dict[str, Callable[[np.random.Generator, int], Floats]] = {
    "normal": lambda rng, rows: rng.normal(size=rows),
    "exponential": lambda rng, rows: rng.exponential(size=rows),
    "chi-squared": lambda rng, rows: rng.chisquare(8, size=rows),
    "log-normal": lambda rng, rows: rng.lognormal(0, 0.7, size=rows),
    "stretched": lambda rng, rows: rng.exponential(size=rows) ** 2,
    "Student": lambda rng, rows: np.abs(rng.standard_t(3, size=rows)),
    "uniform": lambda rng, rows: rng.random(rows),
}


@pytest.mark.parametrize("tail", TAILS)
def test_clean_scores_are_seldom_called_contaminated(tail: str) -> None:
    rng = np.random.default_rng(0)
    fired = [count_anomalous(np.sort(TAILS[tail](rng, rows))) > 0 for rows in (500, 1000, 3000) for _ in range(60)]
    assert np.mean(fired) <= 0.05


@pytest.mark.parametrize("share", [0.02, 0.05, 0.1])
@pytest.mark.parametrize("tail", ["normal", "exponential", "chi-squared", "log-normal"])
def test_clear_anomalies_among_the_training_rows_are_noticed_and_counted(tail: str, share: float) -> None:
    rng, counts = np.random.default_rng(1), []
    for _ in range(20):
        scores = TAILS[tail](rng, 1000)
        anomalous = round(1000 * share)
        scores[:anomalous] = scores.max() + np.ptp(scores) * (0.5 + rng.random(anomalous))
        counts.append(count_anomalous(np.sort(scores)))
        assert count_anomalous(np.sort(40 * scores - 7)) == counts[-1]
    assert np.mean(np.array(counts) > 0) >= 0.8
    assert np.median(counts) == pytest.approx(1000 * share, rel=0.1)


@pytest.mark.parametrize("scores", [np.zeros(0), np.ones(500), np.arange(150.0), np.repeat([0.0, 1.0], [990, 10])])
def test_too_few_or_equal_scores_say_nothing(scores: Floats) -> None:
    assert contaminated(scores) is None


def blobs(rows: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(rows, 2)) @ np.array([[1.0, 0.5, -1.0], [0.3, -1.0, 1.0]])
    frame = pd.DataFrame(hidden + 0.4 * rng.normal(size=(rows, 3)), columns=["length", "width", "depth"])
    return frame.assign(colour=rng.choice(["red", "green"], size=rows, p=[0.7, 0.3]))


def test_a_fit_says_that_its_training_rows_are_contaminated() -> None:
    dirty = blobs(1000, 0)
    dirty.loc[:39, "length"] += 12
    with pytest.warns(UserWarning, match=r"about (3[6-9]|4[0-4]) of 1,000 training rows look anomalous") as message:
        AnomalyDetector(model="covariance").fit(dirty)
    # The share that is offered would catch them all.
    assert 0.036 <= float(" ".join(str(one.message) for one in message).split("use share=")[1].split()[0]) <= 0.045


# Drift.


@settings(deadline=None, max_examples=60)
@given(
    new=st.lists(st.integers(0, 12), min_size=1, max_size=30),
    usual=st.lists(st.integers(0, 12), min_size=1, max_size=30),
)
def test_the_excess_of_small_values_is_smirnovs_statistic(new: list[int], usual: list[int]) -> None:
    here, there = np.sort(np.array(new, dtype=float)), np.sort(np.array(usual, dtype=float))
    distance, point = one_sided(Tally.of(here), there)
    oracle = stats.ks_2samp(here, there, alternative="greater", method="asymp")
    # scipy's statistic is not negative, and ours may be where all new values are larger.
    assert max(distance, 0.0) == pytest.approx(oracle.statistic)
    if distance > 0:
        assert np.mean(here <= point) - np.mean(there <= point) == pytest.approx(distance)


def uniform(rows: int, seed: int) -> Floats:
    return np.random.default_rng(seed).random(rows)


def test_rows_like_the_training_rows_do_not_drift() -> None:
    assert not any(
        drift(Tally.of(uniform(new, seed)), uniform(300, seed + 999)) for seed in range(200) for new in (60, 300, 3000)
    )


def test_neither_anomalies_nor_typical_rows_nor_small_shifts_are_drift() -> None:
    usual = uniform(2000, 0)
    anomalies = np.concatenate([uniform(700, 1), uniform(300, 2) / 100])
    assert drift(Tally.of(anomalies), usual) is None
    assert drift(Tally.of(1 - uniform(1000, 1) ** 2), usual) is None  # more typical than expected
    assert drift(Tally.of(uniform(200_000, 1) ** 1.05), usual) is None
    assert drift(Tally.of(uniform(40, 1) / 10), usual) is None  # too few


def test_more_anomalous_rows_drift_and_the_columns_are_named() -> None:
    usual = uniform(2000, 0)
    message = drift(Tally.of(uniform(1000, 1) ** 3), usual, ["a", "b", "c", "d"])
    assert message is not None
    assert "of 1,000 new rows" in message
    assert "(columns that moved most: 'a', 'b', 'c')" in message
    # Hardly a typical row is left.
    assert "100 % of 1,000 new rows are as anomalous as the most anomalous 21 %" in str(
        drift(Tally.of(uniform(1000, 1) / 5), usual)
    )
    # As many as usual are typical, but less so.
    bent = np.where(uniform(1000, 1) < 0.2, 0.1, 0.2 + 0.8 * uniform(1000, 2) ** 2)
    assert "of 1,000 new rows" in str(drift(Tally.of(bent), usual))


def encoded(values: Floats, observed: NDArray[np.bool_] | None = None) -> Encoded:
    blocks = (Block("size", "number", 0), Block("sort", "category", 1, levels=("a", "b", "c")))
    seen = np.ones(values.shape, dtype=bool) if observed is None else observed
    return Encoded(values.astype(np.float32), seen, Layout("table", (2,), blocks))


def sample(rows: int, seed: int, shift: float = 0.0, shares: tuple[float, ...] = (0.6, 0.3, 0.1)) -> Encoded:
    rng = np.random.default_rng(seed)
    return encoded(np.column_stack([rng.normal(shift, size=rows), 2 + rng.choice(3, rows, p=shares)]))


def test_cells_are_counted_by_tenths_and_levels() -> None:
    training = sample(1000, 0)
    marginals = Marginals.of(training)
    assert marginals.training[0, :10].tolist() == [100] * 10
    assert marginals.training[1, :3].tolist() == np.bincount(training.values[:, 1].astype(int))[2:].tolist()
    incomplete = encoded(np.array([[0.0, 1.0], [99.0, 0.0]]), np.array([[False, False], [True, False]]))
    counted = marginals.count(incomplete)
    assert counted.sum(axis=1).tolist() == [2, 2]
    assert (counted[0, 9], counted[0, 10], counted[1, 10], counted[1, UNSEEN_BIN]) == (1, 1, 1, 1)


def test_columns_that_moved_are_named_the_most_moved_first() -> None:
    marginals = Marginals.of(sample(1000, 0))

    def moved(data: Encoded) -> list[str]:
        return marginals.moved(marginals.count(data), data.layout)

    assert not any(moved(sample(rows, seed)) for seed in range(1, 50) for rows in (60, 1000))
    assert moved(sample(1000, 1, shift=0.5)) == ["size"]
    assert moved(sample(1000, 1, shares=(0.3, 0.3, 0.4))) == ["sort"]
    assert moved(sample(1000, 1, shift=2, shares=(0.4, 0.3, 0.3))) == ["size", "sort"]
    assert moved(sample(0, 1)) == []


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> JobContext:
    folder = tmp_path_factory.mktemp("drift")
    context = JobContext.at(folder / "workspace")
    blobs(600, 0).to_csv(folder / "training.csv", index=False)
    config = FitConfig("knn", {"neighbours": 5}, device="cpu")
    assert fit(context, str(folder / "training.csv"), "blobs", config, SchemaOptions()).warnings == ()
    return context


def test_a_run_says_that_its_rows_have_drifted(context: JobContext, tmp_path: Path) -> None:
    moved = blobs(500, 1)
    moved["width"] += 2.5
    moved.to_csv(tmp_path / "moved.csv", index=False)
    result = score(context, str(tmp_path / "moved.csv"), "blobs", threshold=Threshold("share", 0.05), device="cpu")
    (message,) = result.warnings
    assert message.startswith("the rows have drifted: ")
    assert "(columns that moved most: 'width')" in message
    assert result.run.summary["warnings"] == [message]


def test_new_rows_of_the_same_kind_and_known_ones_do_not_drift(context: JobContext, tmp_path: Path) -> None:
    new = blobs(500, 1)
    new.loc[:49, "width"] += 9  # anomalies
    for name, frame in (("new", new), ("known", blobs(600, 0)), ("outer", outer(blobs(600, 0)))):
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
        source = str(tmp_path / f"{name}.csv")
        assert score(context, source, "blobs", threshold=Threshold("share", 0.05), device="cpu").warnings == ()


def outer(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the outer half of the rows: nothing like the table, but known."""
    return frame[np.abs(frame["width"]) > frame["width"].abs().median()]


def test_too_few_rows_to_fire_are_said_in_the_run(context: JobContext, tmp_path: Path) -> None:
    blobs(500, 1).to_csv(tmp_path / "new.csv", index=False)
    result = score(context, str(tmp_path / "new.csv"), "blobs", threshold=Threshold("fdr", 0.01), device="cpu")
    assert [text for text in result.warnings if text.startswith("threshold fdr=0.01 fires only if 84 or more rows")]
    assert result.run.summary["warnings"] == list(result.warnings)


def test_cells_are_counted_in_the_bins_that_hold_them() -> None:
    """Among them are values equal to an edge, and two edges that are equal."""
    rng = np.random.default_rng(0)
    values = rng.integers(0, 6, (500, 2)).astype(np.float32) / 4
    values[:, 1] = rng.integers(0, 5, 500)  # a category: missing, unseen, and three levels
    observed = np.column_stack([rng.random(500) < 0.9, values[:, 1] >= 2])
    data = encoded(np.where(observed | (values == 1), values, 0).astype(np.float32), observed)
    marginals = Marginals.of(data)
    for position, edges in enumerate(marginals.edges):
        cells, seen = data.values[:, position], data.observed[:, position]
        bins = np.where(seen, np.searchsorted(edges, cells), np.where(cells == 0, UNSEEN_BIN - 1, UNSEEN_BIN))
        expected = np.bincount(bins, minlength=UNSEEN_BIN + 1)
        np.testing.assert_array_equal(marginals.training[position], expected)
