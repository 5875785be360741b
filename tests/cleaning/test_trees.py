"""Trees written out as numbers: their sums by hand, and what damaged ones raise."""

from pathlib import Path

import numpy as np
import pytest
import safetensors
import safetensors.numpy

from anomalo.cleaning import suspects
from anomalo.cleaning.candidates import FEATURES
from anomalo.cleaning.features import NAMES
from anomalo.cleaning.trees import Trees, read_trees
from anomalo.errors import ArtefactError


def two_trees() -> Trees:
    """Return x0 <= 1 ? (x1 <= 5 ? 1 : 2) : 4, and 10 everywhere, on top of -3."""
    return Trees(
        feature=np.array([0, 1, -1, -1, -1, -1], dtype=np.int32),
        threshold=np.array([1.0, 5.0, 0, 0, 0, 0]),
        left=np.array([1, 2, 0, 0, 0, 0], dtype=np.int32),
        right=np.array([4, 3, 0, 0, 0, 0], dtype=np.int32),
        value=np.array([0.0, 0.0, 1.0, 2.0, 4.0, 10.0]),
        roots=np.array([0, 5], dtype=np.int32),
        baseline=np.array([-3.0]),
    )


def test_the_log_odds_are_the_sum_of_the_leaves() -> None:
    rows = np.array([[1, 5], [1, 6], [2, 0]], dtype=np.float32)
    assert two_trees().log_odds(rows).tolist() == [8.0, 9.0, 11.0]
    assert two_trees().log_odds(rows[:0]).tolist() == []


def test_trees_are_the_same_after_a_file(tmp_path: Path) -> None:
    safetensors.numpy.save_file(two_trees().tensors("one"), tmp_path / "trees.safetensors")
    (read,) = read_trees(tmp_path / "trees.safetensors", ("one",))
    assert all(
        (getattr(read, name) == getattr(two_trees(), name)).all() for name in ("feature", "left", "value", "roots")
    )


def test_a_circle_is_refused() -> None:
    tensors = two_trees().tensors("one")
    tensors["one.left"] = np.array([1, 0, 0, 0, 0, 0], dtype=np.int32)
    with pytest.raises(ArtefactError, match="damaged"):
        Trees.from_tensors(tensors, "one")


def test_a_missing_array_is_named() -> None:
    tensors = two_trees().tensors("one")
    del tensors["one.roots"]
    with pytest.raises(ArtefactError, match=r"one\.roots"):
        Trees.from_tensors(tensors, "one")


def test_the_shipped_trees_are_of_these_features() -> None:
    with safetensors.safe_open(suspects.MODEL, framework="np") as file:
        assert file.metadata()["features"].split(",") == [*NAMES, *FEATURES]
    wrong, right = suspects.model()
    assert wrong.feature.max() < len(NAMES)
    assert right.feature.max() < len(NAMES) + len(FEATURES)
