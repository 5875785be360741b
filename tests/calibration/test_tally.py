"""A tally says of values what the values themselves say, in bounded memory."""

import numpy as np
import pytest
from scipy import stats

from anomalo.calibration import tally as module
from anomalo.calibration.tally import Tally
from anomalo.calibration.thresholds import ROUNDING, Threshold


@pytest.mark.parametrize("pending", [1, 50, 10**6])
def test_values_and_counts_in_any_pieces(pending: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PENDING", pending)
    values, tally = np.random.default_rng(0).integers(0, 40, 1000) / 40, Tally()
    for piece in np.array_split(values, 13):
        tally.add(piece)
    distinct, counts = np.unique(values, return_counts=True)
    assert tally.values.tolist() == distinct.tolist()
    assert tally.counts.tolist() == counts.tolist()
    assert len(tally) == 1000
    assert tally.share(0.5) == np.mean(values <= 0.5)
    assert len(tally.above(0.5)) == np.count_nonzero(values > 0.5)


def test_of_repeating_values_only_the_distinct_ones_are_kept() -> None:
    tally = Tally()
    for seed in range(40):
        tally.add(np.random.default_rng(seed).integers(0, 40, module.PENDING // 4) / 40)
        assert sum(map(len, tally._pending)) <= module.PENDING
    assert len(tally) == 40 * (module.PENDING // 4)
    assert len(tally.values) == 40


@pytest.mark.parametrize("rate", [0.05, 0.2, 0.5])
def test_alerts_are_those_of_benjamini_and_hochberg(rate: float) -> None:
    for seed in range(50):
        rng = np.random.default_rng(seed)
        p_values = np.ceil(rng.random(int(rng.integers(1, 200))) ** rng.choice([1, 3]) * 60) / 60
        expected = stats.false_discovery_control(p_values) <= rate * ROUNDING
        np.testing.assert_array_equal(Threshold("fdr", rate).alerts(p_values, -p_values), expected)
    assert not len(Threshold("fdr", rate).alerts(np.zeros(0), np.zeros(0)))
