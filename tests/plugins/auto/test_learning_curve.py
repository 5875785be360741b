"""The learning curve: whether more of a large table's rows would help, said in one sentence."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from anomalo.models.run import LocalRun
from anomalo.plugin import Encoded, Filled, Model, Run, Scores
from anomalo.testing.tables import select, tables
from anomalo_auto.cross_fitted_member import CrossFittedMember
from anomalo_auto.learning_curve import learning_curve


@dataclass(kw_only=True)
class Learner(Model):
    """Fills a number with its true value and an error that falls with the rows as `power` says."""

    name: ClassVar[str] = "learner"
    fitted_on: ClassVar[list[NDArray[np.uint64]]] = []
    truth: ClassVar[Any] = None
    power: float = field(default=1.0)

    def fit(self, data: Encoded, run: Run) -> "Learner":
        self.fitted_on.append(data.hashes())
        self.rows_ = len(data)
        return self

    def score(self, data: Encoded) -> Scores:
        return np.zeros(len(data))

    def impute(self, data: Encoded, draws: int = 0) -> Filled:
        asked.append(data)
        wrong = held_values(data) + np.float32(self.rows_**-self.power)
        return Filled(np.where(data.observed, data.values, wrong).astype(np.float32))


asked: list[Encoded] = []


def held_values(data: Encoded) -> NDArray[Any]:
    """The complete values of rows with a hidden cell, found by their other cells."""
    found = data.values.copy()
    for row, (values, seen) in enumerate(zip(data.values, data.observed, strict=True)):
        like = (Learner.truth[:, seen] == values[seen]).all(axis=1)
        found[row] = Learner.truth[np.flatnonzero(like)[0]]
    return found


def curve(power: float, every: int = 5000) -> tuple[str, Encoded, NDArray[np.intp]]:
    train, _ = tables()
    data = select(train, ["height", "weight", "children"])
    data = data.take(np.flatnonzero(data.observed.all(axis=1)))
    Learner.truth = data.values
    folds = LocalRun().folds(data, 3)
    fit = lambda rows, _: Learner(power=power).fit(rows, LocalRun())  # noqa: E731
    member = CrossFittedMember.fit("learner", data, folds, np.ones(len(data), dtype=bool), fit)
    Learner.fitted_on.clear()
    asked.clear()
    return learning_curve([member], data, folds, every, LocalRun(seed=1)), data, folds


def test_an_error_that_halves_with_twice_the_rows_says_that_more_may_help() -> None:
    said, data, _ = curve(1.0)
    assert said == (
        f"learned from a random sample of {len(data)} of 5,000 rows; more may help: the second half of them took 50 % "
        "off the error of hidden cells"
    )


def test_an_error_that_stays_says_that_more_would_hardly_help() -> None:
    assert curve(0.0)[0].endswith("more would hardly help: half as many predict hidden cells as well")
    assert curve(-0.5)[0].endswith("half as many predict hidden cells as well")  # a larger error of more rows


def test_the_half_and_the_hidden_cells_are_of_different_folds() -> None:
    _, data, folds = curve(1.0)
    (half,) = Learner.fitted_on
    outside = data.hashes()[folds != 0]
    assert len(half) == len(outside) // 2
    assert np.isin(half, outside).all()
    assert len(asked) == 2
    for shown in asked:
        assert len(shown) == (folds == 0).sum()
        assert ((~shown.observed).sum(axis=1) == 1).all()
    assert np.array_equal(asked[0].observed, asked[1].observed)


def test_members_that_do_not_impute_say_only_how_many_rows_there_were() -> None:
    train, _ = tables()
    ones = np.ones(len(train), dtype=bool)
    folds = LocalRun().folds(train, 3)

    class Silent(Model):
        def score(self, data: Encoded) -> Scores:
            return np.zeros(len(data))

    member = CrossFittedMember.fit("silent", train, folds, ones, lambda rows, _: Silent())
    said = learning_curve([member], train, folds, 12_345, LocalRun())
    assert said == "learned from a random sample of 200 of 12,345 rows"
