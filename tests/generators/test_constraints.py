"""Constraints: parsed, checked row by row, and satisfied by small moves."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomalo.encoding.table_encoder import TableEncoder
from anomalo.errors import UsageError
from anomalo.generators.constraints import Constraint, broken, enforce, from_json, parse, to_json
from anomalo.tabular.schema import infer

ROWS = 120
RNG = np.random.default_rng(0)
START = pd.to_datetime("2020-01-01") + pd.to_timedelta(RNG.integers(0, 600, ROWS), "D")
FRAME = pd.DataFrame(
    {
        "age": RNG.integers(18, 90, ROWS),
        "price": RNG.normal(20, 8, ROWS).round(2),
        "start": START,
        "end": START + pd.to_timedelta(RNG.integers(0, 90, ROWS), "D"),
        "city": RNG.choice(["Rome", "Oslo", "Bergen"], ROWS),
    }
)
FRAME["country"] = FRAME["city"].map({"Rome": "Italy", "Oslo": "Norway", "Bergen": "Norway"})
TABLE = pa.Table.from_pandas(FRAME, preserve_index=False)
SCHEMA = infer(TABLE)
ENCODER = TableEncoder().fit(SCHEMA.parse(TABLE), SCHEMA)
ORIGINAL = ENCODER.to_original_units(ENCODER.encode(SCHEMA.parse(TABLE)))
AGE, PRICE, BEGIN, END, CITY, COUNTRY = range(6)


def understood(*texts: str) -> list[Constraint]:
    return parse(texts, SCHEMA, ENCODER.layout, ORIGINAL)


def test_cells_in_original_units_are_the_table_itself() -> None:
    again = ENCODER.write(ORIGINAL, np.random.default_rng(0)).to_pandas()
    pd.testing.assert_frame_equal(again, FRAME)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("age >= 40", FRAME.age < 40),
        ("40 <= age", FRAME.age < 40),
        ("20 < age <= 60", (FRAME.age <= 20) | (FRAME.age > 60)),
        ("price > 12.5", FRAME.price <= 12.5),
        ("start < end", FRAME.start >= FRAME.end),
        ("end >= start", FRAME.start > FRAME.end),
        ("price < age", FRAME.price >= FRAME.age),
        ("start <= 2020-12-31", FRAME.start > "2020-12-31"),
        ("fixed: city, country", pd.Series(False, index=FRAME.index)),
    ],
)
def test_what_breaks_a_constraint(text: str, expected: pd.Series) -> None:
    assert broken(ORIGINAL, understood(text)).tolist() == expected.tolist()


def test_a_missing_value_satisfies_bounds_and_orders() -> None:
    original = np.full_like(ORIGINAL[:1], np.nan)
    assert not broken(original, understood("age >= 40", "start < end")).any()
    assert broken(original, understood("fixed: city, country")).all()  # no training row missed these cells


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("age", "expected a range such as"),
        ("age = 3", "expected a range such as"),
        ("agee > 3", "the model has no column 'agee'; did you mean 'age'"),
        ("city > 3", "column 'city' is a category; expected a number or a date"),
        ("age > soon", "'soon' is neither a column nor a"),
        ("age > 200", "'age' was 19 to 89 in training; expected a limit that training values satisfy"),
        ("fixed: city, town", "the model has no column 'town'"),
    ],
)
def test_a_constraint_that_makes_no_sense(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        understood(text)


def test_combinations_are_learned_in_training_only() -> None:
    with pytest.raises(UsageError, match="learned in training; give it to fit"):
        parse(["fixed: city, country"], SCHEMA, ENCODER.layout)


TEXTS = ("20 <= age < 70", "price >= 10", "price < age", "start < end", "start >= 2020-02-01", "fixed: city, country")


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), texts=st.lists(st.sampled_from(TEXTS), min_size=1, unique=True))
def test_rows_are_repaired_within_ranges_and_steps(seed: int, texts: list[str]) -> None:
    rng = np.random.default_rng(seed)
    original = np.column_stack([rng.permutation(column) for column in ORIGINAL.T])
    before, constraints = original.copy(), understood(*texts)
    right = ~broken(original, constraints)
    enforce(original, constraints, np.ones(original.shape, dtype=bool), ENCODER.clip_to_domain, rng)
    assert not broken(original, constraints).any()
    assert np.array_equal(original, ENCODER.clip_to_domain(original))
    assert np.array_equal(original[right], before[right])


def test_given_cells_stay_and_the_others_give_way() -> None:
    original, free = ORIGINAL[:3].copy(), np.ones((3, ORIGINAL.shape[1]), dtype=bool)
    original[:, BEGIN], original[:, END] = ORIGINAL[:, BEGIN].max(), ORIGINAL[:, BEGIN].min()
    original[:, COUNTRY] = original[::-1, COUNTRY]
    free[0, BEGIN] = free[1, END] = False
    free[:, CITY] = False
    before = original.copy()
    constraints = understood("start <= end", "fixed: city, country")
    enforce(original, constraints, free, ENCODER.clip_to_domain, np.random.default_rng(0))
    assert not broken(original, constraints).any()
    assert np.array_equal(original[~free], before[~free])
    assert np.array_equal(original[2, [BEGIN, END]], before[2, [END, BEGIN]])  # both were free: exchanged


def test_what_cannot_be_satisfied_is_said() -> None:
    original = ORIGINAL[:2].copy()
    original[:, BEGIN], original[:, END] = ORIGINAL[:, BEGIN].max(), ORIGINAL[:, BEGIN].min()
    with pytest.raises(UsageError, match="contradict each other in 2 rows"):
        enforce(
            original,
            understood("start < end"),
            np.zeros(original.shape, bool),
            ENCODER.clip_to_domain,
            np.random.default_rng(0),
        )


def test_constraints_are_kept_as_json() -> None:
    for constraint in understood(*TEXTS):
        again = from_json(json.loads(json.dumps(to_json(constraint))))
        assert np.array_equal(again.broken(ORIGINAL[:, ::-1].copy()), constraint.broken(ORIGINAL[:, ::-1].copy()))
        assert to_json(again) == to_json(constraint)
