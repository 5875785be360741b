"""Evidence is scaled by the table that was learned from."""

import numpy as np

from anomalo.cleaning.features import NAMES
from anomalo.cleaning.learning.standard import MOST, Standard


def test_evidence_is_scaled_and_limited() -> None:
    cells = np.random.default_rng(0).normal(3, 2, (500, len(NAMES))).astype(np.float32)
    standard = Standard.of([cells[:200], cells[200:]])
    scaled = standard.scaled(cells)
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=0.05)
    np.testing.assert_allclose(scaled.std(axis=0), 1, atol=0.05)
    assert standard.scaled(cells * 1000).max() == MOST


def test_it_is_saved_by_name() -> None:
    standard = Standard.of([np.random.default_rng(0).random((9, len(NAMES))).astype(np.float32)])
    again = Standard.from_json(standard.to_json())
    assert (again.mean == standard.mean).all()
    assert (again.deviation == standard.deviation).all()
