"""Which rows are trusted: all but the 15 % that the members together find the most surprising."""

import numpy as np

from anomalo_auto.contamination import least_suspicious


def test_the_rows_of_the_largest_sums_are_left_out() -> None:
    surprisals = np.random.default_rng(0).gamma(2, size=(3, 200))
    trusted = least_suspicious(surprisals)
    total = surprisals.sum(axis=0)
    assert trusted.sum() == 170
    assert total[trusted].max() < total[~trusted].min()


def test_among_equal_rows_the_first_ones_stay_and_at_least_one_does() -> None:
    assert least_suspicious(np.zeros((2, 10))).tolist() == [True] * 8 + [False] * 2
    assert least_suspicious(np.zeros((2, 1))).tolist() == [True]
