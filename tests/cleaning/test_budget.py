"""Free text in which many cells are odd in many ways is suspected less; a second format in a column is not."""

import numpy as np
import pytest

from anomalo.cleaning.budget import SHARE, within_budget
from anomalo.cleaning.coded import CodedColumn

FORMATS = ("{}", "a{}", "{}b", "-{}", "{}-", "({})", "{} x", "x {}", "A{}", "{}B", "/{}", "{}/")


def column(texts: list[str]) -> CodedColumn:
    return CodedColumn.of("a", texts)


def test_many_odd_formats_are_scaled_to_the_budget() -> None:
    texts = [FORMATS[at % len(FORMATS)].format(at) for at in range(240)]
    probability = np.where(np.arange(240) < 60, 0.9, 0.1)
    found = within_budget(column(texts), probability)
    assert found == pytest.approx(probability * SHARE * 240 / 60)


@pytest.mark.parametrize(
    "texts",
    [
        [f"({at}) {at}" if at < 60 else f"{at}-{at}" for at in range(240)],
        [FORMATS[at % len(FORMATS)].format(at % 20) for at in range(240)],
    ],
    ids=["one other format", "few values"],
)
def test_a_second_format_and_a_column_of_few_values_are_left_alone(texts: list[str]) -> None:
    probability = np.where(np.arange(240) < 60, 0.9, 0.1)
    assert (within_budget(column(texts), probability) == probability).all()


def test_few_suspects_are_left_alone() -> None:
    texts = [FORMATS[at % len(FORMATS)].format(at) for at in range(240)]
    probability = np.where(np.arange(240) < 12, 0.9, 0.1)
    assert (within_budget(column(texts), probability) == probability).all()
