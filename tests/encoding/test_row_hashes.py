"""A row's hash depends on the row alone, and stays what it was: saved models hold hashes of their training rows."""

import numpy as np
import pytest

from anomalo.encoding import row_hashes as module
from anomalo.encoding.row_hashes import START, row_hashes


def expected(values: np.ndarray, seen: np.ndarray) -> list[int]:
    """The definition, with whole numbers of any size."""
    keys = np.random.Generator(np.random.Philox(0)).integers(1, 2**64, size=(values.shape[1], 2), dtype=np.uint64)
    found = []
    for row, there in zip(values + np.float32(0), seen, strict=True):
        total = START
        for bits, mine, (key, mask_key) in zip(
            row.view(np.uint32).tolist(), there.tolist(), keys.tolist(), strict=True
        ):
            total += ((bits ^ (bits >> 16)) + 1) * key + mine * mask_key
        total %= 2**64
        found.append(total ^ (total >> 32))
    return found


@pytest.mark.parametrize("at_once", [1, 7, 4096])
@pytest.mark.parametrize("share", [0.7, 1.0])
def test_hashes_are_as_defined(share: float, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AT_ONCE", at_once)
    rng = np.random.default_rng(0)
    values = rng.standard_normal((50, 4)).round(1).astype(np.float32)
    values[::9] = -0.0
    seen = rng.random(values.shape) < share
    assert row_hashes(values, seen, None, None).tolist() == expected(values, seen)


def test_there_may_be_no_rows_or_columns() -> None:
    for shape in ((0, 3), (2, 0)):
        values = np.zeros(shape, dtype=np.float32)
        assert len(row_hashes(values, values > 0, None, None)) == shape[0]
