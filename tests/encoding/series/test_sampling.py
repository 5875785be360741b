import numpy as np

from anomalo.encoding.series.sampling import Sampling, in_order, is_ordered

NONE = np.zeros(100, dtype=np.intp)


def test_a_regular_series_knows_how_many_points_are_missing() -> None:
    times = np.delete(np.arange(101) * 60.0, [50])
    sampling = Sampling.of(times, NONE)
    assert (sampling.step, sampling.regular) == (60.0, True)
    absent = sampling.absent(times, NONE, 10)
    assert np.flatnonzero(absent).tolist() == [50]
    assert absent[50] == 1
    assert sampling.absent(np.array([0.0, 6e6]), NONE[:2], 10).tolist() == [0, 10]
    assert sampling.begins(times, NONE).sum() == 1


def test_an_irregular_series_breaks_off_at_a_gap() -> None:
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.exponential(size=100))
    times[70:] += 1000
    sampling = Sampling.of(times, NONE)
    assert not sampling.regular
    assert np.flatnonzero(sampling.begins(times, NONE)).tolist() == [0, 70]
    assert not sampling.absent(times, NONE, 10).any()


def test_each_series_begins_a_stretch() -> None:
    series = np.repeat([0, 1], 50)
    times = np.tile(np.arange(50.0), 2)
    sampling = Sampling.of(times, series)
    assert np.flatnonzero(sampling.begins(times, series)).tolist() == [0, 50]
    assert not sampling.absent(times, series, 10).any()


def test_one_point_has_no_step() -> None:
    assert Sampling.of(np.zeros(1), NONE[:1]) == Sampling()


def test_points_of_one_time_keep_their_order() -> None:
    times, series = np.array([2.0, 1.0, 2.0, 1.0]), np.array([0, 1, 0, 0])
    assert in_order(times, series).tolist() == [3, 0, 2, 1]
    assert not is_ordered(times, series)
    assert is_ordered(np.array([5.0, 1.0, 5.0]), np.array([0, 1, 0]))
