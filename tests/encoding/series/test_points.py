import numpy as np
import pytest

from anomalo.encoding.series.points import Points, Positions
from anomalo.encoding.series.windows import trailing_windows

WIDTH = 4


def points(lengths: list[int], seed: int = 0) -> Points:
    """Stretches of so many points, two channels, some cells missing."""
    rng = np.random.default_rng(seed)
    count = sum(lengths)
    observed = rng.random((count, 2)) < 0.8
    values = np.where(observed, rng.normal(size=(count, 2)), 0).astype(np.float32)
    first = np.repeat(np.cumsum([0, *lengths[:-1]]), lengths)
    return Points(values, observed, first, values)


def test_trailing_windows_are_those_of_each_stretch() -> None:
    found = points([9, 2, 6])
    positions = Positions(found, np.arange(17), WIDTH)
    values, observed, _ = positions.windows(positions.trailing)
    for start, stop in ((0, 9), (9, 11), (11, 17)):
        expected = trailing_windows(found.values[start:stop], found.observed[start:stop], WIDTH)
        np.testing.assert_array_equal(values[start:stop], expected[0])
        np.testing.assert_array_equal(observed[start:stop], expected[1])


@pytest.mark.parametrize("rows", [np.arange(2, 8), np.arange(9, 11), np.array([5, 3, 16, 3])])
@pytest.mark.parametrize("place", ["trailing", "centred"])
def test_the_windows_of_some_rows_are_those_that_all_rows_have(rows: np.ndarray, place: str) -> None:
    every = Positions(points([9, 2, 6]), np.arange(17), WIDTH)
    some = every.take(rows)
    for mine, whole in zip(
        some.windows(getattr(some, place))[:2], every.windows(getattr(every, place))[:2], strict=True
    ):
        np.testing.assert_array_equal(mine, whole[rows])


def test_windows_of_one_stretch_are_views() -> None:
    found = points([300])
    positions = Positions(found, np.arange(100, 300), WIDTH)
    assert np.shares_memory(positions.windows(positions.trailing)[0], found.values)


def test_centred_windows_stay_inside_of_their_stretch() -> None:
    positions = Positions(points([9, 2, 6]), np.arange(17), WIDTH)
    start = positions.centred
    assert start[:9].tolist() == [0, 0, 0, 1, 2, 3, 4, 5, 5]
    assert (start[9:11] >= 9).all()
    assert ((start <= positions.at) & (positions.at < start + WIDTH)).all()


def test_a_hash_is_of_the_window() -> None:
    found = points([40])
    found.values.flags.writeable = True
    found.values[20:30], found.observed[20:30] = found.values[:10], found.observed[:10]
    causal = Positions(found, np.arange(40), WIDTH)
    own = found.hashes
    hashes = causal.hashes(own)
    assert (hashes[3:10] == hashes[23:30]).all()
    assert hashes[22] != hashes[2]
    assert len(np.unique(hashes)) == 33
    averaged = Positions(found, np.arange(40), WIDTH, averaged=True).hashes(own)
    assert (averaged[3:7] == averaged[23:27]).all()
    assert averaged[8] != averaged[28]


def test_points_of_several_batches_stay_apart() -> None:
    first, second = points([5]), points([3], 1)
    joined = Positions.concatenate([Positions(first, np.arange(5), WIDTH), Positions(second, np.arange(3), WIDTH)])
    values, observed, _ = joined.windows(joined.trailing)
    expected = trailing_windows(second.values, second.observed, WIDTH)
    np.testing.assert_array_equal(values[5:], expected[0])
    np.testing.assert_array_equal(observed[5:], expected[1])
