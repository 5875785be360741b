import numpy as np

from anomalo.encoding.scaling import compress
from anomalo.encoding.series.scales import Scales, own_scales


def test_values_are_compressed_by_the_scale_of_their_series_and_back() -> None:
    rng = np.random.default_rng(0)
    which = np.repeat([0, 1], 200)
    original = rng.normal(size=400) * np.where(which, 10, 1) + np.where(which, 500, 0)
    offset, scale = np.array([250.0]), np.array([250.0])
    offsets, widths = own_scales(original[:, None], which, 2, offset, scale)
    assert abs(offsets[1, 0] - 500) < 2
    assert 8 < widths[1, 0] < 12
    assert (offsets[2], widths[2]) == (offset, scale)
    scales = Scales(np.array([0]), offset, scale, offsets, widths, which)
    common = compress(original, 250.0, 250.0).astype(np.float32)[:, None]
    own = scales.to_series(common, np.arange(400))
    expected = np.concatenate([compress(original[which == at], offsets[at, 0], widths[at, 0]) for at in (0, 1)])
    np.testing.assert_allclose(own[:, 0], expected, atol=2e-4)
    np.testing.assert_allclose(scales.to_common(own, np.arange(400)), common, atol=1e-5)


def test_a_series_with_few_or_equal_numbers_has_the_common_scale_or_a_narrow_one() -> None:
    numbers = np.array([[np.nan]] * 5 + [[7.0]] * 30)
    offsets, widths = own_scales(numbers, np.repeat([0, 1], [5, 30]), 2, np.array([1.0]), np.array([2.0]))
    assert (offsets[0, 0], widths[0, 0]) == (1.0, 2.0)
    assert (offsets[1, 0], widths[1, 0]) == (7.0, 0.02)
