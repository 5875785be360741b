"""The benchmark of characters: ways to combine two kinds of surprisals, on a table with errors."""

from typing import Any

import numpy as np
import pytest

from anomalo.cleaning.features import trigrams
from tests.benchmarks.loading import load


@pytest.fixture(scope="module")
def characters() -> Any:
    return load("characters")


def table() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    clean = np.stack([random.choice(["Ann Lee", "Bob Ray"], 200), random.choice(["red", "green"], 200)], axis=1)
    dirty = clean.astype(object)
    dirty[[3, 50, 90], 0] = ["Anx Lee", "Bob Rax", "Bxb Ray"]
    return dirty, clean.astype(object)


def test_equal_surprisals_give_equal_figures(characters: Any) -> None:
    found = characters.compared(characters.prepared(*table(), ["name", "colour"], lambda table: trigrams))
    assert {found[way] for way in characters.WAYS} == {found["trigrams"]}
    assert found["trigrams"] > 0.9


def test_useless_surprisals_are_worse_alone(characters: Any) -> None:
    made = characters.prepared(*table(), ["name", "colour"], lambda table: lambda column: -trigrams(column))
    found = characters.compared(made)
    assert found["network alone"] < 0.1 < found["trigrams alone"]
