"""The mechanisms hide the asked share, of known cells only, and depend on what they should depend on."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomalo.errors import UsageError
from anomalo.masking import MECHANISMS, Mechanism, mar, mcar, mnar

ROWS = 20_000


def normal(columns: int = 4, seed: int = 0, missing: float = 0.2) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    observed = rng.random((ROWS, columns)) >= missing
    return np.where(observed, 3.0 + 10.0 * rng.standard_normal((ROWS, columns)), np.nan), observed


def correlation(column: Any, hidden: Any, known: Any) -> float:
    return float(np.corrcoef(column[known], hidden[known])[0, 1])


@pytest.mark.parametrize("mechanism", MECHANISMS.values())
@pytest.mark.parametrize("share", [0.05, 0.3, 0.9])
def test_the_share_is_met_in_every_column_that_loses_cells(mechanism: Mechanism, share: float) -> None:
    values, observed = normal()
    hidden = mechanism(values, observed, share, np.random.default_rng(1))
    realised = hidden.sum(axis=0) / observed.sum(axis=0)
    losing = realised > 0
    assert losing.sum() == (3 if mechanism is mar else 4)
    np.testing.assert_allclose(realised[losing], share, atol=0.015)


@pytest.mark.parametrize("mechanism", MECHANISMS.values())
@settings(deadline=None, max_examples=15)
@given(
    rows=st.integers(0, 20), columns=st.integers(2, 5), share=st.sampled_from([0.0, 0.3, 1.0]), seed=st.integers(0, 99)
)
def test_known_cells_only_and_the_generator_alone_decides(
    mechanism: Mechanism, rows: int, columns: int, share: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    values, observed = rng.integers(0, 3, (rows, columns)).astype(np.float32), rng.random((rows, columns)) < 0.7
    hidden = mechanism(values, observed, share, np.random.default_rng(seed))
    assert hidden.dtype == bool
    assert not (hidden & ~observed).any()
    assert (hidden == mechanism(values, observed, share, np.random.default_rng(seed))).all()
    if share == 0:
        assert not hidden.any()
    if share == 1 and mechanism is not mar:
        assert (hidden == observed).all()


def test_mcar_depends_on_no_value() -> None:
    values, observed = normal()
    hidden = mcar(values, observed, 0.3, np.random.default_rng(1))
    for cause in range(4):
        for effect in range(4):
            known = observed[:, cause] & observed[:, effect]
            assert abs(correlation(values[:, cause], hidden[:, effect], known)) < 0.03


def test_mar_depends_on_the_drivers_which_stay_and_not_on_the_value_itself() -> None:
    values, observed = normal(columns=7, missing=0.0)
    hidden = mar(values, observed, 0.3, np.random.default_rng(1))
    drivers = np.flatnonzero(~hidden.any(axis=0))
    assert len(drivers) == 2
    for column in np.setdiff1d(np.arange(7), drivers):
        by_driver = [correlation(values[:, d], hidden[:, column], observed[:, d]) for d in drivers]
        # A logistic of a standard normal at 30 % correlates with it by about .39, split over the drivers.
        assert np.hypot(*by_driver) == pytest.approx(0.39, abs=0.04)
        others = np.setdiff1d(np.arange(7), drivers)
        assert all(abs(correlation(values[:, o], hidden[:, column], observed[:, o])) < 0.03 for o in others)


def test_mar_counts_an_unknown_driver_as_its_mean() -> None:
    values, observed = normal(columns=2)
    hidden = mar(values, observed, 0.3, np.random.default_rng(1))
    driver, column = (0, 1) if hidden[:, 1].any() else (1, 0)
    unknown = ~observed[:, driver] & observed[:, column]
    assert hidden[unknown, column].mean() == pytest.approx(0.28, abs=0.03)


def test_mnar_depends_on_the_value_itself_and_on_no_other() -> None:
    values, observed = normal()
    hidden = mnar(values, observed, 0.3, np.random.default_rng(1))
    for column in range(4):
        itself = correlation(values[:, column], hidden[:, column], observed[:, column])
        assert abs(itself) == pytest.approx(0.39, abs=0.04)
        other = (column + 1) % 4
        known = observed[:, column] & observed[:, other]
        assert abs(correlation(values[:, other], hidden[:, column], known)) < 0.03


@pytest.mark.parametrize("mechanism", [mar, mnar])
def test_the_columns_units_do_not_matter(mechanism: Mechanism) -> None:
    values, observed = normal(columns=7)
    masks = [
        mechanism(scaled, observed, 0.3, np.random.default_rng(1)) for scaled in (values, values * 8.0 ** np.arange(7))
    ]
    assert (masks[0] == masks[1]).all()


def test_mnar_of_a_constant_column_is_mcar() -> None:
    values, observed = np.full((ROWS, 1), 7.0), np.ones((ROWS, 1), dtype=bool)
    assert mnar(values, observed, 0.3, np.random.default_rng(0)).mean() == pytest.approx(0.3, abs=0.015)


@pytest.mark.parametrize("mechanism", MECHANISMS.values())
@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan")])
def test_a_share_out_of_range_is_refused(mechanism: Mechanism, share: float) -> None:
    with pytest.raises(UsageError, match="from 0 to 1"):
        mechanism(np.zeros((2, 2)), np.ones((2, 2), dtype=bool), share, np.random.default_rng(0))


def test_mar_needs_two_columns() -> None:
    with pytest.raises(UsageError, match="got 1 column, expected at least 2"):
        mar(np.zeros((5, 1)), np.ones((5, 1), dtype=bool), 0.3, np.random.default_rng(0))
