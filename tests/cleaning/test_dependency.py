"""Votes of the other columns: counts with the cell left out, the best other value, suspects that do not vote."""

import numpy as np
import pytest
from numpy.typing import NDArray

from anomalo.cleaning.coded import CodedTable
from anomalo.cleaning.evidence import dependency
from anomalo.cleaning.evidence.dependency import FEATURES, PSEUDO_COUNTS, votes

CITIES = {f"city {at}": f"state {at % 5}" for at in range(20)}


def table(rows: int = 400, seed: int = 0) -> dict[str, NDArray[np.object_]]:
    """Return a table whose city decides state and county, and a column of noise."""
    random = np.random.default_rng(seed)
    city = random.choice(list(CITIES), rows).astype(object)
    state = np.array([CITIES[name] for name in city], dtype=object)
    county = np.array([f"county {hash_of(name) % 12}" for name in city], dtype=object)
    return {"city": city, "state": state, "county": county, "noise": random.choice(list("abcd"), rows).astype(object)}


def hash_of(name: str) -> int:
    return int(name.split()[1]) * 7


def feature(votes: dependency.Votes, name: str) -> NDArray[np.float64]:
    return votes.features[:, FEATURES.index(name)]


def coded(columns: dict[str, NDArray[np.object_]]) -> CodedTable:
    return CodedTable.of_texts({name: values.tolist() for name, values in columns.items()})


def test_log_odds_are_those_of_counts_with_the_cell_left_out() -> None:
    """One determinant and no suspects: every cell's counts are found again by looking at all other rows."""
    random = np.random.default_rng(1)
    source = random.integers(0, 6, 150)
    target = np.where(random.random(150) < 0.3, random.integers(0, 4, 150), source % 4)
    vote = dependency._vote(source, target, np.ones(150, dtype=bool))
    frequency = np.bincount(target) / 150
    fits = []
    for pseudo in PSEUDO_COUNTS:
        odds, likelihood = [], 0.0
        for row in range(150):
            others = [target[at] for at in range(150) if at != row and source[at] == source[row]]
            counts = np.bincount(others, minlength=4)
            chances = (counts + pseudo * frequency) / (len(others) + pseudo)
            likelihood += float(np.log(chances[target[row]]))
            rival = max((at for at in range(4) if at != target[row]), key=lambda at, c=counts: (c[at], -at))
            odds.append(np.log(chances[rival] / chances[target[row]]))
        fits.append((likelihood, odds))
    assert vote.odds == pytest.approx(max(fits, key=lambda fit: fit[0])[1])


def test_a_broken_dependency_has_the_largest_odds_and_the_right_suggestion() -> None:
    columns = table()
    rows = [3, 50, 211]
    truth = columns["state"][rows].copy()
    columns["state"][rows] = [f"state {(int(name[-1]) + 1) % 5}" for name in truth]
    found = list(votes(coded(columns)))[1]
    assert sorted(np.argsort(feature(found, "elected"))[-3:]) == rows
    state = coded(columns).columns[1]
    assert [state.values[code] for code in found.suggestion[rows]] == truth.tolist()


def test_a_wrong_determinant_does_not_accuse_the_cells_that_it_decides() -> None:
    """Row 7's city is another one's, as its zip says: it has no vote in round two."""
    columns = table()
    columns["county"] = np.array([f"{hash_of(name):05}" for name in columns["city"]], dtype=object)
    columns["city"][7] = next(name for name in CITIES if CITIES[name] != columns["state"][7])
    city, state, *_ = votes(coded(columns))
    assert feature(city, "trusted")[7] > 3
    assert feature(state, "confirmed")[7] <= 0


def test_noise_decides_nothing_and_nothing_decides_noise() -> None:
    *_, noise = votes(coded(table()))
    assert max(share for _, share in noise.determinants) < 0.05


def test_determinants_are_listed_by_the_share_of_entropy_that_they_explain() -> None:
    names = [name for name, share in list(votes(coded(table())))[1].determinants if share > 0.9]
    assert names == ["city"] or set(names) == {"city", "county"}


@pytest.mark.parametrize("columns", [{}, {"a": []}, {"a": ["x"]}, {"a": ["x"] * 5, "b": ["", "y", "z", "u", "v"]}])
def test_tables_without_evidence_have_no_votes(columns: dict[str, list[str]]) -> None:
    for found in votes(CodedTable.of_texts(columns)):
        assert not found.features.any()
        assert (found.suggestion == -1).all()


def test_the_share_of_entropy_that_chooses_columns_is_that_of_their_votes() -> None:
    random = np.random.default_rng(4)
    source = random.integers(-1, 9, 300)
    target = np.where(random.random(300) < 0.3, random.integers(0, 5, 300), source % 5)
    vote = dependency._vote(source, target, np.ones(300, dtype=bool))
    assert dependency._information(source, target) == pytest.approx(vote.information)
    assert vote.information > 0.2


def test_of_many_columns_those_vote_that_say_most() -> None:
    columns = {f"noise {at}": np.random.default_rng(at).choice(list("abcd"), 300).astype(object) for at in range(40)}
    columns |= table(300)
    state = list(votes(coded(columns)))[41]
    assert len(state.determinants) == dependency.DETERMINANTS
    assert "city" in dict(state.determinants)
