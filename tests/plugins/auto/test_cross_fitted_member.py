"""Members: no row is scored out of fold by a part that saw it."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from anomalo.models.run import LocalRun
from anomalo.plugin import Encoded, Model, Run, Scores
from anomalo.testing.tables import tables
from anomalo_auto.cross_fitted_member import CrossFittedMember, by_heart, learned_rows, members_of, state_of
from anomalo_auto.tail_probability import fit_tail, surprisal


@dataclass(kw_only=True)
class Memory(Model):
    """Scores 1 for a row that it was fitted on."""

    name: ClassVar[str] = "memory"

    def fit(self, data: Encoded, run: Run) -> "Memory":
        self.seen_ = data.hashes()
        return self

    def score(self, data: Encoded) -> Scores:
        return np.isin(data.hashes(), self.seen_).astype(np.float64)


@dataclass(kw_only=True)
class Sum(Memory):
    """Scores the sum of a row's values."""

    def score(self, data: Encoded) -> Scores:
        return np.asarray(data.values.sum(axis=1, dtype=np.float64) + len(self.seen_))


def member(data: Encoded, folds: NDArray[Any], trusted: NDArray[Any], model: type[Model] = Memory) -> CrossFittedMember:
    return CrossFittedMember.fit("m", data, folds, trusted, lambda rows, _: model().fit(rows, LocalRun()))


def every(data: Encoded) -> NDArray[np.bool_]:
    return np.ones(len(data), dtype=bool)


def test_each_fold_is_scored_by_the_part_that_did_not_see_it() -> None:
    train, _ = tables()
    folds = LocalRun().folds(train, 4)
    found = member(train, folds, every(train))
    assert np.ptp(found.out_of_fold) == 0  # all score 0
    assert (found.model.score(train) == 1).all()
    for fold in range(4):
        part = found.without(fold)
        assert part.model is found.parts[fold]
        np.testing.assert_array_equal(part.model.score(train), folds != fold)


def test_a_surprisal_is_that_of_a_score_among_those_of_the_whole_model() -> None:
    train, new = tables()
    folds = LocalRun().folds(train, 3)
    found = member(train, folds, every(train), Sum)
    sizes = np.array([(folds != fold).sum() for fold in range(3)])
    scores = train.values.sum(axis=1, dtype=np.float64) + sizes[folds]
    np.testing.assert_array_equal(found.tail, fit_tail(found.model.score(train)))
    np.testing.assert_array_equal(found.out_of_fold, surprisal(scores, found.tail))
    np.testing.assert_array_equal(found.surprisal(new), surprisal(found.model.score(new), found.tail))


def test_a_model_that_knows_its_rows_by_heart_is_measured_out_of_fold() -> None:
    rng = np.random.default_rng(0)
    scores = rng.gamma(2.0, size=400)
    assert not by_heart(scores, scores)
    assert not by_heart(0.7 * scores, scores)
    assert by_heart(0.02 * scores, scores)
    assert by_heart(np.zeros(400), scores)


@settings(deadline=None, max_examples=100)
@given(
    folds=st.lists(st.integers(0, 4), min_size=2, max_size=12),
    trusted=st.lists(st.booleans(), min_size=12, max_size=12),
)
def test_no_part_learns_from_its_own_fold_and_all_from_trusted_rows_where_there_are_any(
    folds: list[int], trusted: list[bool]
) -> None:
    numbers = np.unique(folds, return_inverse=True)[1]
    trust = np.array(trusted[: len(folds)])
    trust[0] = True
    *parts, last = learned_rows(numbers, trust)
    assert last.tolist() == np.flatnonzero(trust).tolist()
    assert len(parts) == (numbers.max() + 1 if numbers.max() else 0)
    for fold, part in enumerate(parts):
        outside = numbers != fold
        assert len(part)
        assert outside[part].all()
        assert part.tolist() == np.flatnonzero(outside & trust if (outside & trust).any() else outside).tolist()


def test_with_a_single_fold_there_are_no_parts() -> None:
    train, _ = tables()
    equal = train.take(np.zeros(5, dtype=int))
    found = member(equal, LocalRun().folds(equal, 3), every(equal))
    assert list(found.parts) == []
    assert np.isfinite(found.out_of_fold).all()


def test_members_come_back_from_their_state() -> None:
    train, new = tables()
    folds = LocalRun().folds(train, 3)
    members = [member(train, folds, every(train), model) for model in (Sum, Memory)]
    state = state_of(Memory().state(), members)
    copies = members_of(state, {key: members[number].model for number, key in enumerate(sorted(state.models))})
    assert len(copies) == 2
    for copy, before in zip(copies, members, strict=True):
        np.testing.assert_array_equal(copy.surprisal(new), before.surprisal(new))
