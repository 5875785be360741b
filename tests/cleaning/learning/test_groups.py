"""Of sources that report on the same things, answers find the column that names the thing, and who is right."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from anomalo.cleaning.coded import CodedTable
from anomalo.cleaning.examined import Examined
from anomalo.cleaning.learning.asking import ask
from anomalo.cleaning.learning.groups import TRUSTED
from anomalo.cleaning.learning.labels import Answer, Labels
from anomalo.cleaning.learning.learned import Learned, learn

THINGS, SOURCES = 40, 9


def reports() -> tuple[np.ndarray, np.ndarray]:
    """Return what sources say of flights, and the truth, [rows, columns]; four of nine repeat the same wrong times."""
    random = np.random.default_rng(8)
    truth, said = [], []
    for thing in range(THINGS):
        right = [f"{random.integers(1, 13)}:{random.integers(60):02} {random.choice(['am', 'pm'])}" for _ in range(3)]
        rumour = [f"{random.integers(1, 13)}:{random.integers(60):02} am" for _ in range(3)]
        for source in range(SOURCES):
            doubtful = source < 4
            times = [
                wrong if doubtful and random.random() < 0.8 else one for one, wrong in zip(right, rumour, strict=True)
            ]
            said.append([f"source {source}", f"X-{thing}", *times])
            truth.append([f"source {source}", f"X-{thing}", *right])
    return np.array(said, dtype=object), np.array(truth, dtype=object)


@pytest.fixture(scope="module")
def case() -> tuple[Examined, Labels, Learned]:
    said, truth = reports()
    names = ["source", "thing", "start", "gate", "end"]
    examined = Examined.of(CodedTable.of_texts(dict(zip(names, said.T.tolist(), strict=True))))
    wrong = said != truth
    answers = [
        Answer(int(row), name, bool(wrong[row, at]), truth[row, at] if wrong[row, at] else None)
        for row in ask(examined, 20)
        for at, name in enumerate(names)
    ]
    labels = Labels.of(answers, examined.table)
    return examined, labels, learn(examined, labels)


def test_the_thing_makes_the_groups(case: tuple[Examined, Labels, Learned]) -> None:
    keys = case[2].keys
    assert {keys[name].name for name in ("start", "gate", "end")} == {"thing"}
    assert min(key.trust for key in keys.values()) >= TRUSTED


def test_the_sources_that_are_right_win(case: tuple[Examined, Labels, Learned]) -> None:
    examined, labels, learned = case
    said, truth = reports()
    wrong, found = said != truth, learned.suspects(examined, labels)
    assert f1_score(wrong.ravel(), examined.suspects.flagged.ravel()) < 0.5
    assert f1_score(wrong.ravel(), found.flagged.ravel()) > 0.85
    assert (found.suggestion == truth)[wrong & found.flagged].mean() > 0.9


def test_it_is_restored(case: tuple[Examined, Labels, Learned]) -> None:
    examined, labels, learned = case
    again = Learned.from_json(learned.to_json()).suspects(examined, labels)
    assert (again.probability == learned.suspects(examined, labels).probability).all()
