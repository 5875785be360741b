"""Suggestions without labels are believed less where answers contradict them, and more where they confirm them."""

import numpy as np
import pytest

from anomalo.cleaning.coded import CodedTable
from anomalo.cleaning.examined import Examined
from anomalo.cleaning.learning.calibration import Calibration, Usual, calibration
from anomalo.cleaning.learning.labels import Answer

TOWNS = ["Springfield", "Riverside", "Franklin", "Georgetown"]
TEXTS = [TOWNS[at % 4] for at in range(200)]
WRONG = {3: "Georgtown", 8: "Sprinfield", 21: "Rivirside", 42: "Frankin", 77: "Riversde", 120: "Springfeld"}
for _row, _text in WRONG.items():
    TEXTS[_row] = _text
EXAMINED = Examined.of(CodedTable.of_texts({"town": TEXTS, "code": [str(at % 7) for at in range(200)]}))


def believed(found: Calibration) -> float:
    usual = Usual.of(EXAMINED, 0, np.array([120]))
    return float(found.probability(usual, "town").max())


@pytest.mark.parametrize("right", [True, False])
def test_answers_move_the_suggestions_of_their_source(right: bool) -> None:
    values = [TOWNS[row % 4] if right else "Elsewhere" for row in WRONG]
    answers = [Answer(row, "town", True, value) for row, value in zip(WRONG, values, strict=True)][:5]
    before, after = believed(Calibration({})), believed(calibration(EXAMINED, {"town": answers, "code": []}))
    assert (after > before) == right
    assert abs(after - before) > 0.01


def test_without_answers_nothing_moves() -> None:
    assert calibration(EXAMINED, {"town": [], "code": []}) == Calibration({})


def test_it_is_saved() -> None:
    found = calibration(EXAMINED, {"town": [Answer(3, "town", True, "Georgetown")], "code": []})
    assert Calibration.from_json(found.to_json()) == found
