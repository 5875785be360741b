"""The harmonic mean of p-values and its derivatives, against closed forms."""

import numpy as np

from anomalo_auto.fusion import harmonic_mean, shares

P = np.array([[0.5, 0.01, 1.0], [0.2, 0.9, 1.0], [0.04, 0.3, 1.0]])


def test_the_harmonic_mean_of_p_values_is_what_its_name_says() -> None:
    expected = [3 / (1 / 0.5 + 1 / 0.2 + 1 / 0.04), 3 / (1 / 0.01 + 1 / 0.9 + 1 / 0.3), 1]
    np.testing.assert_allclose(np.exp(-harmonic_mean(-np.log(P))), expected)
    assert harmonic_mean(np.array([[0.0, 3.0]])).tolist() == [0, 3]


def test_one_member_alone_raises_the_score_and_further_ones_raise_it_more() -> None:
    one, two = np.array([[30.0], [0.0], [0.0]]), np.array([[30.0], [30.0], [0.0]])
    np.testing.assert_allclose(harmonic_mean(one), 30 - np.log(3))
    np.testing.assert_allclose(harmonic_mean(two), 30 - np.log(3 / 2))


def test_huge_surprisals_do_not_overflow() -> None:
    np.testing.assert_allclose(harmonic_mean(np.array([[5e4], [0.0]])), 5e4 - np.log(2))
    np.testing.assert_allclose(shares(np.array([[5e4, 9e9], [0.0, 9e9]])), [[1, 0.5], [0, 0.5]])


def test_shares_are_inverse_p_values_and_the_derivatives_of_the_score() -> None:
    surprisals = -np.log(P)
    found = shares(surprisals)
    np.testing.assert_allclose(found, (1 / P) / (1 / P).sum(axis=0))
    for member in range(3):
        step = 1e-6 * (np.arange(3) == member)[:, None]
        slope = (harmonic_mean(surprisals + step) - harmonic_mean(surprisals - step)) / 2e-6
        np.testing.assert_allclose(found[member], slope, rtol=1e-6)
