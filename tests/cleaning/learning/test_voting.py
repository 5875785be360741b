"""The rows of one group vote, each as far as it is believed; no row has a vote on its own cell."""

import numpy as np

from anomalo.cleaning.coded import CodedColumn
from anomalo.cleaning.learning.voting import DOUBT, group_votes

KEY = CodedColumn.of("flight", ["a", "a", "a", "b", "", "a"])
TIME = CodedColumn.of("time", ["1", "1", "2", "3", "1", "9"])


def test_votes_are_counted_within_groups() -> None:
    votes = group_votes(TIME, KEY, np.ones(6), counted=6)
    assert votes.for_it[0] == 1 / (3 + DOUBT)
    assert votes.against[2] == 2 / (3 + DOUBT)
    assert TIME.values[votes.other[2]] == "1"
    assert (votes.other[3], votes.for_it[3], votes.against[3]) == (-1, 0.0, 0.0)


def test_rows_without_a_key_have_no_votes() -> None:
    votes = group_votes(TIME, KEY, np.ones(6), counted=6)
    assert (votes.other[4], votes.against[4]) == (-1, 0.0)


def test_a_row_that_is_not_believed_hardly_counts() -> None:
    believed = np.array([0.01, 0.01, 1.0, 1.0, 1.0, 0.01])
    votes = group_votes(TIME, KEY, believed, counted=6)
    assert TIME.values[votes.other[0]] == "2"
    assert votes.against[0] > 10 * votes.for_it[0]


def test_new_rows_do_not_vote_and_have_votes_on_them() -> None:
    votes = group_votes(TIME, KEY, np.ones(6), counted=5)
    assert votes.for_it[5] == 0.0
    assert TIME.values[votes.other[5]] == "1"
    alone = group_votes(
        CodedColumn("time", TIME.values, TIME.codes[:5]),
        CodedColumn("flight", KEY.values, KEY.codes[:5]),
        np.ones(5),
        5,
    )
    assert (votes.against[:5] == alone.against).all()
