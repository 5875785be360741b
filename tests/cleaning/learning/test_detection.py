"""Answers about one column teach about it and leave others nearly as they were."""

import numpy as np

from anomalo.cleaning.coded import CodedTable
from anomalo.cleaning.examined import Examined
from anomalo.cleaning.learning.detection import detector, usual_odds
from anomalo.cleaning.learning.labels import Answer, Labels
from anomalo.cleaning.learning.rulebook import rulebook

RANDOM = np.random.default_rng(2)
TABLE = CodedTable.of_texts(
    {
        "size": [f"{at % 30 + 1} {'oz' if odd else 'cl'}" for at, odd in enumerate(RANDOM.random(300) < 0.3)],
        "code": [f"T-{at}" for at in RANDOM.integers(0, 50, 300)],
    }
)
EXAMINED = Examined.of(TABLE)


def odds(labels: Labels) -> np.ndarray:
    rules = {name: rulebook(TABLE, name, labels.of_column(name)) for name in TABLE.names}
    return detector(EXAMINED, labels, rules, {}).log_odds(EXAMINED, rules, {})


def test_a_unit_that_is_wrong_in_the_answers_is_wrong_elsewhere() -> None:
    size = TABLE.columns[0]
    wrong = np.array([size.values[code].endswith("oz") for code in size.codes])
    labels = Labels.of([Answer(row, "size", bool(wrong[row])) for row in range(20)], TABLE)
    found = odds(labels)
    assert (found[wrong, 0] > 0).all()
    assert (found[~wrong, 0] < 0).all()
    assert (found[:, 1] < -3).all()


def test_no_answers_leave_everything_as_it_was() -> None:
    np.testing.assert_allclose(odds(Labels(())), usual_odds(EXAMINED.suspects.probability))
