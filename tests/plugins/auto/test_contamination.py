"""Which rows are trusted: all but the 15 % of the highest scores."""

import numpy as np

from anomalo_auto.contamination import least_suspicious


def test_the_rows_of_the_highest_scores_are_left_out() -> None:
    surprisals = np.random.default_rng(0).gamma(2, size=200)
    trusted = least_suspicious(surprisals)
    assert trusted.sum() == 170
    assert surprisals[trusted].max() < surprisals[~trusted].min()


def test_among_equal_rows_the_first_ones_stay_and_at_least_one_does() -> None:
    assert least_suspicious(np.zeros(10)).tolist() == [True] * 8 + [False] * 2
    assert least_suspicious(np.zeros(1)).tolist() == [True]
